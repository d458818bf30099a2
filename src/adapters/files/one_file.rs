//! Tells whether two names are of one file.

use std::path::Path;

use super::discover::inode;

/// Whether two names are of one regular file, by links too. One that is not there yet is told by its place.
#[must_use]
pub fn same_file(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize();
        path.canonicalize()
            .or_else(|_| Ok(folder?.join(path.file_name().unwrap_or_default())))
            .or_else(|_: std::io::Error| std::path::absolute(path))
            .ok()
    };
    match (a.metadata(), b.metadata()) {
        (Ok(a), Ok(b)) if !a.is_file() || !b.is_file() => false,
        (Ok(a), Ok(b)) if inode(&a).is_some() => inode(&a) == inode(&b),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        (Ok(_), Ok(_)) | (Err(_), Err(_)) => place(a).is_some_and(|a| place(b) == Some(a)),
    }
}
