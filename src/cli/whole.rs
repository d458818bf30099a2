//! Files that are written whole or not at all.

use std::fs::{File, Metadata};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file that takes the place of an earlier one when it is done: it is written beside it first, so that a disk that is full, or a
/// kill, leaves what is there as it is.
pub struct Whole {
    file: BufWriter<File>,
    /// Where it is written, and what it becomes; nothing where it is written as it lies.
    moved: Option<Moved>,
}

/// Files that runs may leave that are killed, before it is time that somebody looks.
const TRIES: u32 = 1000;

struct Moved {
    beside: PathBuf,
    target: PathBuf,
    known: Option<Metadata>,
}

impl Whole {
    /// Begins one.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let in_place = || {
            Ok(Whole {
                file: BufWriter::new(File::create(path)?),
                moved: None,
            })
        };
        // What a link leads to is written, and the link stays.
        let there = path.symlink_metadata().is_ok();
        let target = match path.canonicalize() {
            Ok(target) => target,
            Err(_) if there => return in_place(),
            Err(_) => path.to_owned(),
        };
        let known = std::fs::metadata(&target).ok();
        let Some(name) = target
            .file_name()
            .filter(|_| known.as_ref().is_none_or(Metadata::is_file))
        else {
            // A device or a pipe has nothing beside it.
            return in_place();
        };
        let name = format!(".{}.{}", name.to_string_lossy(), std::process::id());
        let beside = |n: u32| target.with_file_name(format!("{name}.{n}.part"));
        // One that was killed has left its own, and where there are few processes all have the same number.
        let met = |made: &std::io::Result<File>| matches!(made, Err(cause) if cause.kind() == ErrorKind::AlreadyExists);
        let mut made = (0..TRIES).map(|n| (beside(n), File::create_new(beside(n))));
        let (beside, made) = made.find(|(_, made)| !met(made)).ok_or(ErrorKind::AlreadyExists)?;
        let file = match made {
            // Whoever may write the file alone writes it where it lies.
            Err(cause) if there && cause.kind() == ErrorKind::PermissionDenied => return in_place(),
            created => created?,
        };
        Ok(Whole {
            file: BufWriter::new(file),
            moved: Some(Moved { beside, target, known }),
        })
    }

    /// Ends it.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.file.flush()?;
        if let Some(moved) = &self.moved {
            let file = self.file.get_ref();
            if let Some(known) = &moved.known {
                file.set_permissions(known.permissions())?;
            }
            file.sync_all()?;
            std::fs::rename(&moved.beside, &moved.target)?;
            self.moved = None;
        }
        Ok(())
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(moved) = &self.moved {
            let _ = std::fs::remove_file(&moved.beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_left_that_was_killed_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        for _ in 0..3 {
            // A process that ends here drops nothing.
            std::mem::forget(Whole::create(&path).unwrap());
        }
        let mut whole = Whole::create(&path).unwrap();
        whole.write_all(b"{}").unwrap();
        whole.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
    }
}
