//! Who a call is.

use std::fmt;
use std::hash::{Hash, Hasher};

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
    use super::*;

    #[test]
    fn identities_keep_their_parts_apart() {
        assert_ne!(EventId::of(&[b"a", b"bc"]), EventId::of(&[b"ab", b"c"]));
        let id = EventId::of(&[b"response", b"msg_01"]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("xyz".parse::<EventId>().is_err());
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
