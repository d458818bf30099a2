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
                    version: body.clone().unwrap_or_default(),
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

/// Reads what is new; the failure that is told.
fn read(shelf: &Shelf, kept: &mut Kept) -> Option<String> {
    read_until(shelf, kept, "2026-12-01T00:00:00Z")
}

fn read_until(shelf: &Shelf, kept: &mut Kept, latest: &str) -> Option<String> {
    let options = FileSourceOptions {
        name: Label::new("test"),
        format: Some(FileFormat::Plain),
        paths: Vec::new(),
        base: "/".into(),
        defaults: Vec::new(),
        columns: None,
        asked: None,
        latest: time(latest),
        env: |_| None,
    };
    let place = "s3://bucket".to_owned();
    let now = time("2026-11-20T12:00:00Z");
    let mut source = ObjectSource::new(options, Box::new(shelf.clone()), place, vec!["logs/".to_owned()], now).unwrap();
    let known = kept.checkpoints.clone();
    shelf.fetched.lock().unwrap().clear();
    shelf.listed.lock().unwrap().clear();
    kept.progress = Progress::default();
    source.read(&known, kept).err().map(|error| error.to_string())
}

#[test]
fn an_object_that_cannot_be_fetched_keeps_open_its_own_day_only() {
    let shelf = Shelf::default();
    for day in 1..=9 {
        let body = (day != 1).then(|| call(day) + "\n");
        shelf.objects.lock().unwrap().insert(key(day), body);
    }
    let mut kept = Kept::default();
    let failed = Some("cannot read `s3://bucket/logs/`: an object cannot be fetched".to_owned());
    assert_eq!(read(&shelf, &mut kept), failed);
    assert_eq!(kept.calls.len(), 8, "{:?}", kept.rejected);
    assert_eq!(kept.rejected.len(), 1);
    // The days that are whole are closed; of the other one the missing object is asked for again, after what is new.
    shelf.objects.lock().unwrap().insert(key(19), Some(call(19)));
    assert_eq!(read(&shelf, &mut kept), failed);
    assert_eq!(*shelf.fetched.lock().unwrap(), [key(19), key(1)]);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (9, 2));
    assert!(!shelf.listed.lock().unwrap().contains(&"logs/2026/11/02/".to_owned()));
    // Once it can be fetched its day is closed too.
    shelf.objects.lock().unwrap().insert(key(1), Some(call(1)));
    assert_eq!(read(&shelf, &mut kept), None);
    assert_eq!(*shelf.fetched.lock().unwrap(), [key(1)]);
    assert_eq!(read(&shelf, &mut kept), None);
    assert!(shelf.fetched.lock().unwrap().is_empty());
    assert!(!shelf.listed.lock().unwrap().contains(&"logs/2026/11/01/".to_owned()));
    assert_eq!(kept.calls.len(), 10);
}

#[test]
fn an_object_that_is_written_anew_is_read_anew() {
    let shelf = Shelf::default();
    let keys = ["logs/2026-11.jsonl".to_owned(), key(19)];
    let mut kept = Kept::default();
    for days in 1..=3 {
        let body: String = (1..=days).map(|day| call(day) + "\n").collect();
        for key in &keys {
            shelf.objects.lock().unwrap().insert(key.clone(), Some(body.clone()));
        }
        assert_eq!(read(&shelf, &mut kept), None);
        assert_eq!(shelf.fetched.lock().unwrap().len(), 2);
        assert_eq!(kept.calls.len(), days as usize);
        assert_eq!(read(&shelf, &mut kept), None);
        assert!(shelf.fetched.lock().unwrap().is_empty());
    }
    // Of what is not there any more, or not like that, nothing is kept.
    let kept: serde_json::Value = serde_json::from_slice(&kept.checkpoints["s3://bucket/logs/"].0).unwrap();
    let read = kept["read"].as_object().unwrap().values();
    assert!(
        read.clone().count() == 2 && read.clone().all(|day| day.as_array().unwrap().len() == 1),
        "{kept}"
    );
}

#[test]
fn an_object_with_a_record_of_a_time_to_come_is_read_again_when_it_has_come() {
    let shelf = Shelf::default();
    let mut kept = Kept::default();
    for (key, day) in [(key(9), 9), (key(19), 19), ("logs/2026-11.jsonl".to_owned(), 15)] {
        shelf.objects.lock().unwrap().insert(key, Some(call(day)));
    }
    assert_eq!(read_until(&shelf, &mut kept, "2026-11-01T00:00:00Z"), None);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 3));
    assert_eq!(read_until(&shelf, &mut kept, "2026-11-02T00:00:00Z"), None);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (0, 3), "told once");
    assert_eq!(read(&shelf, &mut kept), None);
    assert_eq!((kept.calls.len(), kept.rejected.len()), (3, 3));
    assert_eq!(read(&shelf, &mut kept), None);
    assert!(shelf.fetched.lock().unwrap().is_empty());
}
