//! What the documents promise of each other: links lead to headings that are there, and the index of formats lacks no kind.

use std::collections::BTreeSet;
use std::path::Path;

use finops::config::SourceKind;

use super::{assert_none, documents, files_below, read, root};

/// The anchors of a document's headings, as forges make them: of headings alike the later ones are numbered.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut is_fenced = false;
    for line in text.lines() {
        is_fenced ^= line.starts_with("```");
        let Some(heading) = line.strip_prefix('#').filter(|_| !is_fenced) else {
            continue;
        };
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let mut number = 0;
        let mut numbered = anchor.clone();
        while !anchors.insert(numbered) {
            number += 1;
            numbered = format!("{anchor}-{number}");
        }
    }
    anchors
}

#[test]
fn headings_get_the_anchors_that_forges_give_them() {
    let text = "# What `a -p` prints\n```sh\n# no heading\n```\n## Claude's, and more\n## Tokens\n## Tokens\n";
    let expected = ["claudes-and-more", "tokens", "tokens-1", "what-a--p-prints"];
    assert_eq!(anchors(text), expected.map(str::to_owned).into());
}

#[test]
fn the_anchors_of_the_documents_are_headings() {
    let mut findings = Vec::new();
    let mut seen = 0;
    for document in documents() {
        let text = read(&root().join(&document));
        let folder = Path::new(&document).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let Some((file, anchor)) = link.split_once('#').filter(|_| !link.contains("://")) else {
                continue;
            };
            let target = match file {
                "" => root().join(&document),
                file => root().join(folder).join(file),
            };
            if target.extension().is_some_and(|ending| ending == "md") {
                seen += 1;
                if !target.exists() || !anchors(&read(&target)).contains(anchor) {
                    findings.push(format!("{document}: `{link}` leads to no heading"));
                }
            }
        }
    }
    assert_none(&findings);
    assert!(seen > 50, "only {seen} anchors found");
}

#[test]
fn every_kind_of_source_has_a_row_in_the_index_of_formats_and_in_the_readme() {
    let mut findings = Vec::new();
    for document in ["docs/formats.md", "README.md"] {
        let text = read(&root().join(document));
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
        for kind in SourceKind::ALL {
            let name = serde_json::to_value(kind).unwrap();
            let name = format!("`{}`", name.as_str().unwrap());
            let has = |row: &&str| row.split('|').nth(1).is_some_and(|cell| cell.contains(&name));
            if !rows.iter().any(has) {
                findings.push(format!("{document} has no row for {name}"));
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn every_kind_of_records_without_spend_has_a_row() {
    let index = read(&root().join("docs/formats.md"));
    let rows: Vec<&str> = index.lines().filter(|line| line.starts_with("| `")).collect();
    let mut kinds = BTreeSet::new();
    for file in files_below("src/adapters") {
        let text = read(&root().join(&file));
        for before in [r#"excluded.push(""#, r#"excluded_once.push((""#, r#"What::Without(""#] {
            let named = text.split(before).skip(1).filter_map(|rest| rest.split('"').next());
            kinds.extend(named.map(str::to_owned));
        }
    }
    assert!(kinds.len() >= 12, "only {kinds:?}");
    let told = |kind: &str| {
        rows.iter()
            .any(|row| row.split('|').nth(1).is_some_and(|cell| cell.contains(kind)))
    };
    let lacking: Vec<String> = kinds.into_iter().filter(|kind| !told(&format!("`{kind}`"))).collect();
    assert_none(&lacking);
}

#[test]
fn the_settings_and_the_price_book_of_the_pages_on_prices_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let (mut settings, mut books) = (0, 0);
    for document in documents().iter().filter(|file| file.contains("docs/pricing/")) {
        let text = read(&root().join(document));
        let blocks = text.split("```toml\n").skip(1);
        for block in blocks.filter_map(|rest| rest.split("```").next()) {
            if block.contains("[[entry]]") {
                let path = folder.path().join(format!("prices/{books}.toml"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, block).unwrap();
                books += 1;
                continue;
            }
            let config = toml::from_str::<finops::config::Config>(block);
            assert!(config.is_ok(), "{document}: {}", config.unwrap_err());
            settings += 1;
        }
    }
    let loaded = finops::adapters::prices::load(Some(folder.path()), &[]);
    assert!(loaded.is_ok(), "{}", loaded.err().unwrap());
    assert_eq!((settings, books), (3, 1));
}
