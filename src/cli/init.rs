//! `finops init`.

use std::path::{Path, PathBuf};

use super::{CliError, Context, Exit};
use crate::engine::evaluate::quoted;

/// The arguments of `finops init`.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// The folder to write to
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
}

const SETTINGS: &str = include_str!("init/finops.toml");
const BUDGET: &str = include_str!("init/budget.toml");
const BUDGET_TEST: &str = include_str!("init/budget.test.toml");

/// Writes the files; overwrites nothing.
pub fn run(ctx: &mut Context<'_>, args: &InitArgs) -> Result<Exit, CliError> {
    let files = [
        ("finops.toml", SETTINGS),
        ("policies/budgets/example.toml", BUDGET),
        ("policies/budgets/example.test.toml", BUDGET_TEST),
    ];
    for (name, _) in files {
        let path = args.dir.join(name);
        if path.exists() {
            return Err(CliError::usage(format!("`{}` exists already", path.display()))
                .hint("nothing was written; move it away, or name another folder: `finops init DIR`"));
        }
    }
    for (name, text) in files {
        let path = args.dir.join(name);
        write(&path, text).map_err(|cause| {
            CliError::incomplete(format!("cannot write `{}`: {cause}", path.display()))
                .hint("check the folder and its permissions")
        })?;
        writeln!(ctx.out, "wrote {}", path.display())?;
    }
    if ctx.verbosity > 0 {
        let _ = writeln!(
            ctx.err,
            "next: {}read finops.toml, then `finops config check`, `finops policy test` and `finops run`",
            match args.dir == Path::new(".") {
                true => String::new(),
                false => format!("`cd {}`, ", quoted(&args.dir.display().to_string())),
            }
        );
    }
    Ok(Exit::Fine)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::File::create_new(path).and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, check};

    fn lifted(text: &str) -> String {
        let lines = text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line));
        lines.map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn the_example_budget_is_valid_also_with_every_comment_lifted() {
        for (text, count) in [(super::BUDGET.to_owned(), 1), (lifted(super::BUDGET), 2)] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join("budgets")).unwrap();
            std::fs::write(dir.path().join("budgets/a.toml"), text).unwrap();
            assert_eq!(
                crate::adapters::policies::load_budgets(dir.path()).unwrap().len(),
                count
            );
        }
    }

    #[test]
    fn the_example_is_valid_also_with_every_comment_lifted() {
        let config: Config = toml::from_str(super::SETTINGS).unwrap();
        assert!(check(&config).is_empty());
        let config: Config = toml::from_str(&lifted(super::SETTINGS)).unwrap();
        assert!(check(&config).is_empty());
        assert!(!config.channels.is_empty() && !config.price_books.is_empty());
    }
}
