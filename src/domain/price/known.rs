//! What the books know at all, at whatever time: settings that name something else are slips.

use std::collections::BTreeSet;

use super::book::NameMap;
use super::books::Books;
use super::provider::provider_key;
use super::seller::{names, own_prefix};

impl Books {
    /// The providers that have prices, each in its one spelling.
    #[must_use]
    pub fn providers(&self) -> BTreeSet<&str> {
        let all = self.books().iter().flat_map(|book| book.shelves.providers());
        all.collect()
    }

    /// Whether a map leads anywhere: some book has its model under the provider that the map names; without one, under any.
    #[must_use]
    pub fn knows(&self, map: &NameMap) -> bool {
        if map.free {
            return true;
        }
        let of = |seller: &str| {
            let (provider, tries) = (provider_key(seller), names(seller, &map.model));
            let mut books = self.books().iter();
            books.any(|book| tries.iter().any(|c| book.shelves.find(&provider, c).is_some()))
        };
        match [&map.as_provider, &map.provider].into_iter().find(|p| !p.is_empty()) {
            Some(seller) => of(seller),
            None => self.providers().into_iter().any(of),
        }
    }

    /// Whether calls of a provider can have a price: a book has some of its own, or a map tells another seller's or that they are free.
    #[must_use]
    pub fn sells(&self, provider: &str) -> bool {
        let key = provider_key(provider);
        let told = |map: &NameMap| {
            let of_any = map.provider.is_empty();
            let of_it = !of_any && provider_key(&map.provider) == key;
            (of_it && map.free) || ((of_any || of_it) && !map.as_provider.is_empty())
        };
        self.providers().contains(key.as_str()) || self.maps().any(told)
    }

    /// The names that only their owner can explain, in order.
    pub fn maps(&self) -> impl Iterator<Item = &NameMap> {
        self.books().iter().flat_map(|book| &book.maps)
    }

    /// The map that says what a name of a provider stands for, of those that hold for all accounts.
    #[must_use]
    pub fn mapped(&self, provider: &str, model: &str) -> Option<&NameMap> {
        let (provider, front) = (provider_key(provider), own_prefix(provider));
        self.maps().find(|map| map.covers(&provider, front, "", model))
    }
}
