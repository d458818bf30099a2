//! Tables of one folder that hold the same rows, in another order or with other line ends, or most of them.

mod compared;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use csv::StringRecord;
use rustc_hash::{FxBuildHasher, FxHasher};

use super::{FRONT, PARQUET, open};
use crate::adapters::files::records::{Records, Rows};
use crate::adapters::files::sniff::Input;

/// Lines of a table's front that are looked for in others before all of its rows are: reading all of each pair would take long.
const SAMPLE: usize = 16;
/// Pairs of a folder that are compared row by row without one of them turning out to be held by the other.
const PAIRS: usize = 32;
/// How much of a line is compared at once.
const LINE: u64 = 1 << 20;

/// What tables of one folder have in common.
#[derive(Default)]
pub(in super::super) struct Alike {
    /// Those of which another one with the same columns has all rows.
    pub held: Vec<PathBuf>,
    /// Two that have most rows in common, and are neither.
    pub doubts: Vec<(PathBuf, PathBuf)>,
}

/// A table.
struct Table<'p> {
    path: &'p Path,
    /// In their order, in small letters.
    names: Vec<String>,
    /// Lines of its front.
    lines: Numbers,
}

/// Numbers of lines or rows.
type Numbers = HashSet<u64, FxBuildHasher>;

/// The front of a table, and what it has of the fronts of others.
#[derive(Default)]
struct Sample {
    own: Numbers,
    met: Numbers,
}

impl Sample {
    /// How much of the front of one of two is in the other, if it is most of it.
    fn likeness(&self, other: &Sample) -> Option<Likeness> {
        let of = |of: &Sample, among: &Sample| {
            let met = of.own.iter().filter(|row| among.met.contains(row)).count();
            match met {
                met if met > 0 && met == of.own.len() => Some(Likeness::Whole),
                met => (met * 2 > of.own.len()).then_some(Likeness::Most),
            }
        };
        of(self, other).into_iter().chain(of(other, self)).min()
    }
}

/// How far two tables may be alike, as their fronts say: what may be held comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    Whole,
    Most,
    /// Their columns are not the same.
    OtherColumns,
}

/// Two tables, by their numbers.
type Pair = (Likeness, usize, usize);

/// Looks through the tables among these. One that cannot be read, or not as a table with commas, has nothing in common with others.
pub(in super::super) fn alike(files: &[&Path]) -> Alike {
    let mut folders: BTreeMap<Option<&Path>, Vec<&Path>> = BTreeMap::new();
    for file in files {
        folders.entry(file.parent()).or_default().push(file);
    }
    let mut alike = Alike::default();
    for files in folders.into_values().filter(|files| files.len() > 1) {
        let tables = files.into_iter().filter_map(|path| Table::of(path).ok().flatten());
        of_folder(&tables.collect::<Vec<_>>(), &mut alike);
    }
    alike.held.sort();
    alike
}

/// Pairs that are worth being compared row by row: that takes long, and parts of an export are many.
fn pairs(tables: &[Table<'_>]) -> BTreeSet<Pair> {
    let mut of_names: BTreeMap<&Vec<String>, Vec<usize>> = BTreeMap::new();
    for (at, table) in tables.iter().enumerate() {
        of_names.entry(&table.names).or_default().push(at);
    }
    let mut pairs = BTreeSet::new();
    // Tables that have most of their columns in common, and these columns: each is in one family, so that it is read once more at most.
    let mut families: Vec<(Vec<String>, Vec<usize>)> = Vec::new();
    for (names, of) in of_names {
        pairs.extend(like(
            tables,
            &of,
            |table| Ok(table.lines.clone()),
            |table, wanted| table.meet(wanted),
        ));
        let family = families.iter_mut().find_map(|(known, all)| {
            let both: Vec<String> = known.iter().filter(|name| names.contains(name)).cloned().collect();
            (both.len() * 2 > known.len().min(names.len())).then_some((known, all, both))
        });
        match family {
            Some((known, all, both)) => {
                *known = both;
                all.extend(of);
            }
            None => families.push((names.clone(), of)),
        }
    }
    for (names, of) in families {
        let in_order = |at: &usize| tables.get(*at).map(|table| &table.names);
        // Lines of tables with other columns say nothing: of these, rows by the columns that all have.
        if of.iter().all(|at| in_order(at) == of.first().and_then(in_order)) {
            continue;
        }
        let found = like(
            tables,
            &of,
            |table| table.front(&names),
            |table, wanted| table.meet_rows(&names, wanted),
        );
        pairs.extend(found.into_iter().filter_map(|(likeness, one, other)| {
            let (first, second) = (tables.get(one)?, tables.get(other)?);
            match first.has_columns_of(second) {
                true => (first.names != second.names).then_some((likeness, one, other)),
                false => Some((Likeness::OtherColumns, one, other)),
            }
        }));
    }
    pairs
}

/// Those of these tables of which one has most of the front of the other.
fn like(
    tables: &[Table<'_>],
    of: &[usize],
    front: impl Fn(&Table<'_>) -> io::Result<Numbers>,
    meet: impl Fn(&Table<'_>, &Numbers) -> io::Result<Numbers>,
) -> Vec<Pair> {
    if of.len() < 2 {
        return Vec::new();
    }
    let of = of.iter().filter_map(|at| Some((*at, tables.get(*at)?)));
    // What cannot be read is told when it is read as a bill.
    let fronts: Vec<(usize, &Table<'_>, Numbers)> = of
        .filter_map(|(at, table)| Some((at, table, front(table).ok()?)))
        .collect();
    let wanted: Numbers = fronts.iter().flat_map(|(_, _, own)| own).copied().collect();
    let samples = fronts.into_iter().map(|(at, table, own)| {
        let met = meet(table, &wanted).unwrap_or_default();
        (at, Sample { own, met })
    });
    let samples: Vec<(usize, Sample)> = samples.collect();
    let mut pairs = Vec::new();
    for (number, (one, sample)) in samples.iter().enumerate() {
        let behind = samples.iter().skip(number + 1);
        pairs.extend(behind.filter_map(|(other, met)| Some((sample.likeness(met)?, *one, *other))));
    }
    pairs
}

fn of_folder(tables: &[Table<'_>], alike: &mut Alike) {
    let mut gone = vec![false; tables.len()];
    let mut doubts = Vec::new();
    let mut left = PAIRS;
    for (_, at, behind) in pairs(tables) {
        let is_gone = |at: usize| gone.get(at).copied().unwrap_or_default();
        let (Some(one), Some(other)) = (tables.get(at), tables.get(behind)) else {
            continue;
        };
        if is_gone(at) || is_gone(behind) {
            continue;
        }
        // Those that find one to be held are no more than tables; of the others there may be one for each two.
        if left == 0 {
            break;
        }
        let compared = one.compare(other).unwrap_or_default();
        let loses = match compared.held {
            [true, false] => at,
            [_, true] => behind,
            [false, false] => {
                left -= 1;
                if compared.most {
                    doubts.push((at, behind));
                }
                continue;
            }
        };
        if let Some(slot) = gone.get_mut(loses) {
            *slot = true;
        }
    }
    for (table, gone) in tables.iter().zip(&gone) {
        if *gone {
            alike.held.push(table.path.to_owned());
        }
    }
    let stays = |at: &usize| {
        let table = tables.get(*at).filter(|_| gone.get(*at) == Some(&false));
        table.map(|table| table.path.to_owned())
    };
    alike.doubts.extend(
        doubts
            .iter()
            .filter_map(|(one, other)| Some((stays(one)?, stays(other)?))),
    );
}

impl<'p> Table<'p> {
    /// None of what is no table with commas, or has no row.
    fn of(path: &'p Path) -> io::Result<Option<Self>> {
        let mut front = Vec::new();
        open(path)?.take(FRONT).read_to_end(&mut front)?;
        let front = front.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&front);
        if front.starts_with(PARQUET) || matches!(front.trim_ascii_start().first(), None | Some(b'{' | b'[')) {
            return Ok(None);
        }
        let names = read(path)?.headers().map_err(other)?.clone();
        let names: Vec<String> = names.iter().map(str::to_ascii_lowercase).collect();
        let distinct: HashSet<&String> = names.iter().collect();
        if names.len() < 2 || distinct.len() < names.len() {
            return Ok(None);
        }
        // The last one may be cut.
        let whole = memchr::memrchr(b'\n', front).filter(|_| front.len() as u64 + 3 >= FRONT);
        let front = front.get(..whole.unwrap_or(front.len())).unwrap_or_default();
        let lines = front.split(|b| *b == b'\n').skip(1);
        let lines = lines.filter(|line| !line.trim_ascii().is_empty());
        let mut bare = Vec::new();
        Ok(Some(Table {
            path,
            names,
            lines: lines.take(SAMPLE).map(|line| number(line, &mut bare)).collect(),
        }))
    }

    /// Those of these lines that it has.
    fn meet(&self, wanted: &Numbers) -> io::Result<Numbers> {
        let mut reader = BufReader::with_capacity(128 << 10, open(self.path)?);
        let (mut line, mut bare) = (Vec::new(), Vec::new());
        let mut met = Numbers::default();
        while (&mut reader).take(LINE).read_until(b'\n', &mut line)? > 0 {
            met.extend(Some(number(&line, &mut bare)).filter(|number| wanted.contains(number)));
            line.clear();
        }
        Ok(met)
    }

    /// Rows of its front by these columns.
    fn front(&self, names: &[String]) -> io::Result<Numbers> {
        let (mut front, mut rows) = (Numbers::default(), 0);
        each(self.path, &self.columns(names), |row, _| {
            front.insert(row);
            rows += 1;
            rows < SAMPLE
        })?;
        Ok(front)
    }

    /// Those of these rows that it has, by these columns.
    fn meet_rows(&self, names: &[String], wanted: &Numbers) -> io::Result<Numbers> {
        let mut met = Numbers::default();
        each(self.path, &self.columns(names), |row, _| {
            met.extend(Some(row).filter(|row| wanted.contains(row)));
            true
        })?;
        Ok(met)
    }

    fn columns(&self, names: &[String]) -> Vec<usize> {
        let at = |name: &String| self.names.iter().position(|known| known == name);
        names.iter().filter_map(at).collect()
    }

    /// Whether both have the same columns, in whatever order.
    fn has_columns_of(&self, other: &Table<'_>) -> bool {
        self.names.len() == other.names.len() && self.names.iter().all(|name| other.names.contains(name))
    }
}

/// A number for a line, however its values are quoted and it ends.
fn number(line: &[u8], bare: &mut Vec<u8>) -> u64 {
    bare.clear();
    for part in line.trim_ascii_end().split(|b| *b == b'"') {
        bare.extend_from_slice(part);
    }
    let mut hasher = FxHasher::default();
    hasher.write(bare);
    hasher.finish()
}

fn read(path: &Path) -> io::Result<csv::Reader<Rows<Input<'static>>>> {
    let mut records = Records::new(open(path)?, 0, 0);
    records.skip_mark()?;
    let mut builder = csv::ReaderBuilder::new();
    Ok(builder
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(Rows::new(records)))
}

/// Hands over each row and a number for it, by these columns in this order, for as long as more are wanted.
fn each(path: &Path, columns: &[usize], mut take: impl FnMut(u64, &StringRecord) -> bool) -> io::Result<()> {
    let mut table = read(path)?;
    let width = table.headers().map_err(other)?.len();
    let mut row = StringRecord::new();
    while table.read_record(&mut row).map_err(other)? {
        // What is refused holds nothing of another.
        if row.len() != width || !table.get_mut().broken().is_empty() {
            return Err(io::Error::other("a row that is refused"));
        }
        let mut hasher = DefaultHasher::new();
        for at in columns {
            row.get(*at).unwrap_or_default().hash(&mut hasher);
        }
        if !take(hasher.finish(), &row) {
            break;
        }
    }
    Ok(())
}

fn other(error: csv::Error) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests;
