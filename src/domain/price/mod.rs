//! Price books, how a model's name finds its entry, and what a call costs: exact, dated, with a receipt.

mod book;
mod books;
mod card;
mod clause;
mod name;
mod plan;
mod quote;
mod shelf;
mod terms;
mod units;
mod worst;

pub use book::{Above, Allowance, AllowancePeriod, Book, Entry, Fees, Hours, NameMap, Price, Rates, Tier};
pub use books::{Books, SearchTerms};
pub use clause::Clause;
pub use name::provider_key;
pub use quote::{Quote, ReceiptLine};
pub use shelf::{Piece, Pieces, Reader};
pub use units::UnitRate;
