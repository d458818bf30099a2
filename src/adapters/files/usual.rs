//! Where tools keep their logs.

mod databases;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use walkdir::WalkDir;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::ports::SourceError;

use super::discover::{Search, home};
use super::editors::Homes;
use super::others::Others;
use super::spans::Spans;
use super::{FileFormat, FileSource, FileSourceOptions};

/// Cline, Roo Code and Kilo Code as editors name them.
const CLINES: [&str; 3] = [
    "saoudrizwan.claude-dev",
    "rooveterinaryinc.roo-cline",
    "kilocode.kilo-code",
];

/// Where a tool keeps its logs.
struct Place {
    folder: PathBuf,
    /// What of it holds them; `*` stands for any name, or for a part of one.
    inside: &'static str,
    /// The variable that names the folder, and what it names.
    named: Option<(&'static str, PathBuf)>,
}

/// Where the logs of a tool were looked for.
#[derive(Default)]
pub(super) struct Usual {
    places: Vec<PathBuf>,
    /// Folders that variables name and that are not there.
    missing: Vec<(&'static str, PathBuf)>,
}

impl Usual {
    /// Tells that these are usual places, and of folders that a variable names and that are not there: they were as much asked for as those
    /// of the settings.
    pub fn tell(&self, search: &mut Search) {
        search.usual = !self.places.is_empty();
        for (variable, folder) in &self.missing {
            search.miss(SourceError::Read {
                what: folder.display().to_string(),
                cause: "no such folder".to_owned(),
                hint: format!("`{variable}` names it: check its spelling, or unset it"),
            });
        }
    }
}

/// Looks up variables that name folders.
struct Folders<'b> {
    base: &'b Path,
    env: fn(&str) -> Option<String>,
}

impl Folders<'_> {
    fn of(&self, path: &str) -> PathBuf {
        self.base.join(home(path.trim(), self.env))
    }

    /// What the first of these variables that is set names, else the usual folder.
    fn named(&self, variables: &[&'static str], usual: &str) -> (PathBuf, Option<(&'static str, PathBuf)>) {
        let set = |name: &&'static str| Some((*name, (self.env)(name).filter(|path| !path.trim().is_empty())?));
        let named = variables
            .iter()
            .find_map(set)
            .map(|(name, path)| (name, self.of(&path)));
        let folder = named
            .as_ref()
            .map_or_else(|| self.of(usual), |(_, folder)| folder.clone());
        (folder, named)
    }

    /// The folder of a program in that of all programs' data.
    fn data(&self, program: &str) -> PathBuf {
        let data = (self.env)("XDG_DATA_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        data.unwrap_or_else(|| self.of("~/.local/share")).join(program)
    }

    /// The folders that those of editors lie in.
    fn homes(&self) -> Homes {
        let given = |variable: &str| {
            (self.env)(variable)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let mut config = vec![
            given("XDG_CONFIG_HOME").unwrap_or_else(|| self.of("~/.config")),
            self.of("~/Library/Application Support"),
        ];
        config.extend(given("APPDATA"));
        Homes {
            home: self.of("~"),
            config,
            data: self.data(""),
        }
    }

    /// Places in a folder, or in what a variable names instead.
    fn places(&self, variables: &[&'static str], usual: &str, below: &str, inside: &[&'static str]) -> Vec<Place> {
        let (folder, named) = self.named(variables, usual);
        let place = |inside: &&'static str| Place {
            folder: folder.join(below),
            inside,
            named: named.clone(),
        };
        inside.iter().map(place).collect()
    }

    /// Places in the folders of a list with commas.
    fn listed(&self, variable: &'static str, usual: &[PathBuf], inside: &[&'static str]) -> Vec<Place> {
        let given = (self.env)(variable).unwrap_or_default();
        let given = given.split(',').map(str::trim).filter(|folder| !folder.is_empty());
        let given: Vec<PathBuf> = given.map(|folder| self.of(folder)).collect();
        let named = |folder: &PathBuf| (!given.is_empty()).then(|| (variable, folder.clone()));
        let folders = if given.is_empty() { usual } else { &given };
        let of = |folder: &PathBuf| {
            let inside = match inside.iter().any(|inside| folder.ends_with(inside)) {
                true => &[""][..],
                false => inside,
            };
            let place = |inside: &&'static str| Place {
                folder: self.base.join(folder),
                inside,
                named: named(folder),
            };
            inside.iter().map(place).collect::<Vec<_>>()
        };
        folders.iter().flat_map(of).collect()
    }

    /// Where the tools of a format keep their logs; nowhere, if it is none of tools.
    fn of_format(&self, format: FileFormat) -> Vec<Place> {
        match format {
            FileFormat::ClaudeCode => {
                let config = (self.env)("XDG_CONFIG_HOME")
                    .map(PathBuf::from)
                    .filter(|path| path.is_absolute());
                let config = config.unwrap_or_else(|| self.of("~/.config"));
                let usual = [config.join("claude"), self.of("~/.claude")];
                self.listed("CLAUDE_CONFIG_DIR", &usual, &["projects"])
            }
            FileFormat::Codex => {
                let inside = ["sessions", "archived_sessions"];
                let mut places = self.listed("CODEX_HOME", &[self.of("~/.codex")], &inside);
                places.extend(self.codex_of_openclaw());
                places
            }
            FileFormat::GeminiCli => {
                let mut places = self.places(&["GEMINI_CLI_HOME"], "~", ".gemini", &["tmp/*/chats"]);
                let qwen = ["QWEN_RUNTIME_DIR", "QWEN_HOME"];
                places.extend(self.places(&qwen, "~/.qwen", "", &["projects/*/chats", "tmp/*/chats"]));
                places
            }
            FileFormat::Pi => {
                let mut places = match self.named(&["PI_CODING_AGENT_SESSION_DIR"], "") {
                    (_, Some(_)) => self.places(&["PI_CODING_AGENT_SESSION_DIR"], "", "", &[""]),
                    _ => self.places(&["PI_CODING_AGENT_DIR"], "~/.pi/agent", "", &["sessions"]),
                };
                places.extend(self.openclaw());
                places
            }
            FileFormat::Opencode => {
                let programs = [
                    ("opencode", "OPENCODE_DB", ["storage/message", "opencode*.db"]),
                    ("kilo", "KILO_DB", ["storage/message", "kilo*.db"]),
                ];
                let mut places = Vec::new();
                for (program, variable, inside) in programs {
                    let folder = self.data(program);
                    let place = |inside: &'static str| Place {
                        folder: folder.clone(),
                        inside,
                        named: None,
                    };
                    places.extend(inside.map(place));
                    let database = (self.env)(variable).filter(|path| !path.trim().is_empty() && path != ":memory:");
                    let database = database.map(|path| folder.join(home(path.trim(), self.env)));
                    places.extend(database.map(|path| Place {
                        folder: path.clone(),
                        inside: "",
                        named: Some((variable, path)),
                    }));
                }
                places
            }
            FileFormat::CopilotCli => {
                let inside = ["session-state/*/events.jsonl"];
                self.places(&["COPILOT_HOME"], "~/.copilot", "", &inside)
            }
            FileFormat::KimiCli => {
                // Of subagents that work in the background nothing is in the session's own.
                let cli = ["sessions/*/*/wire.jsonl", "sessions/*/*/subagents/*/wire.jsonl"];
                let mut places = self.places(&["KIMI_SHARE_DIR"], "~/.kimi", "", &cli);
                let code = ["sessions/*/*/agents/*/wire.jsonl"];
                places.extend(self.places(&["KIMI_CODE_HOME"], "~/.kimi-code", "", &code));
                places
            }
            FileFormat::Goose => self.goose(),
            FileFormat::Crush => self.crush(),
            FileFormat::Cline => {
                // The folder of sessions may be another one.
                let sessions = self.places(&["CLINE_SESSION_DATA_DIR"], "", "", &["*/*.messages.json"]);
                let is_apart = sessions.iter().any(|place| place.named.is_some());
                let inside: &[&str] = match is_apart {
                    true => &["tasks/*/ui_messages.json"],
                    false => &["tasks/*/ui_messages.json", "sessions/*/*.messages.json"],
                };
                let mut places = match self.named(&["CLINE_DATA_DIR"], "") {
                    (_, Some(_)) => self.places(&["CLINE_DATA_DIR"], "", "", inside),
                    _ => self.places(&["CLINE_DIR"], "~/.cline", "data", inside),
                };
                places.extend(sessions.into_iter().filter(|_| is_apart));
                let homes = self.homes();
                let folders = CLINES.iter().flat_map(|extension| homes.of_extension(extension));
                places.extend(folders.map(|folder| Place {
                    folder,
                    inside: "tasks/*/ui_messages.json",
                    named: None,
                }));
                places
            }
            FileFormat::Amp => vec![Place {
                folder: self.data("amp"),
                inside: "threads/T-*.json",
                named: None,
            }],
            FileFormat::Droid => {
                let inside = ["sessions/*/*.settings.json", "sessions/*.settings.json"];
                self.places(&["FACTORY_HOME_OVERRIDE"], "~", ".factory", &inside)
            }
            FileFormat::Litellm
            | FileFormat::Plain
            | FileFormat::Focus
            | FileFormat::Otel
            | FileFormat::Bedrock
            | FileFormat::Body
            | FileFormat::Apim
            | FileFormat::Langfuse
            | FileFormat::Helicone
            | FileFormat::OpenaiAdmin
            | FileFormat::AnthropicAdmin
            | FileFormat::Cur
            | FileFormat::CostExplorer => Vec::new(),
        }
    }
}

impl Place {
    fn path(&self) -> PathBuf {
        match self.inside {
            "" => self.folder.clone(),
            inside => self.folder.join(inside),
        }
    }

    /// What is there of it now. What may not be looked into is, as far as anyone knows.
    fn found(&self) -> Vec<PathBuf> {
        let mut found = vec![self.folder.clone()];
        for part in self.inside.split('/').filter(|part| !part.is_empty()) {
            let next = |at: PathBuf| match part.split_once('*') {
                Some((front, end)) => named_so(at, front, end),
                None => vec![at.join(part)],
            };
            found = found.into_iter().flat_map(next).collect();
        }
        found.retain(|path| !is_missing(path) && !databases::is_of_none(path));
        found
    }
}

/// What in a folder has a name that begins and ends so; the folder itself, if it may not be looked into.
fn named_so(folder: PathBuf, front: &str, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else {
        let is_folder = folder
            .metadata()
            .map_or_else(|_| !is_missing(&folder), |found| found.is_dir());
        return if is_folder { vec![folder] } else { Vec::new() };
    };
    let fits = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.strip_prefix(front).is_some_and(|rest| rest.ends_with(end)))
    };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(fits).collect();
    found.sort();
    found
}

impl FileSource {
    /// The logs of a tool where it keeps them, or where its own variables say that it does; nothing for formats that are no tool's. Of lists
    /// with commas (`CLAUDE_CONFIG_DIR`, `CODEX_HOME`) all folders. Finding none is no error; a folder that a variable names and that is not
    /// there is one.
    #[must_use]
    pub fn at_usual_place(
        format: FileFormat,
        name: Label,
        base: PathBuf,
        latest: DateTime<Utc>,
        env: fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let places = Folders { base: &base, env }.of_format(format);
        if places.is_empty() {
            return None;
        }
        let named = places.iter().filter_map(|place| place.named.clone());
        let mut missing: Vec<_> = named.filter(|(_, folder)| is_missing(folder)).collect();
        missing.dedup();
        let paths = places.iter().flat_map(Place::found);
        let paths = paths.map(|path| path.to_string_lossy().into_owned()).collect();
        Some(FileSource {
            options: FileSourceOptions {
                name,
                format: Some(format),
                paths,
                base,
                defaults: Vec::new(),
                columns: None,
                asked: None,
                latest,
                env,
            },
            files_only: true,
            others: Others::default(),
            spans: Spans::default(),
            usual: Usual {
                places: places.iter().map(Place::path).collect(),
                missing,
            },
        })
    }

    /// The same with values for dimensions that a record leaves empty.
    #[must_use]
    pub fn with_defaults(mut self, defaults: Vec<(Dimension, Label)>) -> Self {
        self.options.defaults = defaults;
        self
    }

    /// Where logs are looked for, if no paths are configured and they are looked for at their usual place.
    #[must_use]
    pub fn places(&self) -> &[PathBuf] {
        &self.usual.places
    }

    /// Whether one of the usual places is there, or was named by a variable.
    #[must_use]
    pub fn is_used(&self) -> bool {
        !self.options.paths.is_empty() || !self.usual.missing.is_empty()
    }

    /// Whether a usual place holds any file, or what nobody may look into.
    #[must_use]
    pub fn has_files(&self) -> bool {
        let holds = |path: &String| {
            let mut entries = WalkDir::new(path).into_iter();
            entries.any(|entry| entry.map_or(true, |entry| !entry.file_type().is_dir()))
        };
        self.options.paths.iter().any(holds)
    }
}

/// Whether a folder is not there: nothing is in a file. What may not be looked at is there, as far as anyone knows.
fn is_missing(path: &Path) -> bool {
    path.try_exists()
        .map_or_else(|error| error.kind() == ErrorKind::NotADirectory, |there| !there)
}
