//! Whole changes over many items: write what nobody sees yet, then replace the head. Whole views of one head.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;

use super::bytes::{Broken, Reader, put};
use super::head::{Bundle, Head, get_bundles, put_bundles};
use super::table::{Item, Key, Table, body, number, packed};
use super::{damaged, failed};
use crate::adapters::aws::failure::Failure;
use crate::ports::StoreError;

/// Times that a change is decided anew because another writer was first. Each time one of the writers has got through.
const MAX_ROUNDS: u32 = 12;

/// Bytes of one piece: an item has at most 400 KB.
const PIECE: usize = 350_000;

/// Bytes of the head beyond which nothing more is recorded. 350 KB are decades of days.
const HEAD_LIMIT: usize = 380_000;

/// Bytes of small immutable bodies kept in memory.
const KEPT: usize = 32 << 20;

/// What can stop a view or a change.
#[derive(Debug)]
pub enum Trouble {
    /// An item that the head names is not there: the head is no longer the newest, or the table is damaged.
    Gone(String),
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Trouble::Store(error)
    }
}

impl From<crate::domain::money::MoneyError> for Trouble {
    fn from(error: crate::domain::money::MoneyError) -> Self {
        Trouble::Store(error.into())
    }
}

/// The bodies of parts, by what they belong to.
pub type Bodies = HashMap<(Bundle, i64), Arc<Vec<u8>>>;

/// The table of a ledger.
pub struct Store {
    /// Its items.
    pub table: Table,
    kept: Bodies,
    kept_bytes: usize,
}

/// A change on its way: the head as it will be, and what it names.
pub struct Draft {
    /// Names this commit in the keys of its items.
    pub stamp: u64,
    /// The head to be.
    pub head: Head,
    puts: Vec<Item>,
    bundles: Vec<Bundle>,
    garbage: Vec<Bundle>,
}

impl Draft {
    /// Adds bodies, one item each, as parts from 0; with `ttl` (seconds since 1970) they end by themselves.
    pub fn add_parts(&mut self, what: super::head::What, bodies: Vec<Vec<u8>>, ttl: Option<i64>) -> Bundle {
        let bundle = Bundle {
            what,
            stamp: self.stamp,
            first: 0,
            parts: u32::try_from(bodies.len()).unwrap_or(u32::MAX),
            pieces: 1,
        };
        for (key, body) in bundle.keys().zip(bodies) {
            let mut item = packed(key, body);
            if let Some(ttl) = ttl {
                item.insert("ttl".to_owned(), AttributeValue::N(ttl.to_string()));
            }
            self.puts.push(item);
        }
        self.bundles.push(bundle);
        bundle
    }

    /// Adds one body as the part `part`, cut into as many pieces as it needs.
    pub fn add(&mut self, what: super::head::What, part: i64, body: &[u8]) -> Bundle {
        let pieces: Vec<&[u8]> = body.chunks(PIECE).collect();
        let bundle = Bundle {
            what,
            stamp: self.stamp,
            first: part,
            parts: 1,
            pieces: u32::try_from(pieces.len()).unwrap_or(u32::MAX),
        };
        for (key, piece) in bundle.keys().zip(pieces) {
            self.puts.push(packed(key, piece.to_vec()));
        }
        self.bundles.push(bundle);
        bundle
    }

    /// What the new head no longer names.
    pub fn drop(&mut self, bundle: Bundle) {
        self.garbage.push(bundle);
    }
}

impl Store {
    /// Of a table.
    pub fn new(table: Table) -> Self {
        Store {
            table,
            kept: Bodies::new(),
            kept_bytes: 0,
        }
    }

    /// An error of this store.
    pub fn fail(&self, failure: &Failure) -> Trouble {
        Trouble::Store(failed(self.table.name(), failure))
    }

    /// Broken content of this store.
    pub fn broken(&self, what: &str) -> impl Fn(Broken) -> Trouble + use<> {
        let error = (self.table.name().to_owned(), format!("{what} cannot be read"));
        move |Broken| Trouble::Store(damaged(&error.0, &error.1))
    }

    fn head_key() -> Key {
        ("head".to_owned(), "head".to_owned())
    }

    fn head(&mut self) -> Result<Head, Trouble> {
        let item = self.table.get(Self::head_key()).map_err(|e| self.fail(&e))?;
        let Some(item) = item else { return Ok(Head::default()) };
        let found = number(&item, "format").unwrap_or(0);
        if found > FORMAT {
            return Err(Trouble::Store(StoreError::TooNew {
                path: format!("dynamodb:{}", self.table.name()),
                found,
                known: FORMAT,
            }));
        }
        let bytes = body(item).ok_or(Broken).map_err(self.broken("the head"))?;
        Head::unpack(&bytes).map_err(self.broken("the head"))
    }

    /// The bodies of whole bundles. A missing item is [`Trouble::Gone`].
    pub fn load(&mut self, bundles: impl IntoIterator<Item = Bundle>) -> Result<Bodies, Trouble> {
        let parts = bundles
            .into_iter()
            .flat_map(|b| (0..i64::from(b.parts)).map(move |i| (b, b.first + i)));
        let wanted: Vec<(Bundle, i64)> = parts.collect();
        let found = self.load_parts(wanted.clone())?;
        for (bundle, part) in wanted {
            if !found.contains_key(&(bundle, part)) {
                let key = bundle.keys_of(part).next().unwrap_or_default();
                return Err(Trouble::Gone(key.0));
            }
        }
        Ok(found)
    }

    /// The bodies of parts, those that exist.
    pub fn load_parts(&mut self, parts: Vec<(Bundle, i64)>) -> Result<Bodies, Trouble> {
        let missing = parts.iter().filter(|part| !self.kept.contains_key(part));
        let keys: Vec<Key> = missing.flat_map(|(bundle, part)| bundle.keys_of(*part)).collect();
        let mut items = self.table.get_all(keys).map_err(|e| self.fail(&e))?;
        let mut found = Bodies::new();
        for part in parts {
            if let Some(body) = self.kept.get(&part) {
                found.insert(part, Arc::clone(body));
                continue;
            }
            let mut whole = Vec::new();
            let mut pieces = 0;
            for key in part.0.keys_of(part.1) {
                let Some(piece) = items.remove(&key).and_then(body) else {
                    break;
                };
                whole.extend(piece);
                pieces += 1;
            }
            if pieces == part.0.pieces {
                let whole = Arc::new(whole);
                self.keep(part, &whole);
                found.insert(part, whole);
            }
        }
        Ok(found)
    }

    fn keep(&mut self, part: (Bundle, i64), body: &Arc<Vec<u8>>) {
        if self.kept_bytes + body.len() > KEPT {
            self.kept.clear();
            self.kept_bytes = 0;
        }
        self.kept_bytes += body.len();
        self.kept.insert(part, Arc::clone(body));
    }

    /// Reads under one head; again under the next where a writer has cleaned up behind it.
    pub fn view<T>(&mut self, mut read: impl FnMut(&mut Store, &Head) -> Result<T, Trouble>) -> Result<T, StoreError> {
        let mut seen = None;
        for _ in 0..MAX_ROUNDS {
            let head = self.head().map_err(|e| self.lost(e))?;
            match read(self, &head) {
                Err(Trouble::Gone(key)) if seen == Some(head.version) => {
                    return Err(damaged(self.table.name(), &format!("the item `{key}` is missing")));
                }
                Err(Trouble::Gone(_)) => seen = Some(head.version),
                Err(Trouble::Store(error)) => return Err(error),
                Ok(value) => return Ok(value),
            }
        }
        Err(self.contended())
    }

    fn lost(&self, trouble: Trouble) -> StoreError {
        match trouble {
            Trouble::Gone(key) => damaged(self.table.name(), &format!("the item `{key}` is missing")),
            Trouble::Store(error) => error,
        }
    }

    fn contended(&self) -> StoreError {
        StoreError::Locked {
            path: format!("dynamodb:{}", self.table.name()),
        }
    }

    /// Changes the ledger: `decide` says how, from the head that is; it is asked again when another writer was first.
    pub fn change<T>(
        &mut self,
        mut decide: impl FnMut(&mut Store, &Head, &mut Draft) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        let mut seen = None;
        for round in 0..MAX_ROUNDS {
            let head = self.head().map_err(|e| self.lost(e))?;
            let mut draft = Draft {
                stamp: stamp(),
                head: head.clone(),
                puts: Vec::new(),
                bundles: Vec::new(),
                garbage: Vec::new(),
            };
            match decide(self, &head, &mut draft) {
                Ok(value) if draft.head == head => return Ok(value),
                Ok(value) => {
                    if self.commit(&head, draft)? {
                        return Ok(value);
                    }
                    // Writers that met once should not meet again at once.
                    self.table.pause(round.min(3) + u32::try_from(stamp() % 3).unwrap_or(0));
                }
                Err(Trouble::Gone(key)) if seen == Some(head.version) => return Err(self.lost(Trouble::Gone(key))),
                Err(Trouble::Gone(_)) => seen = Some(head.version),
                Err(Trouble::Store(error)) => return Err(error),
            }
        }
        Err(self.contended())
    }

    /// Writes the items, then the head. `false`: another writer was first, and nothing of the draft counts.
    fn commit(&mut self, base: &Head, draft: Draft) -> Result<bool, StoreError> {
        let Draft {
            stamp,
            mut head,
            puts,
            bundles,
            garbage,
        } = draft;
        let fail = |name: &str, e: Failure| failed(name, &e);
        let name = self.table.name().to_owned();
        let abandoned = self.sweep(base).map_err(|e| fail(&name, e))?;
        let many = bundles.len() + garbage.len() > 0;
        let attempt = (ATTEMPTS.to_owned(), format!("{stamp:016x}"));
        if many {
            let mut plan = Vec::new();
            put(&mut plan, u128::from(base.version));
            put_bundles(&mut plan, &bundles);
            self.table
                .write_all(vec![packed(attempt.clone(), plan)], Vec::new())
                .map_err(|e| fail(&name, e))?;
            self.table.write_all(puts, Vec::new()).map_err(|e| fail(&name, e))?;
        }
        let old: Vec<Key> = base
            .garbage
            .iter()
            .chain(&abandoned.bundles)
            .flat_map(|b| b.keys())
            .collect();
        self.table
            .write_all(Vec::new(), old.into_iter().chain(abandoned.attempts).collect())
            .map_err(|e| fail(&name, e))?;
        head.garbage = garbage;
        let head = head.committed(stamp);
        let bytes = head.pack();
        if bytes.len() > HEAD_LIMIT {
            return Err(damaged(
                &name,
                "its head has outgrown an item: archive the table and begin a new one",
            ));
        }
        let mut item = packed(Self::head_key(), bytes);
        item.insert("version".to_owned(), AttributeValue::N(head.version.to_string()));
        item.insert("format".to_owned(), AttributeValue::N(FORMAT.to_string()));
        let was = HashMap::from([(":was".to_owned(), AttributeValue::N(base.version.to_string()))]);
        let written = if base.version == 0 {
            self.table.put_if(item, "attribute_not_exists(pk)", Item::new())
        } else {
            self.table.put_if(item, "version = :was", was)
        };
        let committed = match written {
            Ok(true) => true,
            // A retry of a write whose answer was lost fails its own condition: the head tells.
            Ok(false) => self.head().map_err(|e| self.lost(e))?.recent.contains(&stamp),
            Err(failure) if failure.ambiguous => {
                if !self.head().map_err(|e| self.lost(e))?.recent.contains(&stamp) {
                    return Err(fail(&name, failure));
                }
                true
            }
            Err(failure) => return Err(fail(&name, failure)),
        };
        if many {
            let mut gone: Vec<Key> = if committed {
                Vec::new()
            } else {
                bundles.iter().flat_map(|b| b.keys()).collect()
            };
            gone.push(attempt);
            // Cleaning up is no part of the change: what stays is swept by the next writer.
            let _ = self.table.write_all(Vec::new(), gone);
        }
        Ok(committed)
    }

    /// What writers left behind that ended before their commit.
    fn sweep(&mut self, head: &Head) -> Result<Abandoned, Failure> {
        let mut abandoned = Abandoned::default();
        for item in self.table.query(ATTEMPTS)? {
            let Some(key) = super::table::key_of(&item) else {
                continue;
            };
            let Some((base, bundles)) = body(item).and_then(|bytes| plan(&bytes)) else {
                continue;
            };
            // A writer whose base is the head of now may still commit. Any older base can never be the head again.
            if base >= head.version {
                continue;
            }
            let stamp = u64::from_str_radix(&key.1, 16).unwrap_or_default();
            let remembered = base + 1 + head.recent.len() as u64 > head.version;
            if remembered && !head.recent.contains(&stamp) {
                abandoned.bundles.extend(bundles);
            }
            abandoned.attempts.push(key);
        }
        Ok(abandoned)
    }
}

/// The version of the layout.
const FORMAT: i64 = 1;

/// The partition of changes on their way.
const ATTEMPTS: &str = "attempt";

#[derive(Default)]
struct Abandoned {
    bundles: Vec<Bundle>,
    attempts: Vec<Key>,
}

fn plan(bytes: &[u8]) -> Option<(u64, Vec<Bundle>)> {
    let mut reader = Reader(bytes);
    let base = reader.fit().ok()?;
    Some((base, get_bundles(&mut reader).ok()?))
}

/// A number that no other commit has: the hasher's seed differs per process, the counter within one.
pub fn stamp() -> u64 {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u64(COUNTER.fetch_add(1, Ordering::Relaxed));
    hasher.write_u32(std::process::id());
    hasher.finish()
}
