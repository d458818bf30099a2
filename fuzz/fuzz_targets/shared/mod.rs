//! Reads bytes as the file that a source names, for what cannot be read without a file or without settings.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use finops::adapters::files::{Columns, FileFormat, FileSource, FileSourceOptions, Probed};
use finops::domain::label::Label;
use finops::ports::{Checkpoints, UsageSource};

fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| std::env::temp_dir().join(format!("finops-fuzz-{}", std::process::id())))
}

/// Reads them and aborts on what must not be, whatever they are.
pub fn read(bytes: &[u8], columns: Option<Arc<Columns>>) {
    std::fs::write(path(), bytes).unwrap();
    let mut source = FileSource::new(FileSourceOptions {
        name: Label::new("probe"),
        // What the columns are named after.
        format: columns.as_ref().map(|_| FileFormat::Plain),
        paths: vec![path().to_string_lossy().into_owned()],
        base: PathBuf::new(),
        defaults: Vec::new(),
        columns,
        asked: None,
        latest: chrono::DateTime::from_timestamp(1_798_761_600, 0).unwrap(),
        env: |_| None,
    });
    let mut probed = Probed::default();
    source.read(&Checkpoints::new(), &mut probed).unwrap();
    if let Some(fault) = probed.fault() {
        eprintln!("{fault}");
        std::process::abort();
    }
}
