//! Where tools keep their logs.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use walkdir::WalkDir;

use crate::domain::dimension::Dimension;
use crate::domain::label::Label;
use crate::ports::SourceError;

use super::discover::{Search, home};
use super::others::Others;
use super::{FileFormat, FileSource, FileSourceOptions};

/// A tool and its folders.
struct Tool {
    format: FileFormat,
    /// The variable that names them: a list with commas.
    variable: &'static str,
    /// What they are where it does not.
    else_in: Vec<PathBuf>,
    /// The folders in them that hold the logs.
    inside: &'static [&'static str],
}

/// Where the logs of a tool were looked for.
#[derive(Default)]
pub(super) struct Usual {
    places: Vec<PathBuf>,
    /// Folders that the variable names and that are not there.
    missing: Vec<PathBuf>,
    variable: &'static str,
}

impl Usual {
    /// Tells folders that a variable names and that are not there: they were as much asked for as those of the settings.
    pub fn tell(&self, search: &mut Search) {
        for folder in &self.missing {
            search.miss(SourceError::Read {
                what: folder.display().to_string(),
                cause: "no such folder".to_owned(),
                hint: format!("`{}` names it: check its spelling, or unset it", self.variable),
            });
        }
    }
}

impl FileSource {
    /// The session logs of Claude Code where that program keeps them: `projects` in the folders of `CLAUDE_CONFIG_DIR` (a list with
    /// commas), else in `claude` of `XDG_CONFIG_HOME` or `~/.config`, and in `~/.claude`. Finding none is no error; a folder that
    /// the variable names and that is not there is one.
    #[must_use]
    pub fn default_claude(name: Label, base: PathBuf, latest: DateTime<Utc>, env: fn(&str) -> Option<String>) -> Self {
        let config = env("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let config = config.unwrap_or_else(|| home("~/.config", env));
        let tool = Tool {
            format: FileFormat::ClaudeCode,
            variable: "CLAUDE_CONFIG_DIR",
            else_in: vec![config.join("claude"), home("~/.claude", env)],
            inside: &["projects"],
        };
        Self::of_tool(name, tool, base, latest, env)
    }

    /// The session logs of Codex: `sessions` and `archived_sessions` in the folders of `CODEX_HOME` (a list with commas), else in
    /// `~/.codex`.
    #[must_use]
    pub fn default_codex(name: Label, base: PathBuf, latest: DateTime<Utc>, env: fn(&str) -> Option<String>) -> Self {
        let tool = Tool {
            format: FileFormat::Codex,
            variable: "CODEX_HOME",
            else_in: vec![home("~/.codex", env)],
            inside: &["sessions", "archived_sessions"],
        };
        Self::of_tool(name, tool, base, latest, env)
    }

    /// The same with values for dimensions that a record leaves empty.
    #[must_use]
    pub fn with_defaults(mut self, defaults: Vec<(Dimension, Label)>) -> Self {
        self.options.defaults = defaults;
        self
    }

    fn of_tool(name: Label, tool: Tool, base: PathBuf, latest: DateTime<Utc>, env: fn(&str) -> Option<String>) -> Self {
        let given = env(tool.variable).unwrap_or_default();
        let given = given.split(',').map(str::trim).filter(|folder| !folder.is_empty());
        let given: Vec<PathBuf> = given.map(|folder| base.join(home(folder, env))).collect();
        let missing = given.iter().filter(|folder| is_missing(folder)).cloned().collect();
        let folders = if given.is_empty() { tool.else_in } else { given };
        let places: Vec<PathBuf> = folders
            .iter()
            .flat_map(
                |folder| match tool.inside.iter().any(|inside| folder.ends_with(inside)) {
                    true => vec![folder.clone()],
                    false => tool
                        .inside
                        .iter()
                        .map(|inside| base.join(folder).join(inside))
                        .collect(),
                },
            )
            .collect();
        let paths = places
            .iter()
            .filter(|place| place.is_dir() || place.try_exists().is_err())
            .map(|place| place.to_string_lossy().into_owned())
            .collect();
        FileSource {
            options: FileSourceOptions {
                name,
                format: Some(tool.format),
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
            usual: Usual {
                places,
                missing,
                variable: tool.variable,
            },
        }
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

/// Whether a folder is not there. What may not be looked at is there, as far as anyone knows.
fn is_missing(path: &Path) -> bool {
    path.try_exists().is_ok_and(|there| !there)
}
