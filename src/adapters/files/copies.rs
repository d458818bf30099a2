//! Files of a bill that hold what another file holds: a copy, a packed one, or one that has grown since.

mod rows;

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

#[cfg(feature = "parquet")]
use super::parquet::without_rows;
use super::sniff::{Input, PARQUET, unpack};

pub(super) use rows::{Alike, alike};

/// How far the first rows are looked for.
const FRONT: u64 = 64 << 10;

/// How two streams compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Compared {
    Same,
    /// The first is the beginning of the second.
    Shorter,
    /// The second is the beginning of the first.
    Longer,
    Other,
}

/// The files of which another one of these holds all rows. One that cannot be read is none.
pub(super) fn held_by_others(files: &[&Path]) -> Vec<PathBuf> {
    // What begins alike is compared; of how it begins a number is enough, since there may be as many as files.
    let mut alike: HashMap<u64, Vec<&Path>> = HashMap::new();
    for file in files {
        if let Ok(Some(front)) = front(file) {
            alike.entry(front).or_default().push(file);
        }
    }
    let mut held = Vec::new();
    for mut files in alike.into_values().filter(|files| files.len() > 1) {
        // Of these the front tells nothing.
        files.retain(|file| !without_rows(file));
        let mut kept: Vec<&Path> = Vec::new();
        for file in files {
            let mut whole = true;
            let mut shorter = Vec::new();
            for other in &kept {
                match compare(file, other).unwrap_or(Compared::Other) {
                    Compared::Same | Compared::Shorter => whole = false,
                    Compared::Longer => shorter.push(*other),
                    Compared::Other => {}
                }
            }
            held.extend(shorter.iter().map(|other| other.to_path_buf()));
            kept.retain(|other| !shorter.contains(other));
            match whole {
                true => kept.push(file),
                false => held.push(file.to_path_buf()),
            }
        }
    }
    held.sort();
    held
}

/// A build that cannot read them knows no Parquet file without rows.
#[cfg(not(feature = "parquet"))]
fn without_rows(_: &Path) -> bool {
    false
}

fn open(path: &Path) -> io::Result<Input<'static>> {
    Ok(unpack(Box::new(File::open(path)?))?.0)
}

/// A number for the header and the first row; none where there is no row. Of Parquet it is one for the front alone.
fn front(path: &Path) -> io::Result<Option<u64>> {
    let mut front = Vec::new();
    open(path)?.take(FRONT).read_to_end(&mut front)?;
    if front.starts_with(PARQUET) {
        return Ok(Some(number(&front)));
    }
    let mut ends = memchr::memchr_iter(b'\n', &front).chain([front.len()]);
    let (header, row) = (ends.next().unwrap_or(0), ends.next().unwrap_or(0));
    if front.get(header..row).unwrap_or_default().trim_ascii().is_empty() {
        return Ok(None);
    }
    Ok(Some(number(front.get(..row).unwrap_or_default().trim_ascii_end())))
}

fn number(front: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(front);
    hasher.finish()
}

fn compare(a: &Path, b: &Path) -> io::Result<Compared> {
    let (mut a, mut b) = (BufReader::new(open(a)?), BufReader::new(open(b)?));
    let mut last = None;
    let (mut first, mut table) = (true, true);
    loop {
        let (one, two) = (a.fill_buf()?, b.fill_buf()?);
        if std::mem::take(&mut first) {
            table = !one.starts_with(PARQUET);
        }
        let both = one.len().min(two.len());
        if both == 0 {
            // What goes on must not go on within the last row.
            let cut =
                |more: &[u8]| !table || (last != Some(b'\n') && !more.starts_with(b"\n") && !more.starts_with(b"\r\n"));
            let found = match (one, two) {
                ([], []) => Compared::Same,
                ([], more) if !cut(more) => Compared::Shorter,
                (more, []) if !cut(more) => Compared::Longer,
                _ => Compared::Other,
            };
            // One that cannot be read to its end holds nothing of another.
            io::copy(&mut a, &mut io::sink())?;
            io::copy(&mut b, &mut io::sink())?;
            return Ok(found);
        }
        let (front, other) = (one.get(..both).unwrap_or_default(), two.get(..both).unwrap_or_default());
        if front != other {
            return Ok(Compared::Other);
        }
        last = front.last().copied();
        a.consume(both);
        b.consume(both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_beginnings_are_held_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let files = [
            file("a.csv", b"x,y\n1,2\n3,4\n"),
            file("b.csv", b"x,y\n1,2\n"),
            file("c.csv", b"x,y\n1,2\n3,4\n"),
            file("d.csv", b"x,y\n1,2\n3,4"),
            // Not the beginning of a row, nor one that goes on otherwise.
            file("e.csv", b"x,y\n1,2\n3,41\n"),
            file("f.csv", b"x,y\n1,2\n3,5\n"),
            file("header.csv", b"x,y\n"),
            file("empty.csv", b""),
        ];
        let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let held = held_by_others(&paths);
        let names: Vec<_> = held
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["b.csv", "c.csv", "d.csv"]);
    }
}
