//! The entries of a book by provider; those of a provider that no call asks for need not be read.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::book::{Book, Entry};

/// The entries of one provider.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    pub(super) entries: Vec<Entry>,
    index: FxHashMap<String, usize>,
}

impl Shelf {
    /// Adds an entry. A name that is taken keeps its first entry; false if that made this one unreachable.
    fn add(&mut self, entry: Entry) -> bool {
        let at = self.entries.len();
        let mut reachable = entry.clause.is_some();
        for name in std::iter::once(&entry.id).chain(&entry.aliases) {
            self.index.entry(name.to_lowercase()).or_insert_with(|| {
                reachable = true;
                at
            });
        }
        self.entries.push(entry);
        reachable
    }

    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        match self.index.get(name) {
            Some(at) => self.entries.get(*at),
            None => self
                .entries
                .iter()
                .find(|e| e.clause.as_ref().is_some_and(|c| c.matches(name))),
        }
    }
}

/// The shelves of a book.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelves {
    read: FxHashMap<String, Shelf>,
    unread: Vec<Unread>,
}

/// A text with the entries of one provider, read when they are first asked for.
#[derive(Clone, Debug)]
struct Unread {
    provider: &'static str,
    text: &'static str,
    read: fn(&'static str) -> Book,
    book: OnceLock<Box<Book>>,
}

impl Unread {
    fn shelf(&self) -> Option<&Shelf> {
        let book = self.book.get_or_init(|| Box::new((self.read)(self.text)));
        book.shelves.read.get(self.provider)
    }
}

impl Shelves {
    /// Adds an entry under a provider; whether it can be found there.
    pub(super) fn add(&mut self, provider: &str, entry: Entry) -> bool {
        self.read.entry(provider.to_owned()).or_default().add(entry)
    }

    /// Adds a text that is read when its provider is asked for. No provider has two, nor entries beside it.
    pub(super) fn add_text(&mut self, provider: &'static str, text: &'static str, read: fn(&'static str) -> Book) {
        self.unread.push(Unread {
            provider,
            text,
            read,
            book: OnceLock::new(),
        });
    }

    /// The entries of a provider.
    pub(super) fn get(&self, provider: &str) -> Option<&Shelf> {
        self.read.get(provider).or_else(|| {
            let unread = self.unread.iter().find(|u| u.provider == provider)?;
            unread.shelf()
        })
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Shelf)> {
        let read = self.read.iter().map(|(provider, shelf)| (provider.as_str(), shelf));
        let unread = self.unread.iter().filter_map(|u| Some((u.provider, u.shelf()?)));
        read.chain(unread)
    }

    /// All entries, to be changed.
    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        for unread in std::mem::take(&mut self.unread) {
            if let Some(shelf) = unread.shelf() {
                self.read.insert(unread.provider.to_owned(), shelf.clone());
            }
        }
        self.read.values_mut().flat_map(|shelf| &mut shelf.entries)
    }
}
