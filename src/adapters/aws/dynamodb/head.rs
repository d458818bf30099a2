//! The head: one small item that names every item that counts. Replacing it, under the condition that it is the one that was
//! read, is what makes a change of any size whole, and seen whole.

use std::collections::BTreeMap;

use super::bytes::{Broken, Reader, put, put_signed};
use crate::domain::period::{Hour, Period};

const VERSION: u8 = 1;

/// Commits that the head remembers, so that a writer whose answer was lost can tell that it was carried out.
const REMEMBERED: usize = 16;

/// The kinds of packed items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum What {
    /// A block of calls in detail.
    Calls,
    /// A chunk of identities.
    Ids,
    /// The origins of a segment of identities.
    Origins,
    /// The spend of a day.
    Day,
    /// The rows of a bill.
    Bill,
    /// Checkpoints, as changes.
    Checkpoints,
    /// Restatements.
    Restatements,
}

impl What {
    const ALL: [What; 7] = [
        What::Calls,
        What::Ids,
        What::Origins,
        What::Day,
        What::Bill,
        What::Checkpoints,
        What::Restatements,
    ];

    /// The first part of the key.
    pub fn name(self) -> &'static str {
        match self {
            What::Calls => "calls",
            What::Ids => "ids",
            What::Origins => "origins",
            What::Day => "day",
            What::Bill => "bill",
            What::Checkpoints => "checkpoints",
            What::Restatements => "restatements",
        }
    }
}

/// Items that belong together: parts `first..first + parts`, each cut into `pieces`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bundle {
    /// What they hold.
    pub what: What,
    /// The commit that wrote them.
    pub stamp: u64,
    /// The first part.
    pub first: i64,
    /// How many parts.
    pub parts: u32,
    /// How many pieces each part has.
    pub pieces: u32,
}

impl Bundle {
    /// The keys of all its items. Every part has a partition of its own, so that writing spreads.
    pub fn keys(self) -> impl Iterator<Item = (String, String)> {
        (0..i64::from(self.parts)).flat_map(move |part| self.keys_of(self.first + part))
    }

    /// The keys of one part, in order.
    pub fn keys_of(self, part: i64) -> impl Iterator<Item = (String, String)> {
        let pk = format!("{}#{:016x}#{part}", self.what.name(), self.stamp);
        (0..self.pieces).map(move |piece| (pk.clone(), format!("{piece:04}")))
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.what as u8);
        out.extend_from_slice(&self.stamp.to_be_bytes());
        put_signed(out, i128::from(self.first));
        put(out, u128::from(self.parts));
        put(out, u128::from(self.pieces));
    }

    fn get(from: &mut Reader<'_>) -> Result<Self, Broken> {
        Ok(Bundle {
            what: *What::ALL.get(usize::from(from.byte()?)).ok_or(Broken)?,
            stamp: u64::from_be_bytes(from.array()?),
            first: from.fit_signed()?,
            parts: from.fit()?,
            pieces: from.fit()?,
        })
    }
}

/// A segment of identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The commit that wrote it.
    pub stamp: u64,
    /// Bits that it is cut by.
    pub bits: u8,
    /// Entries.
    pub entries: u64,
    /// When its oldest origin was recorded, in microseconds.
    pub oldest: i64,
    /// Pieces of its list of origins.
    pub pieces: u32,
}

impl Segment {
    /// Its chunks.
    pub fn chunks(&self) -> Bundle {
        Bundle {
            what: What::Ids,
            stamp: self.stamp,
            first: 0,
            parts: 1 << self.bits.min(16),
            pieces: 1,
        }
    }

    /// Its origins.
    pub fn origins(&self) -> Bundle {
        Bundle {
            what: What::Origins,
            stamp: self.stamp,
            first: 0,
            parts: 1,
            pieces: self.pieces,
        }
    }
}

/// The spend of one UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The commit that wrote it.
    pub stamp: u64,
    /// Pieces.
    pub pieces: u32,
    /// Whether its hours were folded into one.
    pub folded: bool,
    /// First and last hour of the day with spend.
    pub hours: (u8, u8),
}

impl Day {
    /// Whether all of it stands at one hour: calls may have come in since it was folded.
    pub fn is_whole(&self) -> bool {
        let folded = u8::try_from(Hour::FOLDED).unwrap_or_default();
        self.folded && self.hours == (folded, folded)
    }

    /// Its items; `day` counts from 1970-01-01.
    pub fn bundle(&self, day: i64) -> Bundle {
        Bundle {
            what: What::Day,
            stamp: self.stamp,
            first: day,
            parts: 1,
            pieces: self.pieces,
        }
    }
}

/// Everything that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Counts commits.
    pub version: u64,
    /// The last commits, oldest first.
    pub recent: Vec<u64>,
    /// Detail recorded before has expired, in microseconds.
    pub detail_before: i64,
    /// Oldest first.
    pub segments: Vec<Segment>,
    /// By day since 1970-01-01.
    pub days: BTreeMap<i64, Day>,
    /// By digest of the bill's identity.
    pub bills: BTreeMap<u64, Bundle>,
    /// Changes of checkpoints, oldest first.
    pub checkpoints: Vec<Bundle>,
    /// Restatements, oldest first.
    pub restatements: Vec<Bundle>,
    /// Replaced by the last commit, and deleted by the next: a reader of the head before this one still finds them.
    pub garbage: Vec<Bundle>,
}

impl Head {
    /// From the first hour with spend to the end of the last.
    pub fn span(&self) -> Option<Period> {
        let ((first, from), (last, to)) = self.days.first_key_value().zip(self.days.last_key_value())?;
        let hour = |day: &i64, hour: u8| day.saturating_mul(24).saturating_add(i64::from(hour));
        let end = Hour(hour(last, to.hours.1).saturating_add(1));
        Some(Period::new(Hour(hour(first, from.hours.0)).start(), end.start()))
    }

    /// Makes it the head of the commit `stamp`.
    pub fn committed(mut self, stamp: u64) -> Self {
        self.version += 1;
        self.recent.push(stamp);
        let surplus = self.recent.len().saturating_sub(REMEMBERED);
        self.recent.drain(..surplus);
        self
    }

    /// Packs it.
    pub fn pack(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put(&mut out, u128::from(self.version));
        put(&mut out, self.recent.len() as u128);
        self.recent.iter().for_each(|s| out.extend_from_slice(&s.to_be_bytes()));
        put_signed(&mut out, i128::from(self.detail_before));
        put(&mut out, self.segments.len() as u128);
        for s in &self.segments {
            out.extend_from_slice(&s.stamp.to_be_bytes());
            out.push(s.bits);
            put(&mut out, u128::from(s.entries));
            put_signed(&mut out, i128::from(s.oldest));
            put(&mut out, u128::from(s.pieces));
        }
        put(&mut out, self.days.len() as u128);
        let mut last = 0;
        for (day, d) in &self.days {
            put_signed(&mut out, i128::from(day - last));
            last = *day;
            out.extend_from_slice(&d.stamp.to_be_bytes());
            put(&mut out, u128::from(d.pieces));
            out.extend_from_slice(&[u8::from(d.folded), d.hours.0, d.hours.1]);
        }
        put(&mut out, self.bills.len() as u128);
        for (digest, bundle) in &self.bills {
            out.extend_from_slice(&digest.to_be_bytes());
            bundle.put(&mut out);
        }
        for list in [&self.checkpoints, &self.restatements, &self.garbage] {
            put_bundles(&mut out, list);
        }
        out
    }

    /// Reads it.
    pub fn unpack(body: &[u8]) -> Result<Self, Broken> {
        let mut r = Reader(body);
        if r.byte()? != VERSION {
            return Err(Broken);
        }
        let mut head = Head {
            version: r.fit()?,
            ..Head::default()
        };
        for _ in 0..r.fit::<usize>()? {
            head.recent.push(u64::from_be_bytes(r.array()?));
        }
        head.detail_before = r.fit_signed()?;
        for _ in 0..r.fit::<usize>()? {
            head.segments.push(Segment {
                stamp: u64::from_be_bytes(r.array()?),
                bits: r.byte()?,
                entries: r.fit()?,
                oldest: r.fit_signed()?,
                pieces: r.fit()?,
            });
        }
        let mut last = 0_i64;
        for _ in 0..r.fit::<usize>()? {
            last = last.checked_add(r.fit_signed()?).ok_or(Broken)?;
            let day = Day {
                stamp: u64::from_be_bytes(r.array()?),
                pieces: r.fit()?,
                folded: r.byte()? == 1,
                hours: (r.byte()?, r.byte()?),
            };
            head.days.insert(last, day);
        }
        for _ in 0..r.fit::<usize>()? {
            let digest = u64::from_be_bytes(r.array()?);
            head.bills.insert(digest, Bundle::get(&mut r)?);
        }
        head.checkpoints = get_bundles(&mut r)?;
        head.restatements = get_bundles(&mut r)?;
        head.garbage = get_bundles(&mut r)?;
        if r.done() { Ok(head) } else { Err(Broken) }
    }
}

/// Packs a list of bundles.
pub fn put_bundles(out: &mut Vec<u8>, list: &[Bundle]) {
    put(out, list.len() as u128);
    list.iter().for_each(|bundle| bundle.put(out));
}

/// Reads a list of bundles.
pub fn get_bundles(from: &mut Reader<'_>) -> Result<Vec<Bundle>, Broken> {
    let count: usize = from.fit()?;
    let mut list = Vec::new();
    for _ in 0..count {
        list.push(Bundle::get(from)?);
    }
    Ok(list)
}
