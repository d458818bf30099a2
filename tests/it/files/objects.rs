//! Objects of a bucket, of which some cannot be fetched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use finops::adapters::files::{FileFormat, FileSourceOptions, Listed, Object, ObjectSource, ObjectStore};
use finops::domain::label::Label;
use finops::ports::{Progress, UsageSource as _};

use super::{Kept, time};

/// A bucket; an object without content cannot be fetched.
#[derive(Clone, Default)]
struct Shelf {
    objects: Arc<Mutex<BTreeMap<String, Option<String>>>>,
    fetched: Arc<Mutex<Vec<String>>>,
    listed: Arc<Mutex<Vec<String>>>,
}

impl ObjectStore for Shelf {
    fn list(&self, prefix: &str, _: Option<&str>) -> Result<Listed, String> {
        self.listed.lock().unwrap().push(prefix.to_owned());
        let mut listed = Listed::default();
        for (key, body) in self.objects.lock().unwrap().iter() {
            let Some(rest) = key.strip_prefix(prefix) else { continue };
            match rest.split_once('/') {
                Some((folder, _)) => listed.folders.push(format!("{prefix}{folder}/")),
                None => listed.objects.push(Object {
                    key: key.clone(),
                    size: body.as_ref().map_or(10, String::len) as u64,
                }),
            }
        }
        listed.folders.dedup();
        Ok(listed)
    }
    fn get(&self, key: &str) -> Result<Vec<u8>, String> {
        self.fetched.lock().unwrap().push(key.to_owned());
        let body = self.objects.lock().unwrap().get(key).cloned().flatten();
        body.map(String::into_bytes).ok_or_else(|| "archived".to_owned())
    }
}

fn call(day: u32) -> String {
    format!(
        r#"{{"id":"c{day}","ts":"2026-11-{day:02}T10:00:00Z","provider":"p","model":"m","input_tokens":1,"output_tokens":1}}"#
    )
}

fn key(day: u32) -> String {
    format!("logs/2026/11/{day:02}/a.jsonl")
}

fn read(shelf: &Shelf, kept: &mut Kept) {
    let options = FileSourceOptions {
        name: Label::new("test"),
        format: Some(FileFormat::Plain),
        paths: Vec::new(),
        base: "/".into(),
        defaults: Vec::new(),
        columns: None,
        asked: None,
        latest: time("2026-12-01T00:00:00Z"),
        env: |_| None,
    };
    let place = "s3://bucket".to_owned();
    let now = time("2026-11-20T12:00:00Z");
    let mut source = ObjectSource::new(options, Box::new(shelf.clone()), place, vec!["logs/".to_owned()], now).unwrap();
    let known = kept.checkpoints.clone();
    shelf.fetched.lock().unwrap().clear();
    shelf.listed.lock().unwrap().clear();
    kept.progress = Progress::default();
    source.read(&known, kept).unwrap();
}

#[test]
fn an_object_that_cannot_be_fetched_keeps_open_its_own_day_only() {
    let shelf = Shelf::default();
    for day in 1..=9 {
        let body = (day != 1).then(|| call(day) + "\n");
        shelf.objects.lock().unwrap().insert(key(day), body);
    }
    let mut kept = Kept::default();
    read(&shelf, &mut kept);
    assert_eq!(kept.calls.len(), 8, "{:?}", kept.rejected);
    assert_eq!(kept.rejected.len(), 1);
    // The days that are whole are closed; of the other one the missing object is asked for again, after what is new.
    shelf.objects.lock().unwrap().insert(key(19), Some(call(19)));
    read(&shelf, &mut kept);
    assert_eq!(*shelf.fetched.lock().unwrap(), [key(19), key(1)]);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (9, 2));
    assert!(!shelf.listed.lock().unwrap().contains(&"logs/2026/11/02/".to_owned()));
    // Once it can be fetched its day is closed too.
    shelf.objects.lock().unwrap().insert(key(1), Some(call(1)));
    read(&shelf, &mut kept);
    assert_eq!(*shelf.fetched.lock().unwrap(), [key(1)]);
    read(&shelf, &mut kept);
    assert!(shelf.fetched.lock().unwrap().is_empty());
    assert!(!shelf.listed.lock().unwrap().contains(&"logs/2026/11/01/".to_owned()));
    assert_eq!(kept.calls.len(), 10);
}
