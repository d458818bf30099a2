//! The price books of a folder.

use std::path::{Path, PathBuf};

use super::format::{add, is_other_spelling, parse};
use super::{PriceBookError, text_of};
use crate::adapters::owners::is_owners;
use crate::domain::price::Book;

/// The `*.toml` of a folder, by name, without the hidden files of editors and systems.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, PriceBookError> {
    let failed = |e: std::io::Error| PriceBookError::Read {
        path: folder.display().to_string(),
        cause: e.to_string(),
    };
    let mut files = Vec::new();
    for item in std::fs::read_dir(folder).map_err(failed)? {
        let path = item.map_err(failed)?.path();
        if is_owners(&path) && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Adds all of them, first those that spell their providers as price books do: where another spelling has the same model, theirs holds.
pub(super) fn read_folder(folder: &Path, book: &mut Book) -> Result<(), PriceBookError> {
    let mut read = Vec::new();
    for path in files(folder)? {
        let shown = path.display().to_string();
        read.push((parse(&text_of(&path)?, &shown)?, shown));
    }
    read.sort_by_key(|(file, _)| file.providers.iter().any(|name| is_other_spelling(name)));
    read.into_iter().try_for_each(|(file, path)| add(file, &path, book))
}
