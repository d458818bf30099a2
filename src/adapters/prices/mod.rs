//! Price books from files, the built-in book, and the pricer that the ledger uses.

mod builtin;
mod folder;
mod format;
mod genai;
mod json;
mod litellm;
mod units;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::domain::charge::Charge;
use crate::domain::price::{Book, Books, Entry, NameMap};
use crate::domain::usage::{Bucket, EventId, UsageEvent};
use crate::ports::Pricer;

pub use builtin::built_in;

/// The formats of price books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookKind {
    /// The TOML format of this program.
    Finops,
    /// LiteLLM's `model_prices_and_context_window.json`.
    Litellm,
    /// genai-prices' `data.json`, version 2.
    GenaiPrices,
}

/// A further book to load.
#[derive(Clone, Debug)]
pub struct BookSpec {
    /// The name in receipts.
    pub name: String,
    /// Its format.
    pub kind: BookKind,
    /// The file; for [`BookKind::Finops`] also a folder.
    pub path: PathBuf,
}

/// A price book is not usable.
#[derive(Debug, Error)]
pub enum PriceBookError {
    /// The file cannot be read.
    #[error("cannot read price book `{path}`: {cause}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// The file is not in its format.
    #[error("price book `{path}` is not usable: {cause}")]
    Format {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
}

/// Prices calls from books.
#[derive(Debug)]
pub struct BookPricer {
    books: Books,
    warnings: Vec<String>,
}

impl BookPricer {
    /// The books themselves: for receipts and lists.
    #[must_use]
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// The books alone.
    #[must_use]
    pub fn into_books(self) -> Books {
        self.books
    }

    /// What was skipped while loading, each with its count.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl From<Books> for BookPricer {
    fn from(books: Books) -> Self {
        BookPricer {
            books,
            warnings: Vec::new(),
        }
    }
}

impl Pricer for BookPricer {
    fn price(&self, event: &UsageEvent) -> Charge {
        self.books.charge(event)
    }

    fn price_all(&self, events: &[&UsageEvent], charges: &mut Vec<Charge>) {
        self.books.charge_all(events, charges);
    }
}

/// Loads the books in order of trust: the policies' `prices/*.toml`, the built-in book, then further ones as given.
pub fn load(policies_dir: Option<&Path>, books: &[BookSpec]) -> Result<BookPricer, PriceBookError> {
    load_with(policies_dir, Vec::new(), books)
}

/// The same with maps of the owner's, which come before all others.
pub fn load_with(
    policies_dir: Option<&Path>,
    maps: Vec<NameMap>,
    books: &[BookSpec],
) -> Result<BookPricer, PriceBookError> {
    let mut all = Vec::new();
    let mut warnings = Vec::new();
    let mut own = Book::new("policies", "");
    own.overlay = true;
    // Prices that may not be looked at are not none.
    let there = |p: &PathBuf| p.is_dir() || p.try_exists().is_err();
    let folder = policies_dir.map(|p| p.join("prices")).filter(there);
    let wanted = folder.is_some() || !maps.is_empty();
    maps.into_iter().for_each(|map| own.map(map));
    if let Some(folder) = folder {
        folder::read_folder(&folder, &mut own)?;
    }
    if wanted {
        all.push(own);
    }
    all.push(built_in());
    for spec in books {
        all.push(read(spec, &mut warnings)?);
    }
    Ok(BookPricer {
        books: Books::new(all),
        warnings,
    })
}

/// Loads one book alone.
pub fn read(spec: &BookSpec, warnings: &mut Vec<String>) -> Result<Book, PriceBookError> {
    let shown = spec.path.display().to_string();
    if spec.kind == BookKind::Finops {
        let mut book = Book::new(&spec.name, "");
        if spec.path.is_dir() {
            folder::read_folder(&spec.path, &mut book)?;
        } else {
            format::read_into(&text_of(&spec.path)?, &shown, &mut book)?;
        }
        return Ok(book);
    }
    let text = text_of(&spec.path)?;
    let parsed = if spec.kind == BookKind::Litellm {
        litellm::parse(&spec.name, &text)
    } else {
        genai::parse(&spec.name, &text)
    };
    let (book, skipped) = parsed.map_err(|cause| PriceBookError::Format {
        path: shown.clone(),
        cause,
    })?;
    for (what, count) in skipped {
        warnings.push(format!("price book `{shown}`: {count} {what}"));
    }
    Ok(book)
}

/// What tells one content of a book from another.
pub fn content(spec: &BookSpec) -> Result<String, PriceBookError> {
    let files = match spec.path.is_dir() {
        true => folder::files(&spec.path)?,
        false => vec![spec.path.clone()],
    };
    let texts: Vec<String> = files.iter().map(|path| text_of(path)).collect::<Result<_, _>>()?;
    let parts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    Ok(EventId::of(&parts).to_string())
}

/// Books have one rate for what is written to a cache. OpenAI keeps that for half an hour, and so does Kimi on Bedrock, wherever the
/// model is sold, so that their rate is of such writes as well.
fn keep_half_an_hour(provider: &str, entry: &mut Entry) {
    let id = entry.id.to_lowercase();
    let name = id.rsplit('/').next().unwrap_or_default();
    let by_maker = name.split('.').any(|part| matches!(part, "openai" | "moonshotai"));
    if !(by_maker || provider == "openai" || name.starts_with("gpt-") || id.contains("openai/")) {
        return;
    }
    for price in &mut entry.prices {
        let tiers = price.tiers.values_mut();
        let of_tiers =
            tiers.flat_map(|t| std::iter::once(&mut t.rates).chain(t.above.iter_mut().map(|a| &mut a.rates)));
        let of_sizes = price.above.iter_mut().map(|a| &mut a.rates);
        for rates in std::iter::once(&mut price.rates).chain(of_sizes).chain(of_tiers) {
            if let (Some(rate), None) = (rates.get(Bucket::CacheWrite5m), rates.get(Bucket::CacheWrite30m)) {
                rates.set(Bucket::CacheWrite30m, rate);
            }
        }
    }
}

fn text_of(path: &Path) -> Result<String, PriceBookError> {
    std::fs::read_to_string(path).map_err(|e| PriceBookError::Read {
        path: path.display().to_string(),
        cause: e.to_string(),
    })
}
