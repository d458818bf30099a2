//! The one integration binary: everything that needs more than one module.

mod alerts;
mod architecture;
mod channels;
mod cli;
mod files;
mod ledger;
mod prices;
mod support;
mod tour;
