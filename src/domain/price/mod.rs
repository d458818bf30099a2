//! Price books, how a model's name finds its entry, and what a call costs: exact, dated, with a receipt.

mod book;
mod books;
mod card;
mod clause;
mod name;
mod quote;

pub use book::{Above, Book, Entry, Hours, NameMap, Price, Rates, Tier};
pub use books::Books;
pub use clause::Clause;
pub use name::provider_key;
pub use quote::{Quote, ReceiptLine};
