//! Finding and reading `finops.toml`, with errors that point at the place.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::Config;
use crate::domain::similar::{doubled, short, suggestion};

/// The name of the file in the current folder.
const FILE_NAME: &str = "finops.toml";

/// What to do where nothing better is known.
const READ: &str = "`finops config schema` describes every key";

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    message: String,
    hint: Option<String>,
    of_system: bool,
}

impl ConfigError {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        ConfigError {
            message: message.into(),
            hint: Some(hint.into()),
            of_system: false,
        }
    }

    /// Settings that are there and that the system does not let be read: what they say is not known.
    fn unread(path: &Path, cause: &io::Error) -> Self {
        let there = cause.raw_os_error().is_some()
            && !matches!(
                cause.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
            );
        let hint = match there {
            true => "check the path and its permissions",
            false if cause.kind() == ErrorKind::NotFound => "`finops init` writes a commented one",
            false => READ,
        };
        ConfigError {
            of_system: there,
            ..ConfigError::new(format!("cannot read `{}`: {cause}", path.display()), hint)
        }
    }

    /// Whether it is the system that does not let them be read, and nothing is wrong with what they say.
    #[must_use]
    pub fn is_of_system(&self) -> bool {
        self.of_system
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl Config {
    /// Reads the settings from `path`, else from `finops.toml` in the current folder, else takes the defaults.
    pub fn find(path: Option<&Path>) -> Result<Config, ConfigError> {
        match path {
            Some(path) => Config::read(path),
            None if Path::new(FILE_NAME).is_file() => Config::read(Path::new(FILE_NAME)),
            None => Ok(Config::default()),
        }
    }

    /// Reads and checks a file.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|cause| ConfigError::unread(path, &cause))?;
        let mut config = Config::parse(&text, path)?;
        config.base = path.parent().map(PathBuf::from).unwrap_or_default();
        config.file = Some(path.to_owned());
        let keys: toml::Table = toml::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default();
        config.policies_named = keys.contains_key("policies");
        let mut problems = super::check(&config).into_iter();
        let Some(first) = problems.next() else {
            return Ok(config);
        };
        let more: String = problems.map(|problem| format!("; {problem}")).collect();
        Err(ConfigError {
            message: format!("`{}`: {first}{more}", path.display()),
            hint: first.hint,
            of_system: false,
        })
    }

    fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        toml::from_str(text.trim_start_matches('\u{feff}')).map_err(|error: toml::de::Error| {
            let place = error.span().map(|span| line_and_column(text, span.start));
            let at = place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
            let message = error.message().trim().replace('\n', ", ");
            let meant = suggestion(&message).or_else(|| doubled(&error.to_string()));
            ConfigError {
                message: format!("`{}{at}`: {}", path.display(), short(&message)),
                hint: Some(meant.unwrap_or_else(|| READ.to_owned())),
                of_system: false,
            }
        })
    }

    /// A path of the settings, made absolute or relative to the current folder.
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    /// The folder of the policies.
    #[must_use]
    pub fn policies_dir(&self) -> PathBuf {
        self.resolve(&self.policies)
    }
}

fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let error = Config::parse(text, Path::new("finops.toml")).unwrap_err();
        format!("{error}\nhint: {}", error.hint().unwrap())
    }

    #[test]
    fn errors_name_line_column_and_what_was_meant() {
        insta::assert_snapshot!(error("namespace = \"x\"\n[[source]]\nnaem = \"logs\"\n"), @r#"
        `finops.toml:3:1`: unknown field `naem`
        hint: did you mean `name`?
        "#);
        insta::assert_snapshot!(error("[[notify]]\nname = \"x\"\nkind = \"slak\"\n"), @r#"
        `finops.toml:3:8`: unknown variant `slak`
        hint: did you mean `slack`?
        "#);
        insta::assert_snapshot!(error("[limits]\ntime_budget_seconds = \"long\"\n"), @r#"
        `finops.toml:2:23`: invalid type: string "long", expected u64
        hint: `finops config schema` describes every key
        "#);
        insta::assert_snapshot!(error("[limits]\n[source]\nname = \"x\"\n"), @r#"
        `finops.toml:2:1`: invalid type: map, expected a sequence
        hint: there may be several, so that it is written `[[source]]`
        "#);
        insta::assert_snapshot!(error("[store\n"), @r#"
        `finops.toml:1:7`: unclosed table, expected `]`
        hint: `finops config schema` describes every key
        "#);
    }
}
