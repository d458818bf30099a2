//! The house rules that no compiler checks: layers, purposes, sizes, words, paths, and that the README tells the truth.

mod documents;
mod layers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a file at most.
const LONGEST: usize = 400;

/// Files that may be longer: how long at most, and why. A number here only ever goes down.
const LONGER: [(&str, usize, &str); 0] = [];

/// Words that the glossary of ARCHITECTURE.md replaces. Written in pieces, so that this file is no finding itself.
const BANNED: [&str; 4] = [
    concat!("cost ", "object"),
    concat!("reme", "diate"),
    concat!("k", "pi"),
    concat!("trig", "ger"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every file below `folder`, relative to the root of the crate, with `/`, sorted.
fn files_below(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(root()).unwrap();
                files.push(relative.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    files.sort();
    files
}

fn sources() -> Vec<String> {
    let mut files = files_below("src");
    files.retain(|file| file.ends_with(".rs"));
    assert!(files.len() > 20, "the sources were not found: {files:?}");
    files
}

fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn no_module_uses_what_stands_below_it() {
    let mut findings = Vec::new();
    for file in sources() {
        let inside = file.trim_start_matches("src/");
        for name in layers::violations(inside, &read(&root().join(&file))) {
            findings.push(format!("{file} uses `{name}`, which its layer must not know"));
        }
    }
    assert_none(&findings);
}

#[test]
fn a_planted_upward_import_is_caught_however_it_is_spelled() {
    let planted = [
        ("domain/usage.rs", "use crate::engine::collect::run;", "engine"),
        (
            "domain/usage.rs",
            "use crate::{domain::money::Money, ports::{Ledger, Sink}};",
            "ports",
        ),
        ("domain/usage.rs", "use super::super::adapters::clock;", "adapters"),
        ("domain/usage.rs", "use super::{money::Money, super::cli};", "cli"),
        ("domain/mod.rs", "pub use super::config::Config;", "config"),
        (
            "domain/price/mod.rs",
            "fn f() { super::super::engine::run() }",
            "engine",
        ),
        ("domain/usage.rs", "use crate::*;", "*"),
        ("domain/usage.rs", "use crate as root; use root::engine;", "crate as"),
        ("domain/usage.rs", "use crate::{self as root};", "crate as"),
        (
            "engine/cycle.rs",
            "fn f(x: &crate::adapters::memory::MemoryLedger) {}",
            "adapters",
        ),
        ("engine/cycle.rs", "use ::finops::cli::Context;", "cli"),
        ("ports.rs", "use crate ::\n    engine ;", "engine"),
        ("adapters/slack.rs", "use crate::r#engine::notify;", "engine"),
        (
            "adapters/sqlite/mod.rs",
            "/* why */ use crate::{/* no */ config::Config};",
            "config",
        ),
        (
            "adapters/a.rs",
            "macro_rules! m { () => { $crate::cli::run() } }",
            "cli",
        ),
        (
            "adapters/a.rs",
            "#[cfg(test)] use crate::{cli}; use crate::engine;",
            "engine",
        ),
        (
            "adapters/a.rs",
            "const Q: char = '\"'; use crate::engine; const R: char = '\"';",
            "engine",
        ),
        ("config/mod.rs", "use crate::adapters::files;", "adapters"),
    ];
    for (file, source, name) in planted {
        assert_eq!(layers::violations(file, source), [name], "{file}: {source}");
    }
}

#[test]
fn what_the_layers_allow_is_no_finding() {
    let allowed = [
        (
            "domain/usage.rs",
            "use crate::domain::money::Money; use super::label::Label;",
        ),
        (
            "domain/usage.rs",
            "// use crate::engine;\nconst A: &str = \"crate::engine\"; const B: &str = r#\"\"crate::cli\"\"#;",
        ),
        (
            "domain/usage.rs",
            "#[cfg(test)]\nmod tests { use crate::ports::Ledger; fn f() {} }",
        ),
        (
            "domain/usage.rs",
            "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests;\npub(crate) fn f<'a>(x: &'a str) {}",
        ),
        ("domain/usage.rs", "mod inner { pub fn f() { super::g() } }"),
        (
            "engine/cycle.rs",
            "use crate::{domain::{money, period}, ports::Ledger}; use super::collect;",
        ),
        (
            "adapters/files/plain.rs",
            "use super::lines; use crate::ports::Sink; use super::super::clock;",
        ),
        ("cli/wire.rs", "use crate::{adapters, config, engine};"),
        ("lib.rs", "pub mod engine;"),
    ];
    for (file, source) in allowed {
        assert_eq!(layers::violations(file, source), [""; 0], "{file}: {source}");
    }
}

#[test]
fn every_source_file_begins_with_its_purpose() {
    let findings: Vec<String> = sources()
        .into_iter()
        .filter(|file| {
            let text = read(&root().join(file));
            let paragraph: String = text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
            !paragraph.contains(['.', ':', '?'])
        })
        .map(|file| format!("{file} does not begin with a `//! ` sentence"))
        .collect();
    assert_none(&findings);
}

#[test]
fn no_file_is_long() {
    let mut findings = Vec::new();
    for file in sources() {
        let lines = read(&root().join(&file)).lines().count();
        let limit = LONGER
            .iter()
            .find(|(long, ..)| *long == file)
            .map_or(LONGEST, |(_, limit, _)| *limit);
        if lines > limit {
            findings.push(format!(
                "{file} has {lines} lines, more than {limit}: split it by meaning"
            ));
        }
    }
    assert_none(&findings);
}

/// Lines of the fenced blocks of a Markdown file.
fn fenced(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn the_commands_of_the_documents_exist() {
    let mut findings = Vec::new();
    let mut seen = 0;
    for document in ["README.md", "CONTRIBUTING.md", ".ci/run"] {
        let text = read(&root().join(document));
        let lines = if document == ".ci/run" {
            text.lines().collect()
        } else {
            fenced(&text)
        };
        for word in lines.iter().flat_map(|line| line.split_whitespace().next()) {
            let Some(file) = word.strip_prefix("./") else { continue };
            seen += 1;
            if !is_executable(&root().join(file)) {
                findings.push(format!("{document}: `{word}` is no file that can be run"));
            }
        }
    }
    assert_none(&findings);
    assert!(seen >= 4, "only {seen} commands found");
}

/// A line of a shell, cut into words as a shell does: quotes hold together, and what stands behind ` #` is a comment.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or(line);
    let parts = line.split('\'').enumerate();
    let mut words = vec![String::new()];
    for (number, part) in parts {
        if number % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
            continue;
        }
        let mut pieces = part.split(' ');
        words.last_mut().unwrap().push_str(pieces.next().unwrap_or_default());
        words.extend(pieces.map(str::to_owned));
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn the_command_lines_of_the_documents_are_understood() {
    let mut findings = Vec::new();
    let mut seen = 0;
    for document in documents() {
        let text = read(&root().join(&document));
        for line in fenced(&text) {
            let line = line.trim_start_matches("$ ");
            if !line.starts_with("finops ") || line.contains(['…', '|', '<', '>']) {
                continue;
            }
            seen += 1;
            if let Err(error) = finops::cli::args::Cli::tree().try_get_matches_from(words(line)) {
                findings.push(format!("{document}: `{line}`: {error}"));
            }
        }
    }
    assert_none(&findings);
    assert!(seen >= 40, "only {seen} command lines found");
}

#[test]
fn the_settings_of_the_readme_are_valid() {
    let text = read(&root().join("README.md"));
    let block = text
        .split("```toml\n")
        .find(|block| block.starts_with("# finops.toml"))
        .unwrap();
    let block = block.split("```").next().unwrap();
    let config: finops::config::Config = toml::from_str(block).unwrap();
    assert_eq!((config.sources.len(), config.channels.len()), (1, 1));
}

#[test]
fn the_settings_for_aws_that_people_copy_last_a_month() {
    let text = read(&root().join("docs/aws.md"));
    let block = |first: &str| {
        let mut blocks = text
            .split("```toml\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap());
        blocks.find(|block| block.starts_with(first)).unwrap()
    };
    let settings = format!("{}{}", block("[[cost_explorer]]"), block("[aws]\npaid"));
    let config: finops::config::Config = toml::from_str(&settings).unwrap();
    assert_eq!(
        config.aws.paid_requests_per_month,
        finops::config::Config::default().aws.paid_requests_per_month
    );
    // Two questions for the bill, one each for anomalies and forecast, three times a day.
    assert_eq!(config.paid_requests_a_month(), 4 * 3 * 31);
    assert!(config.paid_requests_a_month() < config.aws.paid_requests_per_month);
}

#[test]
fn the_budgets_that_people_copy_are_valid() {
    let readme = read(&root().join("README.md"));
    let block = readme
        .split("```toml\n")
        .find(|block| block.starts_with("# policies/budgets/"))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("budgets")).unwrap();
    fs::write(
        folder.path().join("budgets/readme.toml"),
        block.split("```").next().unwrap(),
    )
    .unwrap();
    fs::copy(
        root().join("src/cli/init/budget.toml"),
        folder.path().join("budgets/init.toml"),
    )
    .unwrap();
    let copied = finops::adapters::policies::load_budgets(folder.path()).unwrap();
    assert!(
        copied.iter().any(|budget| budget.name == "search") && copied.len() >= 2,
        "{copied:?}"
    );
    let tour = finops::adapters::policies::load_budgets(&root().join("examples/tour/policies")).unwrap();
    assert_eq!(tour.len(), 4);
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[test]
fn the_links_of_the_documents_lead_somewhere() {
    let mut findings = Vec::new();
    for document in documents() {
        let text = read(&root().join(&document));
        let folder = root().join(&document).parent().unwrap().to_owned();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
        {
            if !link.is_empty() && !link.contains("://") && !folder.join(link).exists() {
                findings.push(format!("{document}: `{link}` does not exist"));
            }
        }
    }
    assert_none(&findings);
}

fn documents() -> Vec<String> {
    let mut files: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .chain(files_below("docs"))
        .collect();
    files.retain(|file| file.ends_with(".md"));
    files
}

#[test]
fn the_words_of_the_glossary_are_used() {
    let mut findings = Vec::new();
    for file in sources().into_iter().chain(documents()) {
        for (number, line) in read(&root().join(&file)).lines().enumerate() {
            let lower = line.to_lowercase();
            for word in BANNED {
                // Only whole words and their inflections count, not the inside of another word.
                let is_word = lower.match_indices(word).any(|(at, _)| {
                    let before = lower.get(..at).and_then(|text| text.chars().next_back());
                    let after = lower.get(at + word.len()..).and_then(|text| text.chars().next());
                    !before.is_some_and(char::is_alphanumeric)
                        && (word.len() > 3 || !after.is_some_and(|c| c.is_alphanumeric() && c != 's'))
                });
                if is_word {
                    findings.push(format!("{file}:{}: `{word}` is not a word of ours", number + 1));
                }
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn no_tracked_file_names_a_path_of_one_machine() {
    let Ok(listed) = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
    else {
        println!("skipped: git is not installed");
        return;
    };
    if !listed.status.success() {
        println!("skipped: not a git clone");
        return;
    }
    let paths = [concat!("/", "root/"), concat!("/", "Users/"), concat!("/", "work/")];
    let mut findings = Vec::new();
    for file in String::from_utf8_lossy(&listed.stdout)
        .split('\0')
        .filter(|file| !file.is_empty())
    {
        let Ok(bytes) = fs::read(root().join(file)) else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        for path in paths.into_iter().filter(|path| starts_a_path(&text, path)) {
            findings.push(format!("{file} names a path below `{path}`"));
        }
    }
    assert_none(&findings);
}

/// Whether `path` occurs as the start of an absolute path, not in the middle of a relative one or of an address.
fn starts_a_path(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~*}/".contains(c))
    })
}

#[test]
fn every_dependency_has_a_line_in_its_table() {
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
    let told = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let crates = manifest["dependencies"].as_table().unwrap().keys();
    let lacking: Vec<String> = crates
        .filter(|name| !told.contains(&format!("`{name}`")))
        .cloned()
        .collect();
    assert_none(&lacking);
}

/// Whoever writes an AWS permission looks there for what its kind of resource becomes.
#[test]
fn every_kind_of_resource_of_the_permissions_is_described() {
    let granted = fs::read_to_string(root().join("policies/permissions.json")).unwrap();
    let told = fs::read_to_string(root().join("policies/README.md")).unwrap();
    let granted: serde_json::Value = serde_json::from_str(&granted).unwrap();
    let kinds = granted
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["resources"].as_str().unwrap().to_owned());
    let lacking: Vec<String> = kinds.filter(|kind| !told.contains(&format!("`{kind}`"))).collect();
    assert_none(&lacking);
}
