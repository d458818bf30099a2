//! What is known of a span, as the bytes that are saved from run to run.

use super::names::Who;
use super::node::{Below, Call, Lent, Node, Others, Priced, SpanKey};
use super::split::Splits;
use crate::domain::label::Label;
use crate::domain::usage::EventId;

/// Marks what this version saved: calls follow with their size, family and detail.
const WITH_CALLS: u8 = 32;
/// Marks what was priced of which the split follows, and what is lent, or shared where both say so; beside the detail of the call.
const WITH_SPLIT: u8 = 128;
const LENT_BELOW: u8 = 64;
const LENT_BESIDE: u8 = 32;
const OUTDONE: u8 = 4;
const DETAIL: u8 = 3;
/// Marks a call below whose provider and model follow; beside its detail.
const WITH_NAMES: u8 = 4;

/// Marks other calls below, of which the number and they follow, each with its provider and model; beside that detail.
const WITH_OTHERS: u8 = 8;
/// Marks a call whose model is that of the response: one below, whose names follow, and one that was priced, whose split does.
const ANSWERED_BELOW: u8 = 32;
const ANSWERED: u8 = 8;
/// Marks a call of which all that it tells follows, and, of one below, the span that tells it.
const WITH_MORE: u8 = 16;
/// Marks what was priced of which it follows who asked, behind the split; beside all that the call tells.
const WITH_WHO: u8 = 128;

/// The next bytes.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*front)
}

impl Node {
    /// Writes it as what is saved from run to run.
    pub fn save(&self, key: SpanKey, splits: &mut Splits, bytes: &mut Vec<u8>) {
        // `below`: of another span, which is named; `who`: a mark.
        let rest = |call: Call, below: bool, marks: u8, who: u8, bytes: &mut Vec<u8>| {
            let more = who != 0 || (call.tells() && (below || call.detail & !DETAIL != 0));
            bytes.extend_from_slice(&call.size.to_le_bytes());
            bytes.extend_from_slice(&call.family.to_le_bytes());
            bytes.push((call.detail & DETAIL) | marks | if more { WITH_MORE } else { 0 });
            if more {
                bytes.push(call.detail | who);
            }
            if more && below {
                bytes.extend_from_slice(&call.key.to_le_bytes());
            }
        };
        bytes.extend_from_slice(&key.to_le_bytes());
        bytes.extend_from_slice(&self.parent.to_le_bytes());
        let covered = self.below > Below::Nothing;
        let by_what = self.priced.as_ref().map_or(Below::Apart, |priced| priced.by_what);
        bytes.push(
            u8::from(covered)
                | u8::from(self.priced.is_some()) << 1
                | ordinal(self.below, Below::Call) << 2
                | u8::from(self.apart) << 4
                | WITH_CALLS
                | ordinal(by_what, Below::Apart) << 6,
        );
        if let Some(priced) = &self.priced {
            bytes.extend_from_slice(&priced.call.id.0);
            bytes.extend_from_slice(&priced.nanos.to_le_bytes());
            let with_split = if priced.split.is_some() { WITH_SPLIT } else { 0 };
            let lent = match priced.lent {
                Lent::No => 0,
                Lent::Shared => LENT_BELOW | LENT_BESIDE,
                Lent::Beside => LENT_BESIDE,
                Lent::Below => LENT_BELOW,
            };
            let outdone = if priced.outdone { OUTDONE } else { 0 };
            let model = priced.split.as_ref().map(|split| split.model());
            let answered = match model {
                Some(model) if !model.is_empty() && model == priced.call.answer => ANSWERED,
                Some(_) | None => 0,
            };
            let with_who = if priced.who.nanos == 0 { 0 } else { WITH_WHO };
            let marks = with_split | lent | outdone | answered;
            rest(priced.call, false, marks, with_who, bytes);
            if let Some(split) = &priced.split {
                splits.save(split, bytes);
            }
            if with_who != 0 {
                splits.save_who(&priced.who, priced.nanos, bytes);
            }
        }
        if covered {
            let with_names = self.names != Default::default();
            let others = self.others.as_ref().map_or(&[][..], |others| others.0.as_slice());
            let names = if with_names { WITH_NAMES } else { 0 };
            let answered = |call: Call, (_, model): (Label, Label)| match call.answer {
                answer if !answer.is_empty() && answer == model => ANSWERED_BELOW,
                _ => 0,
            };
            let with_others = if others.is_empty() { 0 } else { WITH_OTHERS };
            let marks = names | with_others | answered(self.by, self.names);
            bytes.extend_from_slice(&self.by.id.0);
            rest(self.by, true, marks, 0, bytes);
            if with_names {
                splits.save_names(self.names, bytes);
            }
            if let Ok(many @ 1..) = u8::try_from(others.len()) {
                bytes.push(many);
            }
            for (other, names) in others {
                bytes.extend_from_slice(&other.id.0);
                rest(*other, true, answered(*other, *names), 0, bytes);
                splits.save_names(*names, bytes);
            }
        }
    }

    /// Reads one and what follows it.
    pub fn load(splits: &mut Splits, bytes: &mut &[u8]) -> Option<(SpanKey, Node)> {
        // `own`: the span, where it tells the call itself.
        fn rest(id: EventId, own: Option<SpanKey>, bytes: &mut &[u8]) -> Option<(Call, u8, bool)> {
            let size = u32::from_le_bytes(take::<4>(bytes)?);
            let family = u32::from_le_bytes(take::<4>(bytes)?);
            let [marked] = take::<1>(bytes)?;
            let (mut detail, mut key) = (marked & DETAIL, own.unwrap_or(0));
            if marked & WITH_MORE != 0 {
                [detail] = take::<1>(bytes)?;
                if own.is_none() {
                    key = u64::from_le_bytes(take::<8>(bytes)?);
                }
            }
            let call = Call {
                id,
                size,
                family,
                detail: detail & !WITH_WHO,
                key,
                answer: Label::EMPTY,
            };
            Some((call, marked, detail & WITH_WHO != 0))
        }
        let key = u64::from_le_bytes(take::<8>(bytes)?);
        let parent = u64::from_le_bytes(take::<8>(bytes)?);
        let [flags] = take::<1>(bytes)?;
        let with_calls = flags & WITH_CALLS != 0;
        let priced = if flags & 2 == 0 {
            None
        } else {
            let id = EventId(take::<16>(bytes)?);
            let nanos = i64::from_le_bytes(take::<8>(bytes)?);
            let (mut call, marked, with_who) = match with_calls {
                true => rest(id, Some(key), bytes)?,
                false => (Call { id, ..Call::default() }, 0, false),
            };
            let split = match marked & WITH_SPLIT {
                0 => None,
                _ => Some(splits.load(bytes)?),
            };
            let who = match with_who {
                true => splits.load_who(nanos, bytes)?,
                false => Who::default(),
            };
            if let Some(split) = split.as_ref().filter(|_| marked & ANSWERED != 0) {
                call.answer = split.model();
            }
            let lent = match marked & (LENT_BELOW | LENT_BESIDE) {
                0 => Lent::No,
                LENT_BESIDE => Lent::Beside,
                LENT_BELOW => Lent::Below,
                _ => Lent::Shared,
            };
            Some(Priced {
                call,
                nanos,
                by_what: by_ordinal(flags >> 6, Below::Apart),
                lent,
                split,
                outdone: marked & OUTDONE != 0,
                recorded: true,
                raised: false,
                who,
            })
        };
        let below = match flags & 1 {
            0 => Below::Nothing,
            _ => by_ordinal(flags >> 2, Below::Call),
        };
        let (mut by, mut names, mut others) = (Call::default(), (Label::EMPTY, Label::EMPTY), None);
        if with_calls && flags & 1 != 0 {
            let id = EventId(take::<16>(bytes)?);
            let (call, marked, _) = rest(id, None, bytes)?;
            by = call;
            if marked & WITH_NAMES != 0 {
                names = splits.load_names(bytes)?;
            }
            if marked & ANSWERED_BELOW != 0 {
                by.answer = names.1;
            }
            if marked & WITH_OTHERS != 0 {
                let [many] = take::<1>(bytes)?;
                let mut known = Others::default();
                for _ in 0..many {
                    let id = EventId(take::<16>(bytes)?);
                    let (mut call, marked, _) = rest(id, None, bytes)?;
                    let names = splits.load_names(bytes)?;
                    if marked & ANSWERED_BELOW != 0 {
                        call.answer = names.1;
                    }
                    known.0.push((call, names));
                }
                others = Some(Box::new(known));
            }
        }
        let apart = flags & 16 != 0;
        let node = Node {
            parent,
            below,
            by,
            names,
            others,
            apart,
            priced,
            codex: None,
            run: 0,
        };
        Some((key, node))
    }
}

/// Two bits of what is saved, of which 0 is what earlier versions meant by writing none.
fn ordinal(below: Below, usual: Below) -> u8 {
    match below {
        _ if below == usual => 0,
        Below::Nothing | Below::Apart => 1,
        Below::Silent => 2,
        Below::Call => 3,
    }
}

fn by_ordinal(bits: u8, usual: Below) -> Below {
    match bits & 3 {
        0 => usual,
        1 => Below::Apart,
        2 => Below::Silent,
        _ => Below::Call,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::usage::Bucket;

    #[test]
    fn what_earlier_versions_saved_is_taken_up() {
        // A span that a call lies below, and an agent's that was priced.
        let mut bytes = [
            &7u64.to_le_bytes()[..],
            &[0; 8],
            &[1],
            &8u64.to_le_bytes(),
            &[0; 8],
            &[2],
            &[9; 24],
        ]
        .concat();
        bytes.push(1);
        let mut rest = bytes.as_slice();
        let (key, node) = Node::load(&mut Splits::default(), &mut rest).unwrap();
        assert_eq!(
            (key, node.below, node.by, node.apart),
            (7, Below::Call, Call::default(), false)
        );
        let (key, node) = Node::load(&mut Splits::default(), &mut rest).unwrap();
        let priced = node.priced.unwrap();
        assert_eq!(
            (key, node.below, priced.call.id, priced.by_what),
            (8, Below::Nothing, EventId([9; 16]), Below::Apart)
        );
        assert!(Node::load(&mut Splits::default(), &mut rest).is_none());
    }

    #[test]
    fn calls_that_the_version_before_saved_are_taken_up() {
        // One that tells of caches, with one below it.
        let name = |text: &str| [&[u8::try_from(text.len()).unwrap(), 0][..], text.as_bytes()].concat();
        let call = |marks: u8| [5, 0, 0, 0, 6, 0, 0, 0, marks];
        let mut bytes = [&7u64.to_le_bytes()[..], &[0; 8], &[0b1110_0011], &[9; 24]].concat();
        bytes.extend(call(1 | WITH_SPLIT));
        bytes.extend([&[100, 7, 0, 0, 0, 0, 5, 0, 1][..], &name("p"), &name("m"), &name("")].concat());
        bytes.extend([8; 16]);
        bytes.extend(call(1 | WITH_NAMES));
        bytes.extend([&[1][..], &name("p"), &name("m")].concat());
        let mut rest = bytes.as_slice();
        let (key, node) = Node::load(&mut Splits::default(), &mut rest).unwrap();
        let priced = node.priced.as_ref().unwrap();
        let told = priced.observation(node.by).unwrap();
        assert_eq!(
            (key, told.id, priced.call.key, node.by.key),
            (7, EventId([8; 16]), 7, 0)
        );
        assert_eq!((told.tokens.get(Bucket::CacheRead), told.model()), (7, "m".into()));
        assert_eq!((priced.call.detail, node.by.detail, rest.len()), (1, 1, 0));
    }
}
