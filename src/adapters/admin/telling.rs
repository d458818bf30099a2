//! Which sources tell the usage of a provider in sums over all calls, by what the ledger keeps of reading them.

use memchr::memmem;

use crate::adapters::files::{FileFormat, gave};
use crate::domain::label::Label;
use crate::ports::{Checkpoint, Checkpoints, Telling};

use super::Admin;
use super::questions::whose_usage;

/// What a source tells, by its checkpoints.
#[must_use]
pub fn telling(known: &Checkpoints) -> Telling {
    let mut out = Telling::default();
    for whose in known.iter().filter_map(|(key, at)| sums(key, at)) {
        out.sums.insert(Label::new(match whose {
            Admin::Openai => "openai",
            Admin::Anthropic => "anthropic",
        }));
    }
    // Whoever tells no sums tells calls.
    out.calls = out.sums.is_empty()
        || known
            .iter()
            .any(|(key, at)| sums(key, at).is_none() && gave(at).is_some());
    out
}

/// Whose sums were read from an input; none where it holds something else, or costs alone.
fn sums(key: &str, at: &Checkpoint) -> Option<Admin> {
    if let Some(whose) = whose_usage(key) {
        return Some(whose);
    }
    // Of thousands of session logs none is parsed.
    memmem::find(&at.0, b"-admin\"")?;
    let format = gave(at)?;
    let of = [
        (FileFormat::OpenaiAdmin, Admin::Openai),
        (FileFormat::AnthropicAdmin, Admin::Anthropic),
    ];
    of.into_iter()
        .find(|(known, _)| *known == format)
        .map(|(_, whose)| whose)
}
