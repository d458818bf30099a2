//! Where the ledger is kept.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Config, ConfigError};

/// A parsed store address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// The tables of the namespace and environment in the account of `[aws]`.
    Dynamodb,
    /// Memory: gone when the process ends.
    Memory,
}

impl StoreUrl {
    /// Parses `sqlite:PATH`, `dynamodb:` or `memory:`; relative paths start from `base`.
    pub fn parse(text: &str, base: &Path) -> Result<StoreUrl, ConfigError> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(StoreUrl::Memory),
            Some(("dynamodb", "")) => Ok(StoreUrl::Dynamodb),
            Some(("sqlite", path)) if !path.is_empty() => Ok(StoreUrl::Sqlite(base.join(home(path)))),
            _ => Err(ConfigError::new(
                format!("`{text}` is not a store address"),
                "use `sqlite:PATH`, `dynamodb:` or `memory:`",
            )),
        }
    }
}

impl Config {
    /// Where the ledger is kept: the configured address, else the platform's data folder.
    pub fn store_url(&self) -> Result<StoreUrl, ConfigError> {
        if self.store.url.is_empty() {
            return default_ledger(&|name| std::env::var_os(name).filter(|value| !value.is_empty()))
                .map(StoreUrl::Sqlite)
                .ok_or_else(|| {
                    ConfigError::new(
                        "the data folder of this user is not known",
                        "give `--store sqlite:PATH`",
                    )
                });
        }
        let url = StoreUrl::parse(&self.store.url, &self.base)?;
        if url == StoreUrl::Dynamodb {
            table_part("namespace", &self.namespace)?;
            table_part("environment", &self.environment)?;
        }
        Ok(url)
    }
}

/// The names of tables are made of it: DynamoDB takes no others.
fn table_part(key: &str, name: &str) -> Result<(), ConfigError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !name.is_empty() && name.chars().all(allowed) {
        return Ok(());
    }
    Err(ConfigError::new(
        format!("`{key}` is `{name}`, which no name of a DynamoDB table can hold"),
        "letters, digits, `_`, `-` and `.` are allowed",
    ))
}

/// The ledger's file in the platform's data folder, from the environment.
#[must_use]
pub fn default_ledger(env: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let data = if cfg!(windows) {
        PathBuf::from(env("APPDATA")?)
    } else if let Some(data) = env("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
    {
        data
    } else if cfg!(target_os = "macos") {
        PathBuf::from(env("HOME")?).join("Library/Application Support")
    } else {
        PathBuf::from(env("HOME")?).join(".local/share")
    };
    Some(data.join("finops").join("ledger.db"))
}

/// Puts the home folder in place of a leading `~`.
fn home(path: &str) -> PathBuf {
    let rest = path.strip_prefix("~/");
    match (rest, std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_files_or_memory() {
        let base = Path::new("conf");
        assert_eq!(StoreUrl::parse("memory:", base).unwrap(), StoreUrl::Memory);
        assert_eq!(StoreUrl::parse("dynamodb:", base).unwrap(), StoreUrl::Dynamodb);
        assert_eq!(
            StoreUrl::parse("sqlite:a.db", base).unwrap(),
            StoreUrl::Sqlite(PathBuf::from("conf/a.db"))
        );
        for wrong in ["", "a.db", "sqlite:", "postgres://x", "memory:x", "dynamodb:table"] {
            assert!(StoreUrl::parse(wrong, base).is_err(), "{wrong}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_default_is_in_the_data_folder() {
        let env = |name: &str| (name == "HOME").then(|| OsString::from("/home/a"));
        assert_eq!(
            default_ledger(&env),
            Some(PathBuf::from("/home/a/.local/share/finops/ledger.db"))
        );
        assert_eq!(default_ledger(&|_| None), None);
    }
}
