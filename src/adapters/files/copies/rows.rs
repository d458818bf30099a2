//! Tables of one folder that hold the same rows: in another order, with other line ends, or with columns that the other one lacks.

use std::collections::{BTreeMap, HashMap, HashSet};
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
/// Rows of a table that are remembered at once; of one with more, those of every second number, fourth, and so on.
const REMEMBERED: usize = 4 << 20;
/// How much of a line is compared at once.
const LINE: u64 = 1 << 20;

/// What tables of one folder have in common.
#[derive(Default)]
pub(in super::super) struct Alike {
    /// Those of which another one has all rows, each as often.
    pub held: Vec<PathBuf>,
    /// Two that have most rows in common, and are neither.
    pub doubts: Vec<(PathBuf, PathBuf)>,
}

/// A table, and the beginnings of what it is compared by.
struct Table<'p> {
    path: &'p Path,
    /// In their order, in small letters.
    names: Vec<String>,
    /// Numbers of lines of its front.
    sample: HashSet<u64, FxBuildHasher>,
    /// Those lines of others that it has, too.
    met: HashSet<u64, FxBuildHasher>,
}

/// How the rows of two tables compare.
#[derive(Default, PartialEq, Eq, Debug)]
struct Compared {
    /// Whether each row of the first is in the second as often, and the other way round.
    held: [bool; 2],
    /// Whether most rows of the smaller one are in the other.
    most: bool,
}

/// Looks through the tables among these. One that cannot be read, or not as a table with commas, has nothing in common with others.
pub(in super::super) fn alike(files: &[&Path]) -> Alike {
    let mut folders: BTreeMap<Option<&Path>, Vec<&Path>> = BTreeMap::new();
    for file in files {
        folders.entry(file.parent()).or_default().push(file);
    }
    let mut alike = Alike::default();
    for files in folders.into_values().filter(|files| files.len() > 1) {
        let tables = files.into_iter().filter_map(|path| Table::of(path).ok().flatten());
        of_folder(tables.collect(), &mut alike);
    }
    alike.held.sort();
    alike
}

fn of_folder(mut tables: Vec<Table<'_>>, alike: &mut Alike) {
    let wanted: HashSet<u64, FxBuildHasher> = tables.iter().flat_map(|table| &table.sample).copied().collect();
    if tables.len() > 1 {
        for table in &mut tables {
            // What cannot be read now is told when it is read as a bill.
            table.meet(&wanted).ok();
        }
    }
    let mut gone = vec![false; tables.len()];
    let mut doubts = Vec::new();
    for (at, one) in tables.iter().enumerate() {
        for (behind, other) in tables.iter().enumerate().skip(at + 1) {
            let is_gone = |at: usize| gone.get(at).copied().unwrap_or_default();
            if is_gone(at) || is_gone(behind) || !one.may_be_like(other) {
                continue;
            }
            let Ok(compared) = one.compare(other) else { continue };
            let loses = match compared.held {
                // Both hold the same: the one that says more of it counts.
                [true, true] if one.names.len() >= other.names.len() => behind,
                [true, _] => at,
                [false, true] => behind,
                [false, false] => {
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
            sample: lines.take(SAMPLE).map(|line| number(line, &mut bare)).collect(),
            met: HashSet::default(),
        }))
    }

    /// Looks for lines of other tables in this one.
    fn meet(&mut self, wanted: &HashSet<u64, FxBuildHasher>) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(128 << 10, open(self.path)?);
        let (mut line, mut bare) = (Vec::new(), Vec::new());
        while (&mut reader).take(LINE).read_until(b'\n', &mut line)? > 0 {
            let number = number(&line, &mut bare);
            if wanted.contains(&number) {
                self.met.insert(number);
            }
            line.clear();
        }
        Ok(())
    }

    /// Whether two are worth being compared row by row. Lines of other columns say nothing of each other.
    fn may_be_like(&self, other: &Table<'_>) -> bool {
        let most = |of: &Table<'_>, among: &Table<'_>| {
            of.sample.iter().filter(|line| among.met.contains(line)).count() * 2 > of.sample.len()
        };
        if self.names == other.names {
            return most(self, other) || most(other, self);
        }
        let all = |of: &Table<'_>, among: &Table<'_>| of.names.iter().all(|name| among.names.contains(name));
        all(self, other) || all(other, self)
    }

    /// By the columns that both have.
    fn compare(&self, other: &Table<'_>) -> io::Result<Compared> {
        let shared = self.names.iter().filter_map(|name| {
            let at = |table: &Table<'_>| table.names.iter().position(|known| known == name);
            Some((at(self)?, at(other)?))
        });
        let (mine, others): (Vec<usize>, Vec<usize>) = shared.unzip();
        let mut rows: HashMap<u64, [u64; 2], FxBuildHasher> = HashMap::default();
        let mut mask = 0;
        each(self.path, &mine, |row| {
            if row & mask == 0 {
                let [times, _] = rows.entry(row).or_default();
                *times += 1;
            }
            if rows.len() > REMEMBERED {
                mask = (mask << 1) | 1;
                rows.retain(|row, _| row & mask == 0);
            }
        })?;
        let mut more = 0_u64;
        each(other.path, &others, |row| match rows.get_mut(&row) {
            Some([_, times]) => *times += 1,
            None => more += u64::from(row & mask == 0),
        })?;
        let all = rows.values().fold([0, more, 0], |[a, b, both], [one, other]| {
            [a + one, b + other, both + one.min(other)]
        });
        let [mine, others, both] = all;
        let as_often = |[one, other]: &[u64; 2]| one == other;
        Ok(Compared {
            held: [
                mine > 0 && rows.values().all(as_often),
                others > 0 && more == 0 && rows.values().filter(|[_, other]| *other > 0).all(as_often),
            ],
            most: both * 2 > mine.min(others),
        })
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

/// Hands over a number for each row, by these columns in this order.
fn each(path: &Path, columns: &[usize], mut take: impl FnMut(u64)) -> io::Result<()> {
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
        take(hasher.finish());
    }
    Ok(())
}

fn other(error: csv::Error) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "cost,day,who";

    /// The names of those that are held, and of those in doubt.
    fn told(files: &[(&str, String)]) -> (Vec<String>, Vec<(String, String)>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
        let alike = alike(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let doubts = alike.doubts.iter().map(|(a, b)| (name(a), name(b)));
        (alike.held.iter().map(name).collect(), doubts.collect())
    }

    fn table(header: &str, rows: &[String], end: &str) -> String {
        let lines = std::iter::once(header).chain(rows.iter().map(String::as_str));
        lines.map(|line| format!("{line}{end}")).collect()
    }

    #[test]
    fn a_table_whose_rows_another_one_has_is_held_however_they_are_written() {
        let all: Vec<String> = (1..=40).map(|day| format!("{day}.25,2026-11-{day},a")).collect();
        let five = table(HEADER, &all[..5], "\n");
        let mut reversed = all.clone();
        reversed.reverse();
        let wider: Vec<String> = reversed.iter().map(|row| format!("x,{row}")).collect();
        let quoted: Vec<String> = reversed
            .iter()
            .map(|row| format!("\"{}\"", row.replace(',', "\",\"")))
            .collect();
        for newer in [
            table(HEADER, &reversed, "\n"),
            table(HEADER, &all, "\r\n"),
            table(&format!("more,{HEADER}"), &wider, "\n"),
            table(HEADER, &quoted, "\n"),
            format!("\u{feff}{}", table("Cost,Day,Who", &reversed, "\r\n")),
        ] {
            for names in [["a", "b"], ["b", "a"]] {
                let [old, new] = names;
                let found = told(&[(old, five.clone()), (new, newer.clone())]);
                assert_eq!(found, (vec![old.to_owned()], Vec::new()), "{newer}");
            }
        }
        // The same rows: one of them counts, the one that says more.
        let wide = table(&format!("more,{HEADER}"), &wider, "\n");
        let same = [("a", table(HEADER, &all, "\n")), ("b", wide), ("c", five)];
        assert_eq!(told(&same).0, ["a", "c"]);
    }

    #[test]
    fn parts_are_none_of_another_and_what_nobody_can_know_is_told() {
        let row = |day: u32, who: &str| format!("20,2026-11-{day},{who}");
        let seats = |times: usize| (1..=9).flat_map(|day| vec![row(day, "x"); times]).collect::<Vec<_>>();
        // As many seats of one price, of two teams; and the first of a month alike, the rest corrected.
        let teams = [
            ("a", table(HEADER, &seats(5), "\n")),
            ("b", table(HEADER, &seats(3), "\n")),
        ];
        let doubt = vec![("a".to_owned(), "b".to_owned())];
        assert_eq!(told(&teams), (Vec::new(), doubt.clone()));
        let month = |who: &str| {
            (1..=9)
                .map(|day| row(day, if day > 6 { who } else { "x" }))
                .collect::<Vec<_>>()
        };
        let corrected = [
            ("a", table(HEADER, &month("y"), "\n")),
            ("b", table(HEADER, &month("z"), "\n")),
        ];
        assert_eq!(told(&corrected), (Vec::new(), doubt));
        // Some rows are alike: nothing is told.
        let some = |who: &str| {
            (1..=9)
                .map(|day| row(day, if day > 2 { who } else { "x" }))
                .collect::<Vec<_>>()
        };
        let some = [
            ("a", table(HEADER, &some("y"), "\n")),
            ("b", table(HEADER, &some("z"), "\n")),
        ];
        assert_eq!(told(&some), (Vec::new(), Vec::new()));
        let other = [
            ("a", table(HEADER, &month("y"), "\n")),
            ("b", "{\"cost\":1}\n".to_owned()),
        ];
        assert_eq!(told(&other), (Vec::new(), Vec::new()));
    }

    proptest! {
        /// An export that is cut into files by row is added up, a bill that is downloaded again is not.
        #[test]
        fn parts_of_an_export_are_added_up_and_a_later_download_replaces(
            order in Just((0..120_usize).collect::<Vec<_>>()).prop_shuffle(),
            cuts in prop::collection::btree_set(1..119_usize, 0..5),
            known in 1..120_usize,
        ) {
            let row = |at: usize| format!("{}.5,2026-11-{},{at}", at % 7, at % 30);
            let rows: Vec<String> = order.iter().map(|at| row(*at)).collect();
            let bounds: Vec<usize> = std::iter::once(0).chain(cuts).chain([rows.len()]).collect();
            let mut files: Vec<(String, String)> = bounds
                .windows(2)
                .map(|cut| (format!("part{}", cut[0]), table(HEADER, &rows[cut[0]..cut[1]], "\n")))
                .collect();
            let found = |files: &[(String, String)]| {
                told(&files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect::<Vec<_>>())
            };
            prop_assert_eq!(found(&files), (Vec::new(), Vec::new()));
            // The month so far, in its own order, beside the whole one.
            let so_far: Vec<String> = (0..known).map(row).collect();
            files = vec![("so-far".to_owned(), table(HEADER, &so_far, "\r\n")), ("whole".to_owned(), table(HEADER, &rows, "\n"))];
            prop_assert_eq!(found(&files), (vec!["so-far".to_owned()], Vec::new()));
        }
    }
}
