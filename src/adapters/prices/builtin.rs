//! The book that comes with the program: dated, one file per provider, each read when a call of that provider is first priced.

use super::format;
use crate::domain::price::Book;

/// Provider and file.
const FILES: [(&str, &str); 16] = [
    ("anthropic", include_str!("../../../policies/prices/anthropic.toml")),
    ("azure", include_str!("../../../policies/prices/azure.toml")),
    ("bedrock", include_str!("../../../policies/prices/bedrock.toml")),
    ("cerebras", include_str!("../../../policies/prices/cerebras.toml")),
    ("cohere", include_str!("../../../policies/prices/cohere.toml")),
    ("deepseek", include_str!("../../../policies/prices/deepseek.toml")),
    ("google", include_str!("../../../policies/prices/google.toml")),
    ("groq", include_str!("../../../policies/prices/groq.toml")),
    ("mistral", include_str!("../../../policies/prices/mistral.toml")),
    ("moonshot", include_str!("../../../policies/prices/moonshot.toml")),
    ("openai", include_str!("../../../policies/prices/openai.toml")),
    ("openrouter", include_str!("../../../policies/prices/openrouter.toml")),
    ("perplexity", include_str!("../../../policies/prices/perplexity.toml")),
    ("vertex", include_str!("../../../policies/prices/vertex.toml")),
    ("voyage", include_str!("../../../policies/prices/voyage.toml")),
    ("xai", include_str!("../../../policies/prices/xai.toml")),
];

/// The built-in book.
#[must_use]
pub fn built_in() -> Book {
    let version = FILES.iter().filter_map(|(_, text)| version(text)).max();
    let mut book = Book::new("built-in", version.unwrap_or(""));
    for (provider, text) in FILES {
        book.add_text(provider, text, read);
    }
    book
}

/// The version of a file without its entries.
fn version(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(line.trim_matches('"'))
}

/// The files are part of the program and read by a test: an error is not possible here, and would leave calls without a price.
fn read(text: &'static str) -> Book {
    let mut book = Book::default();
    match format::read_into(text, "", &mut book) {
        Ok(()) => book,
        Err(_) => Book::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_that_of_its_provider_and_what_is_told_of_it_unread_is_true() {
        for (provider, text) in FILES {
            let mut book = Book::default();
            format::read_into(text, provider, &mut book).unwrap();
            assert!(book.entries().iter().all(|(of, _)| *of == provider));
            assert!(!book.entries().is_empty());
            assert_eq!(version(text), Some(book.version.as_str()));
        }
        let count = FILES
            .iter()
            .map(|(_, text)| text.matches("[[entry]]").count())
            .sum::<usize>();
        assert_eq!(built_in().entries().len(), count);
        assert_eq!(
            built_in().known_on("2026-11-24".parse().unwrap()).entries().len(),
            count
        );
    }
}
