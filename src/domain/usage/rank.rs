//! Who observed a call, and whose word on its usage counts.

use chrono::{DateTime, Utc};

/// How trustworthy an observation's usage is against other observations of the same call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rank {
    /// Who observed the call: 0 for the answer itself and what an agent logs of it, else one of the constants below. Stored as it is.
    pub authority: u8,
    /// Whether the call had ended (`stop_reason` given). A streaming partial has not.
    pub complete: bool,
    /// Time that the observed record itself carries.
    pub at: DateTime<Utc>,
    /// Line number in its file: of two records with the same time the later line wins.
    pub line: u64,
}

impl Rank {
    /// Authority of a span. Its clock is finer than that of an answer, but it tells less of what decides the price.
    pub const SPAN: u8 = 3;
    /// Authority of a span that tells more of a call than the span that counts as it, and is to count in its place.
    pub const SPAN_RAISED: u8 = 1;
    /// Authority of a call of nothing, which takes back what spans told of it.
    pub const SPAN_NOTHING: u8 = 2;
    /// Authority of the log of a gateway, or of a tool that watches calls: it passes on what it makes of the answer.
    pub const GATEWAY: u8 = 4;
    /// Authority of a sum over many calls, as a provider's usage report tells it. No call of it is longer than a price threshold,
    /// as far as is known.
    pub const REPORT: u8 = 128;
    /// The same of calls that are all longer than 200,000 tokens.
    pub const REPORT_LONG: u8 = 129;
    /// Authority of what calls cost where nothing is told of their tokens.
    pub const COST_ALONE: u8 = 130;
    /// Authority of an answer that may come in parts of which each tells its tokens so far, but only one the searches and the other
    /// rare quantities: of these the most that any of them tells counts.
    pub const PARTS: u8 = 64;
    /// The line of what takes back a call of which other observations may count: it follows all lines.
    pub const TAKEN_BACK: u64 = u64::MAX;

    /// What decides whose usage counts; greater wins. What has ended stands above what goes on, then the answer above a gateway's log and that
    /// above a span. Answers in parts were recorded with authority 0 before they were told apart: neither stands above the other.
    pub(super) fn standing(self) -> (u8, bool, DateTime<Utc>, u64) {
        let witness = match (self.authority, self.complete) {
            (Rank::SPAN, false) => 0,
            (Rank::GATEWAY, false) => 1,
            (0 | Rank::PARTS, false) => 2,
            (Rank::SPAN, true) => 3,
            // Of these it does not say whether the call has ended.
            (Rank::SPAN_RAISED, _) => 4,
            (Rank::SPAN_NOTHING, _) => 5,
            (Rank::GATEWAY, true) => 6,
            (0 | Rank::PARTS, true) => 7,
            (sum, _) => sum.max(8),
        };
        (witness, self.complete, self.at, self.line)
    }
}
