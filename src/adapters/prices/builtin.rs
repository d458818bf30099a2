//! The book that comes with the program: dated, one file per provider.

use super::{PriceBookError, format};
use crate::domain::price::Book;

const FILES: &[(&str, &str)] = &[
    (
        "anthropic.toml",
        include_str!("../../../policies/prices/anthropic.toml"),
    ),
    ("azure.toml", include_str!("../../../policies/prices/azure.toml")),
    ("bedrock.toml", include_str!("../../../policies/prices/bedrock.toml")),
    ("deepseek.toml", include_str!("../../../policies/prices/deepseek.toml")),
    ("google.toml", include_str!("../../../policies/prices/google.toml")),
    ("groq.toml", include_str!("../../../policies/prices/groq.toml")),
    ("mistral.toml", include_str!("../../../policies/prices/mistral.toml")),
    ("openai.toml", include_str!("../../../policies/prices/openai.toml")),
    (
        "openrouter.toml",
        include_str!("../../../policies/prices/openrouter.toml"),
    ),
    (
        "perplexity.toml",
        include_str!("../../../policies/prices/perplexity.toml"),
    ),
    ("vertex.toml", include_str!("../../../policies/prices/vertex.toml")),
    ("xai.toml", include_str!("../../../policies/prices/xai.toml")),
];

/// The built-in book.
pub fn built_in() -> Result<Book, PriceBookError> {
    let mut book = Book::new("built-in", "");
    FILES
        .iter()
        .try_for_each(|(name, text)| format::read_into(text, name, &mut book))?;
    Ok(book)
}
