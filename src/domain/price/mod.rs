//! Price books, how a model's name finds its entry, and what a call costs: exact, dated, with a receipt.

mod book;
mod books;
mod card;
mod clause;
mod family;
mod known;
mod name;
mod parts;
mod place;
mod plan;
mod provider;
mod quote;
mod seller;
mod shelf;
mod terms;
mod units;
mod usual;
mod worst;

pub use book::{Above, Allowance, AllowancePeriod, Book, Entry, Fees, Hours, NameMap, Price, Rates, Tier};
pub use books::{Books, FreeSearches, SearchTerms};
pub use clause::Clause;
pub use family::{model_family, model_snapshot};
pub use parts::Parts;
pub use place::region_of_answer;
pub(super) use provider::is_other_spelling;
pub use provider::{SPELLINGS, is_company, known_provider, provider_key};
pub use quote::{Quote, ReceiptLine};
pub(super) use seller::is_behind_provider;
pub use seller::sold_apart;
pub use shelf::{Piece, Pieces, Reader};
pub use terms::{is_no_place, is_standard_speed, is_standard_tier, tier_key, tier_name};
pub use units::UnitRate;
