//! Who a call is.

mod together;

use std::fmt;
use std::hash::{Hash, Hasher};

use self::together::{Block, hash_each};
use super::UsageEvent;

/// The true identity of a call, whatever file, copy or delivery it was read from: 128 bits of a cryptographic digest, so
/// that nobody can hide spend behind a crafted collision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// The identity of the parts that the format's rules name, such as `["response", "msg_01"]`. The first part is the
    /// name space: two formats that carry the *same* provider's id use the same one, so that a call seen by both counts once.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        // One call of the hash over one short buffer takes a third of the time of the streaming interface.
        let mut buffer = [0_u8; 128];
        let mut end = 0;
        let mut fits = true;
        for part in parts {
            let (length, text) = (end..end + 8, end + 8..end + 8 + part.len());
            end = text.end;
            if let Some(slot) = buffer.get_mut(length) {
                slot.copy_from_slice(&(part.len() as u64).to_le_bytes());
            }
            match buffer.get_mut(text) {
                Some(slot) => slot.copy_from_slice(part),
                None => fits = false,
            }
        }
        let hash = match buffer.get(..end).filter(|_| fits) {
            Some(all) => blake3::hash(all),
            None => {
                let mut hasher = blake3::Hasher::new();
                for part in parts {
                    hasher.update(&(part.len() as u64).to_le_bytes());
                    hasher.update(part);
                }
                hasher.finalize()
            }
        };
        let mut id = [0_u8; 16];
        id.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
        EventId(id)
    }

    /// Its first 64 bits: uniformly distributed, so that they serve as a hash and as a fingerprint.
    #[must_use]
    pub fn digits(self) -> u64 {
        self.0.first_chunk::<8>().map_or(0, |head| u64::from_be_bytes(*head))
    }
}

/// What the identity of a call begins with that is still to be computed, as a number. No hash that begins so will be found.
const PENDING: u128 = 0x746f_2062_6520_636f_6d70_7574 << 32;

/// Calls whose identities are computed later, several at a time: one by itself takes more than twice as long.
#[derive(Default)]
pub struct PendingIds {
    blocks: Vec<Block>,
    ids: Vec<EventId>,
}

impl PendingIds {
    /// What stands for [`EventId::of`] of a name space and an id within it, until [`PendingIds::settle`].
    #[inline(always)]
    pub fn of<const SPACE: usize>(&mut self, space: &[u8; SPACE], id: &[u8]) -> EventId {
        let Some(block) = Block::of(space, id) else {
            return EventId::of(&[space, id]);
        };
        // The lines of one response stand behind each other.
        if self.blocks.last().is_none_or(|last| last.bytes != block.bytes) {
            self.blocks.push(block);
        }
        EventId((PENDING | self.blocks.len() as u128).to_be_bytes())
    }

    /// Gives the calls their identities.
    pub fn settle(&mut self, calls: &mut [UsageEvent]) {
        if self.blocks.is_empty() {
            return;
        }
        hash_each(&mut self.blocks, &mut self.ids);
        for call in calls {
            let place = u128::from_be_bytes(call.id.0) ^ PENDING;
            let place = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
            if let Some(id) = place.and_then(|place| self.ids.get(place)) {
                call.id = *id;
            }
        }
        self.blocks.clear();
        self.ids.clear();
    }
}

impl Hash for EventId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digits());
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for EventId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is not an event id of 32 hexadecimal digits",
                text.chars().take(40).collect::<String>()
            )
        };
        if text.len() != 32 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut id = [0_u8; 16];
        for (slot, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *slot = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(EventId(id))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::super::Label;
    use super::*;

    #[test]
    fn identities_keep_their_parts_apart() {
        assert_ne!(EventId::of(&[b"a", b"bc"]), EventId::of(&[b"ab", b"c"]));
        let id = EventId::of(&[b"response", b"msg_01"]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("xyz".parse::<EventId>().is_err());
    }

    proptest! {
        #[test]
        fn identities_computed_together_are_those_computed_alone(texts in prop::collection::vec("[ -~]{0,60}", 0..30)) {
            let mut pending = PendingIds::default();
            for _ in 0..2 {
                let mut calls = Vec::new();
                for (n, text) in texts.iter().enumerate() {
                    let text = text.as_bytes();
                    let id = match n % 3 {
                        0 => pending.of(b"", text),
                        1 => pending.of(b"plain", text),
                        _ => pending.of(b"response", text),
                    };
                    calls.push(UsageEvent::new(id, DateTime::UNIX_EPOCH, Label::EMPTY, Label::EMPTY));
                }
                // Some are taken back, and one has an identity of its own.
                if texts.len() > 9 {
                    calls.remove(3);
                    calls.truncate(8);
                }
                let own = EventId::of(&[b"own"]);
                calls.push(UsageEvent::new(own, DateTime::UNIX_EPOCH, Label::EMPTY, Label::EMPTY));
                pending.settle(&mut calls);
                let spaces: [&[u8]; 3] = [b"", b"plain", b"response"];
                let alone = texts.iter().enumerate().map(|(n, text)| EventId::of(&[spaces[n % 3], text.as_bytes()]));
                let mut alone: Vec<EventId> = alone.collect();
                if texts.len() > 9 {
                    alone.remove(3);
                    alone.truncate(8);
                }
                alone.push(own);
                prop_assert_eq!(calls.iter().map(|call| call.id).collect::<Vec<_>>(), alone);
            }
        }
    }

    #[test]
    fn the_short_way_gives_the_same_identity_as_the_long_one() {
        let long = [b'x'; 300];
        for length in [0, 1, 63, 64, 103, 104, 105, 112, 113, 300] {
            let part = &long[..length];
            let mut hasher = blake3::Hasher::new();
            for part in [b"response".as_slice(), part] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
            assert_eq!(EventId::of(&[b"response", part]).0, hasher.finalize().as_bytes()[..16]);
        }
    }
}
