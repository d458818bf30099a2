//! Small copyable handles for the names that repeat millions of times (models, teams, projects).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{OnceLock, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::same::same;

/// Longest name kept, in bytes. Names come from logs that anyone can write: a megabyte "model name" is an attack on the
/// memory of the reader, not a name.
pub const MAX_LABEL_BYTES: usize = 512;

/// A name, interned for the life of the process: copying costs nothing, comparing for equality costs one integer compare.
///
/// The empty label means "not given". Ordering is by text, so that output never depends on the order of interning.
///
/// ```
/// use finops::domain::label::Label;
/// let a = Label::new("claude-sonnet-4-6");
/// assert_eq!(a, Label::new("claude-sonnet-4-6"));
/// assert_eq!(a.as_str(), "claude-sonnet-4-6");
/// assert!(Label::EMPTY.is_empty());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Label(u32);

#[derive(Default)]
struct Interner {
    by_text: HashMap<&'static str, u32>,
    texts: Vec<&'static str>,
}

fn interner() -> &'static RwLock<Interner> {
    static INTERNER: OnceLock<RwLock<Interner>> = OnceLock::new();
    INTERNER.get_or_init(|| {
        let mut first = Interner::default();
        first.by_text.insert("", 0);
        first.texts.push("");
        RwLock::new(first)
    })
}

impl Label {
    /// The label of "not given".
    pub const EMPTY: Label = Label(0);

    /// Interns `text`. Text beyond [`MAX_LABEL_BYTES`] is cut at a character border, and ends in a digest of the whole: two long names
    /// that begin alike stay apart, and no name of a model becomes that of another.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.is_empty() {
            return Self::EMPTY;
        }
        let text = cut(text);
        let text = text.as_ref();
        // A poisoned lock still holds consistent data: every write below finishes or does not start.
        if let Some(&id) = interner().read().unwrap_or_else(|e| e.into_inner()).by_text.get(text) {
            return Label(id);
        }
        let mut table = interner().write().unwrap_or_else(|e| e.into_inner());
        if let Some(&id) = table.by_text.get(text) {
            return Label(id);
        }
        let Ok(id) = u32::try_from(table.texts.len()) else {
            return Self::EMPTY;
        };
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        table.texts.push(kept);
        table.by_text.insert(kept, id);
        Label(id)
    }

    /// The text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let table = interner().read().unwrap_or_else(|e| e.into_inner());
        table.texts.get(self.0 as usize).copied().unwrap_or("")
    }

    /// Whether this is the label of "not given".
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The handle as a dense index, unique within this process only; never store it.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Stands before the digest. Of a model's name the last part between slashes may be what it is priced by: no model is called so.
const MARK: &str = "/…";
/// Characters of the digest that a name ends in that was cut.
const DIGEST: usize = 16;

fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_LABEL_BYTES {
        return Cow::Borrowed(text);
    }
    let mut end = MAX_LABEL_BYTES - DIGEST - MARK.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let digest = blake3::hash(text.as_bytes()).to_hex();
    let kept = text.get(..end).unwrap_or("");
    Cow::Owned(format!("{kept}{MARK}{}", digest.get(..DIGEST).unwrap_or("")))
}

impl From<&str> for Label {
    fn from(text: &str) -> Self {
        Label::new(text)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Label {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if self.0 == other.0 {
            std::cmp::Ordering::Equal
        } else {
            self.as_str().cmp(other.as_str())
        }
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Label::new(&text))
    }
}

/// A lock-free front of the interner for one reader: a hot loop interns through this.
pub struct LabelCache {
    /// Texts met last, by [`Ends::place`]: most names of a record are those of the records just before it.
    recent: Box<[Recent; RECENT]>,
    known: HashMap<&'static str, Label, rustc_hash::FxBuildHasher>,
}

/// Entries after which a cache starts anew: names that never repeat must not grow it without bound.
const CACHE_LIMIT: usize = 65_536;
/// Places for texts met last, a power of two.
const RECENT: usize = 2048;
/// Bytes at each end of a text that are compared as a number.
const END: usize = 8;
/// Bytes between them of a text that has a place there.
const BETWEEN: usize = 43;

/// A text and its label, in one line of the processor's cache.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Recent {
    ends: Ends,
    label: Label,
    length: u8,
    between: [u8; BETWEEN],
}

impl Recent {
    /// Stands for the empty text.
    const EMPTY: Recent = Recent {
        ends: Ends { first: 0, last: 0 },
        label: Label::EMPTY,
        length: 0,
        between: [0; BETWEEN],
    };

    #[inline(always)]
    fn is(&self, text: &[u8], ends: Ends) -> bool {
        if usize::from(self.length) != text.len() || self.ends != ends {
            return false;
        }
        // Of a shorter text the ends are all.
        if text.len() <= 2 * END {
            return true;
        }
        let known = self.between.get(..text.len() - 2 * END);
        known.is_some_and(|known| same(known, between(text)))
    }
}

impl Default for LabelCache {
    fn default() -> Self {
        LabelCache {
            recent: Box::new([Recent::EMPTY; RECENT]),
            known: HashMap::default(),
        }
    }
}

impl LabelCache {
    /// The label of `text`, from the cache where it is known.
    #[inline(always)]
    pub fn get(&mut self, text: &str) -> Label {
        let ends = Ends::of(text.as_bytes());
        match self.recent.get(ends.place(text.len())) {
            Some(recent) if recent.is(text.as_bytes(), ends) => recent.label,
            Some(_) | None => self.get_at(text, ends),
        }
    }

    #[inline(never)]
    fn get_at(&mut self, text: &str, ends: Ends) -> Label {
        let label = match self.known.get(text) {
            Some(label) => *label,
            None => {
                if self.known.len() >= CACHE_LIMIT {
                    self.known.clear();
                }
                let label = Label::new(text);
                self.known.insert(label.as_str(), label);
                label
            }
        };
        let between = between(text.as_bytes());
        if let Some(recent) = self.recent.get_mut(ends.place(text.len()))
            && let Some(short) = recent.between.get_mut(..between.len())
        {
            short.copy_from_slice(between);
            recent.length = text.len() as u8;
            (recent.ends, recent.label) = (ends, label);
        }
        label
    }
}

/// What stands between the ends of a text.
#[inline(always)]
fn between(text: &[u8]) -> &[u8] {
    let end = text.len().saturating_sub(END);
    text.get(END..end).unwrap_or(&[])
}

/// The first and the last bytes of a text. Together with its length they tell each text apart that has no others.
#[derive(Clone, Copy, PartialEq)]
struct Ends {
    first: u64,
    last: u64,
}

impl Ends {
    #[inline(always)]
    fn of(text: &[u8]) -> Ends {
        match (text.first_chunk::<END>(), text.last_chunk::<END>()) {
            (Some(first), Some(last)) => Ends {
                first: u64::from_le_bytes(*first),
                last: u64::from_le_bytes(*last),
            },
            _ => Ends::of_short(text),
        }
    }

    /// The same of a text of less bytes than one end has.
    #[inline(always)]
    fn of_short(text: &[u8]) -> Ends {
        let (first, last) = match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            (Some(first), Some(last)) => (u32::from_le_bytes(*first), u32::from_le_bytes(*last)),
            _ => (text.iter().fold(0, |sum, b| sum << 8 | u32::from(*b)), 0),
        };
        Ends {
            first: first.into(),
            last: last.into(),
        }
    }

    /// A cheap spread of texts over the places: numbers tend to stand at the end of a name, kinds at its beginning.
    #[inline(always)]
    fn place(self, length: usize) -> usize {
        let ends = self.first ^ self.last.rotate_left(29);
        let mixed = (ends ^ length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 53) as usize % RECENT
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Texts of every length that are alike but for a byte, so that some of them meet in one place.
        #[test]
        fn the_label_from_the_cache_is_that_of_the_text(texts in prop::collection::vec(("[ab\0]{1,2}", 0..70_usize, any::<bool>()), 1..60)) {
            let mut cache = LabelCache::default();
            for (piece, length, at_end) in texts {
                let mut text = "x".repeat(length);
                text.insert_str(if at_end { length } else { length / 2 }, &piece);
                prop_assert_eq!(cache.get(&text).as_str(), text.as_str());
            }
        }
    }

    #[test]
    fn long_names_are_cut_at_a_character_border_and_stay_apart() {
        let text = "é".repeat(MAX_LABEL_BYTES);
        let label = Label::new(&text);
        let (kept, digest) = label.as_str().split_once(MARK).unwrap();
        assert!(text.starts_with(kept) && label.as_str().len() <= MAX_LABEL_BYTES);
        assert_eq!((kept.len(), digest.len()), (492, DIGEST));
        let mut cache = LabelCache::default();
        assert_eq!(
            [cache.get(&text), cache.get(&text), Label::new(label.as_str())],
            [label; 3]
        );
        assert_ne!(cache.get(&format!("{text}a")), cache.get(&format!("{text}b")));
        let whole = "n".repeat(MAX_LABEL_BYTES);
        assert_eq!(Label::new(&whole).as_str(), whole);
    }

    #[test]
    fn order_is_by_text_whatever_the_order_of_interning() {
        let (z, a) = (Label::new("order-z"), Label::new("order-a"));
        assert!(a < z);
        let mut cache = LabelCache::default();
        assert_eq!(cache.get("order-z"), z);
        assert_eq!(cache.get("order-z"), z);
    }
}
