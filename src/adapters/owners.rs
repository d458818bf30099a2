//! Which files of a folder of policies and prices the owner wrote.

use std::path::Path;

/// Whether a file is one by its name: `*.toml`, in whatever letters. Hidden files are an editor's or a system's (`.#b.toml`, `._b.toml`), and nobody's.
#[must_use]
pub fn is_owners(path: &Path) -> bool {
    let is_toml = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let is_hidden = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    is_toml && !is_hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_are_nobodys_and_letters_do_not_matter() {
        for (name, expected) in [
            ("prices/own.toml", true),
            ("prices/OWN.TOML", true),
            ("prices/own.test.toml", true),
            ("prices/.#own.toml", false),
            ("prices/._own.TOML", false),
            ("prices/own.toml~", false),
            ("prices/toml", false),
            (".toml", false),
        ] {
            assert_eq!(is_owners(Path::new(name)), expected, "{name}");
        }
    }
}
