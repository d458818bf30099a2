//! The book that comes with the program: dated, one file per provider, of which an entry is read when a call to its model is first priced.

use super::format;
use crate::domain::price::{Book, Piece, Pieces, Reader};

/// Provider and file.
const FILES: [(&str, &str); 22] = [
    ("anthropic", include_str!("../../../policies/prices/anthropic.toml")),
    ("azure", include_str!("../../../policies/prices/azure.toml")),
    ("bedrock", include_str!("../../../policies/prices/bedrock.toml")),
    ("cerebras", include_str!("../../../policies/prices/cerebras.toml")),
    ("cohere", include_str!("../../../policies/prices/cohere.toml")),
    ("dashscope", include_str!("../../../policies/prices/dashscope.toml")),
    ("deepseek", include_str!("../../../policies/prices/deepseek.toml")),
    ("fireworks", include_str!("../../../policies/prices/fireworks.toml")),
    (
        "github-copilot",
        include_str!("../../../policies/prices/github-copilot.toml"),
    ),
    ("google", include_str!("../../../policies/prices/google.toml")),
    ("groq", include_str!("../../../policies/prices/groq.toml")),
    ("minimax", include_str!("../../../policies/prices/minimax.toml")),
    ("mistral", include_str!("../../../policies/prices/mistral.toml")),
    ("moonshot", include_str!("../../../policies/prices/moonshot.toml")),
    ("openai", include_str!("../../../policies/prices/openai.toml")),
    ("openrouter", include_str!("../../../policies/prices/openrouter.toml")),
    ("perplexity", include_str!("../../../policies/prices/perplexity.toml")),
    ("together", include_str!("../../../policies/prices/together.toml")),
    ("vertex", include_str!("../../../policies/prices/vertex.toml")),
    ("voyage", include_str!("../../../policies/prices/voyage.toml")),
    ("xai", include_str!("../../../policies/prices/xai.toml")),
    ("zai", include_str!("../../../policies/prices/zai.toml")),
];

/// The built-in book.
#[must_use]
pub fn built_in() -> Book {
    let version = FILES.iter().filter_map(|(_, text)| version(text)).max();
    let mut book = Book::new("built-in", version.unwrap_or(""));
    for (provider, text) in FILES {
        let reader = Reader { all: read, cut, one };
        book.add_text(provider, text, reader);
    }
    book
}

/// The version of a file without its entries.
fn version(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(line.trim_matches('"'))
}

/// The files are part of the program and read by a test: an error is not possible here, and would leave calls without a price.
fn read(text: &str) -> Book {
    let mut book = Book::default();
    match format::read_into(text, "", &mut book) {
        Ok(()) => book,
        Err(_) => Book::default(),
    }
}

const ENTRY: &str = "\n[[entry]]\n";

/// Names stand on lines of their own, before the first price of their entry.
fn cut(text: &'static str) -> Pieces {
    let mut pieces = text.split(ENTRY);
    let head = pieces.next().unwrap_or_default();
    let piece = |text: &'static str| {
        let of_entry = text.lines().take_while(|line| !line.starts_with('['));
        let named = of_entry.filter(|line| line.starts_with("model = ") || line.starts_with("aliases = "));
        Piece {
            names: named.flat_map(|line| line.split('"').skip(1).step_by(2)).collect(),
            text,
        }
    };
    Pieces {
        head,
        pieces: pieces.map(piece).collect(),
    }
}

fn one(head: &str, piece: &str) -> Book {
    read(&[head, ENTRY, piece].concat())
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
            let pieces = cut(text);
            assert_eq!(pieces.pieces.len(), book.entries().len());
            for piece in pieces.pieces {
                let alone = one(pieces.head, piece.text);
                let (of, alone) = alone.entries()[0];
                assert_eq!(of, provider);
                let names = std::iter::once(&alone.id).chain(&alone.aliases);
                assert!(names.eq(&piece.names), "{piece:?}");
                let all = book.entries();
                let (_, whole) = all.iter().find(|(_, e)| e.id == alone.id).unwrap();
                assert_eq!(format!("{whole:?}"), format!("{alone:?}"));
            }
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
