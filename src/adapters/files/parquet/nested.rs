//! Columns that hold several values a row: maps, and groups of fields. A row is told by the numbers of its values; its text is put
//! together once for each combination of them.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashTable;
use parquet::basic::{ConvertedType, LogicalType};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::{SchemaDescriptor, Type};
use serde_json::{Map, Value};

use super::super::memo::mixed;
use super::chunk::Chunks;
use super::codes::Codes;
use super::leaf::Leaf;
use super::texts::Text;

/// What the values of a row are.
enum Shape {
    /// Keys and values in turns.
    Map,
    /// One value for each field of these names.
    Fields(Vec<String>),
}

/// A column of maps or of groups.
pub(super) struct Nested {
    shape: Shape,
    /// Of a map its keys and its values.
    leaves: Vec<Leaf>,
    known: HashTable<Entry>,
    /// The numbers of all rows that are known.
    sequences: Vec<u32>,
    seed: [u64; 2],
    /// Those of the row at hand.
    row: Vec<u32>,
}

/// A combination of values.
struct Entry {
    hash: u64,
    sequence: Range<usize>,
    /// Of its text.
    number: u32,
}

/// Numbers after which all combinations are forgotten: rows that never repeat must not grow the memory without bound.
const LIMIT: usize = 4 << 20;

impl Nested {
    /// The column that `root` is in its schema; none where it is of another shape.
    pub fn of(schema: &SchemaDescriptor, root: usize) -> Option<Self> {
        let field = schema.root_schema().get_fields().get(root)?;
        let shape = shape(field)?;
        let leaves = (0..schema.num_columns()).filter(|leaf| schema.get_column_root_idx(*leaf) == root);
        let leaves = leaves.map(|leaf| Leaf::new(leaf, schema.column(leaf)));
        let random = RandomState::new();
        Some(Nested {
            shape,
            leaves: leaves.collect::<Option<_>>()?,
            known: HashTable::new(),
            sequences: Vec::new(),
            seed: [random.hash_one(0) | 1, random.hash_one(1)],
            row: Vec::new(),
        })
    }

    /// Goes on with the values of a row group.
    pub fn open(&mut self, group: &dyn RowGroupReader, chunks: &Arc<Chunks>) -> Result<()> {
        self.leaves.iter_mut().try_for_each(|leaf| leaf.open(group, chunks))
    }

    /// Forgets the texts of its values where they are too many, and the combinations where they or their texts are (`forgotten`).
    pub fn bound(&mut self, forgotten: bool) {
        let full = self.leaves.iter_mut().fold(forgotten, |any, leaf| leaf.bounded() | any);
        if full || self.sequences.len() > LIMIT {
            // What is known was told by their numbers.
            self.known.clear();
            self.sequences.clear();
        }
    }

    /// Reads so many rows behind those that are passed over, into numbers of their texts.
    pub fn read(&mut self, group: &dyn RowGroupReader, behind: usize, rows: usize, codes: &mut Codes) -> Result<()> {
        let mut left = behind;
        while left > 0 {
            let some = left.min(super::BATCH);
            self.leaves.iter_mut().try_for_each(|leaf| leaf.read(group, some))?;
            left -= some;
        }
        self.leaves.iter_mut().try_for_each(|leaf| leaf.read(group, rows))?;
        for row in 0..rows {
            self.row.clear();
            match (&self.shape, self.leaves.as_slice()) {
                (Shape::Map, [keys, values]) => {
                    let (keys, values) = (keys.row(row), values.row(row));
                    if keys.len() != values.len() {
                        return Err(ParquetError::General("a map with more keys than values".to_owned()));
                    }
                    // An empty map has one key, which is nothing.
                    let pairs = keys.iter().zip(values).filter(|(key, _)| **key != 0);
                    self.row.extend(pairs.flat_map(|(key, value)| [*key, *value]));
                }
                (Shape::Map | Shape::Fields(_), leaves) => {
                    self.row
                        .extend(leaves.iter().map(|leaf| leaf.row(row).first().copied().unwrap_or(0)));
                }
            }
            let number = self.number(codes)?;
            codes.push_number(number);
        }
        Ok(())
    }

    /// The number of the text of the row at hand.
    fn number(&mut self, codes: &mut Codes) -> Result<u32> {
        if self.row.iter().all(|number| *number == 0) {
            return Ok(0);
        }
        let [mut hash, other] = self.seed;
        for number in &self.row {
            hash = mixed(hash ^ u64::from(*number), other);
        }
        let same = |entry: &Entry| {
            entry.hash == hash && self.sequences.get(entry.sequence.clone()) == Some(self.row.as_slice())
        };
        if let Some(entry) = self.known.find(hash, same) {
            return Ok(entry.number);
        }
        let number = codes.number_of(self.text())?;
        let start = self.sequences.len();
        self.sequences.extend_from_slice(&self.row);
        let sequence = start..self.sequences.len();
        let entry = Entry { hash, sequence, number };
        self.known.insert_unique(hash, entry, |entry| entry.hash);
        Ok(number)
    }

    /// The row at hand as a table of text would have it.
    fn text(&self) -> Text {
        let mut object = Map::new();
        match (&self.shape, self.leaves.as_slice()) {
            (Shape::Map, [keys, values]) => {
                for pair in self.row.chunks_exact(2) {
                    if let [key, value] = pair {
                        object.insert(keys.text(*key)?, json(values, *value)?);
                    }
                }
            }
            (Shape::Fields(names), leaves) => {
                for ((name, leaf), number) in names.iter().zip(leaves).zip(&self.row) {
                    object.insert(name.clone(), json(leaf, *number)?);
                }
            }
            (Shape::Map, _) => {}
        }
        Ok(Value::Object(object).to_string())
    }
}

fn json(leaf: &Leaf, number: u32) -> std::result::Result<Value, String> {
    Ok(match number {
        0 => Value::Null,
        _ => Value::String(leaf.text(number)?),
    })
}

/// What a field of a schema holds, if it is a map or a group of simple values.
fn shape(field: &Type) -> Option<Shape> {
    let once = |field: &Type| !field.get_basic_info().has_repetition() || !repeated(field);
    if field.is_primitive() || !once(field) {
        return None;
    }
    let info = field.get_basic_info();
    let children = field.get_fields();
    let is_map = matches!(info.logical_type_ref(), Some(LogicalType::Map))
        || matches!(info.converted_type(), ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE);
    if is_map {
        let [pairs] = children else { return None };
        if pairs.is_primitive() || !repeated(pairs) {
            return None;
        }
        let [key, value] = pairs.get_fields() else { return None };
        let simple = [key, value].into_iter().all(|f| f.is_primitive() && once(f));
        return simple.then_some(Shape::Map);
    }
    if info.logical_type_ref().is_some() || info.converted_type() != ConvertedType::NONE {
        return None;
    }
    let simple = children.iter().all(|f| f.is_primitive() && once(f));
    let names = children.iter().map(|f| f.name().to_owned());
    simple.then(|| Shape::Fields(names.collect()))
}

fn repeated(field: &Type) -> bool {
    let info = field.get_basic_info();
    info.has_repetition() && info.repetition() == parquet::basic::Repetition::REPEATED
}
