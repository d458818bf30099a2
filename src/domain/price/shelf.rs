//! The entries of a book by provider; those that no call asks for need not be read.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::book::{Book, Entry};
use super::name::Candidate;
use super::seller::{bare, is_apart};

/// The entries of one provider.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    pub(super) entries: Vec<Entry>,
    ids: FxHashMap<String, usize>,
    aliases: FxHashMap<String, usize>,
    /// The names without the provider that they have before them: records tell it beside the model.
    behind: FxHashMap<String, usize>,
}

impl Shelf {
    /// Adds an entry. A name that is taken keeps its first entry, but an entry's own id is never another one's alias; false if that made
    /// this one unreachable.
    fn add(&mut self, provider: &str, entry: Entry) -> bool {
        let at = self.entries.len();
        let mut reachable = entry.clause.is_some();
        let mut name = |taken: &mut FxHashMap<String, usize>, name: &str| {
            taken.entry(name.to_lowercase()).or_insert_with(|| {
                reachable = true;
                at
            });
        };
        name(&mut self.ids, &entry.id);
        for alias in &entry.aliases {
            name(&mut self.aliases, alias);
        }
        for name in std::iter::once(&entry.id).chain(&entry.aliases) {
            let name = name.to_lowercase();
            let short = bare(provider, &name);
            if short != name && !is_apart(&name) {
                self.behind.entry(short.to_owned()).or_insert(at);
            }
        }
        self.entries.push(entry);
        reachable
    }

    /// The entry of a name; one that has its provider before it only if that is wanted.
    pub(super) fn find(&self, name: &str, behind: bool) -> Option<&Entry> {
        let behind = || self.behind.get(name).filter(|_| behind);
        match self.ids.get(name).or_else(|| self.aliases.get(name)).or_else(behind) {
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

/// The text of one provider's entries in pieces, so that one of them can be read without the others.
#[derive(Clone, Debug)]
pub struct Pieces {
    /// What stands before the first entry and holds for all of them.
    pub head: &'static str,
    /// One for each entry.
    pub pieces: Vec<Piece>,
}

/// The text of one entry.
#[derive(Clone, Debug)]
pub struct Piece {
    /// What the entry is called, its id first.
    pub names: Vec<&'static str>,
    /// The rest of it.
    pub text: &'static str,
}

/// How a text with the entries of one provider is read.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// All of it.
    pub all: fn(&'static str) -> Book,
    /// Into pieces.
    pub cut: fn(&'static str) -> Pieces,
    /// One piece, with the head of its text.
    pub one: fn(&'static str, &'static str) -> Book,
}

/// A text with the entries of one provider, each read when it is first asked for.
#[derive(Clone, Debug)]
struct Unread {
    provider: &'static str,
    text: &'static str,
    reader: Reader,
    book: OnceLock<Box<Book>>,
    cut: OnceLock<Box<Cut>>,
}

#[derive(Clone, Debug)]
struct Cut {
    head: &'static str,
    pieces: Vec<(&'static str, OnceLock<Option<Box<Entry>>>)>,
    index: FxHashMap<String, usize>,
}

impl Cut {
    fn new(pieces: Pieces) -> Self {
        let mut index = FxHashMap::default();
        let ids = pieces.pieces.iter().map(|p| p.names.get(..1).unwrap_or_default());
        let aliases = pieces.pieces.iter().map(|p| p.names.get(1..).unwrap_or_default());
        for (at, names) in ids.enumerate().chain(aliases.enumerate()) {
            for name in names {
                // A name that is taken keeps its first entry, and ids come before aliases.
                index.entry(name.to_lowercase()).or_insert(at);
            }
        }
        Cut {
            head: pieces.head,
            pieces: pieces.pieces.iter().map(|p| (p.text, OnceLock::new())).collect(),
            index,
        }
    }
}

impl Unread {
    fn shelf(&self) -> Option<&Shelf> {
        let book = self.book.get_or_init(|| Box::new((self.reader.all)(self.text)));
        book.shelves.read.get(self.provider)
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        let cut = self
            .cut
            .get_or_init(|| Box::new(Cut::new((self.reader.cut)(self.text))));
        let (text, entry) = cut.pieces.get(*cut.index.get(name)?)?;
        let read = || {
            let book = (self.reader.one)(cut.head, text);
            let shelf = book.shelves.read.into_iter().find(|(p, _)| p == self.provider);
            shelf.and_then(|(_, s)| s.entries.into_iter().next()).map(Box::new)
        };
        entry.get_or_init(read).as_deref()
    }
}

impl Shelves {
    /// Adds an entry under a provider; whether it can be found there.
    pub(super) fn add(&mut self, provider: &str, entry: Entry) -> bool {
        self.read.entry(provider.to_owned()).or_default().add(provider, entry)
    }

    /// Adds a text whose entries are read when they are asked for. No provider has two, nor entries beside it.
    pub(super) fn add_text(&mut self, provider: &'static str, text: &'static str, reader: Reader) {
        self.unread.push(Unread {
            provider,
            text,
            reader,
            book: OnceLock::new(),
            cut: OnceLock::new(),
        });
    }

    /// The entry that a provider has under a name.
    pub(super) fn find(&self, provider: &str, candidate: &Candidate) -> Option<&Entry> {
        let name = candidate.name.as_str();
        match self.read.get(provider) {
            Some(shelf) => shelf.find(name, !candidate.apart),
            None => self.unread.iter().find(|u| u.provider == provider)?.find(name),
        }
    }

    /// Whose entries there are.
    pub(super) fn providers(&self) -> impl Iterator<Item = &str> {
        let read = self.read.keys().map(String::as_str);
        read.chain(self.unread.iter().map(|unread| unread.provider))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, aliases: &[&str]) -> Entry {
        Entry {
            id: id.to_owned(),
            aliases: aliases.iter().map(|a| (*a).to_owned()).collect(),
            ..Entry::default()
        }
    }

    #[test]
    fn ids_come_before_aliases_whether_entries_are_read_at_once_or_one_by_one() {
        let mut shelf = Shelf::default();
        assert!(shelf.add("p", entry("a/x", &["x", "y"])));
        assert!(shelf.add("p", entry("X", &["y"])));
        assert!(!shelf.add("p", entry("x", &["y"])), "both names are taken");
        let found = |name| shelf.find(name, true).map(|e| e.id.as_str());
        assert_eq!((found("x"), found("y"), found("z")), (Some("X"), Some("a/x"), None));
        let piece = |names: &[&'static str]| Piece {
            names: names.to_vec(),
            text: "",
        };
        let cut = Cut::new(Pieces {
            head: "",
            pieces: vec![piece(&["a/x", "x", "y"]), piece(&["X", "y"]), piece(&[])],
        });
        assert_eq!((cut.index.get("x"), cut.index.get("y")), (Some(&1), Some(&0)));
    }
}
