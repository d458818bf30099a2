//! How a call splits its tokens, kept for the time at which it turns out to be one with another that tells less of them.

mod both;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::names::Who;
use super::node::{Call, outrank};
use super::saved::take;
use crate::domain::label::Label;
use crate::domain::usage::{Bucket, EventId, Requests, USAGE_DIMENSIONS, UsageEvent};

/// Counts of text by bucket, the thoughts behind them, those of audio and the like, and what decides their prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    counts: [u32; Bucket::TEXT.len() + 1],
    media: [u32; Bucket::MEDIA.len()],
    names: Names,
    place: Place,
    quantities: Quantities,
    /// What it is said to have cost, which is not remembered from run to run.
    cost: Option<Decimal>,
}

/// Where it was answered, and how fast.
type Place = [Label; 2];

/// Searches and rare quantities.
type Quantities = (Requests, Label);

/// How many of [`Bucket::MEDIA`] are audio, which stands first.
const AUDIO: usize = 2;

type Names = [Label; USAGE_DIMENSIONS.len()];

impl Split {
    /// That of a call which tells more than counts of text; nothing where a count does not fit.
    pub fn of(call: &UsageEvent) -> Option<Box<Self>> {
        if !Call::of(call).tells() {
            return None;
        }
        let told = Bucket::TEXT.into_iter().map(|bucket| call.tokens.get(bucket));
        let mut counts = [0; Bucket::TEXT.len() + 1];
        for (count, told) in counts.iter_mut().zip(told.chain([call.tokens.reasoning])) {
            *count = u32::try_from(told).ok()?;
        }
        let mut media = [0; Bucket::MEDIA.len()];
        for (count, bucket) in media.iter_mut().zip(Bucket::MEDIA) {
            *count = u32::try_from(call.tokens.get(bucket)).ok()?;
        }
        let names = USAGE_DIMENSIONS.map(|dimension| call.dimensions.get(dimension));
        Some(Box::new(Split {
            counts,
            media,
            names,
            place: [call.geo, call.speed],
            quantities: (call.requests, call.extras),
            cost: call.reported_cost,
        }))
    }

    /// The model.
    pub fn model(&self) -> Label {
        let [_, model, _] = self.names;
        model
    }

    /// Another observation of a call that is told by this one's tokens. Who asked is told by the others.
    pub fn observation(&self, id: EventId, at: DateTime<Utc>) -> UsageEvent {
        let mut event = UsageEvent::new(id, at, Label::EMPTY, Label::EMPTY);
        for (dimension, name) in USAGE_DIMENSIONS.into_iter().zip(self.names) {
            event.dimensions.set(dimension, name);
        }
        let [text @ .., reasoning] = self.counts;
        let text = Bucket::TEXT.into_iter().zip(text);
        for (bucket, count) in text.chain(Bucket::MEDIA.into_iter().zip(self.media)) {
            event.tokens.set(bucket, count.into());
        }
        event.tokens.reasoning = reasoning.into();
        [event.geo, event.speed] = self.place;
        (event.requests, event.extras) = self.quantities;
        event.reported_cost = self.cost;
        outrank(&mut event);
        event.sidechain = true;
        event
    }
}

/// Writes splits and reads them. Names are mostly those of the one before.
#[derive(Default)]
pub(super) struct Splits {
    names: Names,
    /// A provider and a model alone.
    asked: (Label, Label),
    /// Who asked.
    who: Who,
}

/// Marks a split whose names follow.
const OTHER: u8 = 1;
/// Marks a split whose audio follows, before its names.
const HEARD: u8 = 2;
/// Marks a split whose place follows, behind its names, and one whose quantities follow, behind that.
const PLACED: u8 = 4;
const COUNTED: u8 = 8;
/// Marks a split whose images and videos follow, behind the audio.
const SEEN: u8 = 16;

impl Splits {
    /// Writes one.
    pub fn save(&mut self, split: &Split, bytes: &mut Vec<u8>) {
        split.counts.into_iter().for_each(|count| save_count(count, bytes));
        let (audio, others) = split.media.split_at(AUDIO);
        let given = |counts: &[u32]| counts.iter().any(|count| *count != 0);
        let (heard, seen, other) = (given(audio), given(others), split.names != self.names);
        let (placed, counted) = (
            split.place != Place::default(),
            split.quantities != Quantities::default(),
        );
        let marks = [
            (heard, HEARD),
            (other, OTHER),
            (placed, PLACED),
            (counted, COUNTED),
            (seen, SEEN),
        ];
        bytes.push(sum_of(marks));
        if heard {
            audio.iter().for_each(|count| save_count(*count, bytes));
        }
        if seen {
            others.iter().for_each(|count| save_count(*count, bytes));
        }
        if other {
            split.names.into_iter().for_each(|name| save(name, bytes));
            self.names = split.names;
        }
        if placed {
            split.place.into_iter().for_each(|name| save(name, bytes));
        }
        if counted {
            let (requests, extras) = split.quantities;
            counts_of(requests)
                .into_iter()
                .for_each(|count| save_count(count, bytes));
            save(extras, bytes);
        }
    }

    /// Writes a provider and a model.
    pub fn save_names(&mut self, (provider, model): (Label, Label), bytes: &mut Vec<u8>) {
        if self.asked == (provider, model) {
            return bytes.push(0);
        }
        bytes.push(OTHER);
        save(provider, bytes);
        save(model, bytes);
        self.asked = (provider, model);
    }

    /// Writes who asked for a call that began then.
    pub fn save_who(&mut self, who: &Who, began: i64, bytes: &mut Vec<u8>) {
        let (other, later) = (who.names != self.who.names, who.nanos != began);
        let placed = who.source != self.who.source;
        let marks = [(other, OTHER), (later, HEARD), (placed, PLACED)];
        bytes.push(sum_of(marks));
        if later {
            bytes.extend_from_slice(&who.nanos.to_le_bytes());
        }
        if other {
            who.names.into_iter().for_each(|name| save(name, bytes));
        }
        if placed {
            save(who.source, bytes);
        }
        self.who = *who;
    }

    /// Reads who asked for a call that began then.
    pub fn load_who(&mut self, began: i64, bytes: &mut &[u8]) -> Option<Who> {
        let [marks] = take::<1>(bytes)?;
        self.who.nanos = match marks & HEARD {
            0 => began,
            _ => i64::from_le_bytes(take::<8>(bytes)?),
        };
        if marks & OTHER != 0 {
            for name in &mut self.who.names {
                *name = load(bytes)?;
            }
        }
        if marks & PLACED != 0 {
            self.who.source = load(bytes)?;
        }
        Some(self.who)
    }

    /// Reads a provider and a model.
    pub fn load_names(&mut self, bytes: &mut &[u8]) -> Option<(Label, Label)> {
        if take::<1>(bytes)? == [OTHER] {
            self.asked = (load(bytes)?, load(bytes)?);
        }
        Some(self.asked)
    }

    /// Reads one.
    pub fn load(&mut self, bytes: &mut &[u8]) -> Option<Box<Split>> {
        let (mut counts, mut media) = ([0; Bucket::TEXT.len() + 1], [0; Bucket::MEDIA.len()]);
        for count in &mut counts {
            *count = load_count(bytes)?;
        }
        let [marks] = take::<1>(bytes)?;
        for (count, place) in media.iter_mut().zip(0..) {
            let mark = if place < AUDIO { HEARD } else { SEEN };
            if marks & mark != 0 {
                *count = load_count(bytes)?;
            }
        }
        if marks & OTHER != 0 {
            for name in &mut self.names {
                *name = load(bytes)?;
            }
        }
        let (mut place, mut quantities) = (Place::default(), Quantities::default());
        if marks & PLACED != 0 {
            place = [load(bytes)?, load(bytes)?];
        }
        if marks & COUNTED != 0 {
            let mut next = || load_count(bytes);
            let requests = Requests {
                web_searches: next()?,
                web_fetches: next()?,
                code_executions: next()?,
                file_searches: next()?,
            };
            quantities = (requests, load(bytes)?);
        }
        Some(Box::new(Split {
            counts,
            media,
            names: self.names,
            place,
            quantities,
            cost: None,
        }))
    }
}

fn counts_of(requests: Requests) -> [u32; 4] {
    let Requests {
        web_searches,
        web_fetches,
        code_executions,
        file_searches,
    } = requests;
    [web_searches, web_fetches, code_executions, file_searches]
}

/// Writes a count, seven bits to a byte.
fn save_count(mut count: u32, bytes: &mut Vec<u8>) {
    while count >= 0x80 {
        bytes.push(0x80 | count.to_le_bytes().first().copied().unwrap_or(0));
        count >>= 7;
    }
    bytes.extend(u8::try_from(count));
}

/// Reads a count.
fn load_count(bytes: &mut &[u8]) -> Option<u32> {
    let mut count = 0;
    for shift in (0..u32::BITS).step_by(7) {
        let [byte] = take::<1>(bytes)?;
        count |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(count)
}

/// Writes a name.
fn save(name: Label, bytes: &mut Vec<u8>) {
    let text = name.as_str();
    // No label is longer.
    bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Reads a name.
fn load(bytes: &mut &[u8]) -> Option<Label> {
    let length = u16::from_le_bytes(take::<2>(bytes)?);
    let (text, rest) = bytes.split_at_checked(length.into())?;
    *bytes = rest;
    Some(Label::new(std::str::from_utf8(text).ok()?))
}

/// The marks of what is given.
fn sum_of<const N: usize>(marks: [(bool, u8); N]) -> u8 {
    marks
        .into_iter()
        .filter(|(given, _)| *given)
        .map(|(_, mark)| mark)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dimension::Dimension;

    fn call(model: &str, read: u64) -> UsageEvent {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let mut call = UsageEvent::new(EventId([1; 16]), at, "p".into(), model.into());
        call.dimensions.set(Dimension::Tier, "batch".into());
        call.tokens.set(Bucket::CacheRead, read);
        call.tokens.set(Bucket::Output, 300);
        call.tokens.reasoning = 200;
        call
    }

    #[test]
    fn what_is_saved_of_splits_is_what_is_loaded() {
        let mut calls = [("m", 7), ("m", 1 << 31), ("n", 127), ("n", 128)].map(|(model, read)| call(model, read));
        let heard = &mut calls[1].tokens;
        heard.set(Bucket::AudioIn, 600);
        heard.set(Bucket::AudioOut, 20);
        calls[0].tokens.set(Bucket::VideoIn, 6000);
        calls[3].tokens.set(Bucket::ImageOut, 1290);
        (calls[2].geo, calls[2].requests.file_searches) = ("eu".into(), 300);
        let (mut saving, mut bytes) = (Splits::default(), Vec::new());
        for call in &calls {
            saving.save(&Split::of(call).unwrap(), &mut bytes);
        }
        assert!(bytes.len() < 110, "{}", bytes.len());
        let (mut loading, mut rest) = (Splits::default(), bytes.as_slice());
        for call in &calls {
            let split = loading.load(&mut rest).unwrap();
            let told = split.observation(call.id, call.at);
            assert_eq!((told.tokens, told.model()), (call.tokens, call.model()));
            assert_eq!((told.geo, told.requests), (call.geo, call.requests));
            assert_eq!(told.dimensions.get(Dimension::Tier), "batch".into());
        }
        assert!(rest.is_empty() && loading.load(&mut rest).is_none());
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        for (bucket, count) in [
            (Bucket::ImageIn, 1 << 32),
            (Bucket::AudioIn, 1 << 32),
            (Bucket::CacheRead, 1 << 32),
        ] {
            let mut call = call("m", 7);
            call.tokens.set(bucket, count);
            assert!(Split::of(&call).is_none());
        }
        let mut plain = call("m", 0);
        plain.dimensions.set(Dimension::Tier, Label::EMPTY);
        assert!(Split::of(&plain).is_none(), "it tells counts of text alone");
    }
}
