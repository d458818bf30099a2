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
    /// A folder that may not be listed.
    denied: Arc<Mutex<Option<String>>>,
    /// What the source is said to hold.
    kind: Option<FileFormat>,
    /// How large objects are said to be, where that is not how large they are.
    sizes: BTreeMap<String, u64>,
}

impl Shelf {
    /// What is right below a prefix.
    fn look(&self, prefix: &str) -> Listed {
        let mut listed = Listed::default();
        for (key, body) in self.objects.lock().unwrap().iter() {
            let Some(rest) = key.strip_prefix(prefix) else { continue };
            match rest.split_once('/') {
                Some((folder, _)) => listed.folders.push(format!("{prefix}{folder}/")),
                None => listed.objects.push(Object {
                    key: key.clone(),
                    size: match self.sizes.get(key) {
                        Some(size) => *size,
                        None => body.as_ref().map_or(10, String::len) as u64,
                    },
                    version: body.clone().unwrap_or_default(),
                    changed: Some(time("2026-11-18T07:00:00Z")),
                }),
            }
        }
        listed.folders.dedup();
        listed
    }

    /// Notes a request for a list.
    fn asked(&self, prefix: &str) -> Result<(), String> {
        self.listed.lock().unwrap().push(prefix.to_owned());
        match self.denied.lock().unwrap().as_deref() == Some(prefix) {
            true => Err("access denied".to_owned()),
            false => Ok(()),
        }
    }
}

impl ObjectStore for Shelf {
    fn list(&self, prefix: &str, _: Option<&str>) -> Result<Listed, String> {
        self.asked(prefix)?;
        Ok(self.look(prefix))
    }
    fn list_below(&self, prefix: &str, _: Option<&str>) -> Result<Listed, String> {
        self.asked(prefix)?;
        let mut folders = vec![prefix.to_owned()];
        let mut below = Listed::default();
        while let Some(folder) = folders.pop() {
            let listed = self.look(&folder);
            folders.extend(listed.folders);
            below.objects.extend(listed.objects);
        }
        Ok(below)
    }
    fn get(&self, key: &str) -> Result<Vec<u8>, String> {
        self.fetched.lock().unwrap().push(key.to_owned());
        let body = self.objects.lock().unwrap().get(key).cloned().flatten();
        body.map(String::into_bytes).ok_or_else(|| "archived".to_owned())
    }
}

const COSTS: &str = "logs/2026/11/19/costs.json";

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
    read_at(shelf, kept, latest, "2026-11-20T12:00:00Z")
}

fn read_at(shelf: &Shelf, kept: &mut Kept, latest: &str, now: &str) -> Option<String> {
    let options = FileSourceOptions {
        name: Label::new("test"),
        // What is no call is told by what it looks like.
        format: match shelf.objects.lock().unwrap().contains_key(COSTS) {
            true => None,
            false => Some(shelf.kind.unwrap_or(FileFormat::Plain)),
        },
        paths: Vec::new(),
        base: "/".into(),
        defaults: Vec::new(),
        columns: None,
        asked: None,
        latest: time(latest),
        env: |_| None,
    };
    let place = "s3://bucket".to_owned();
    let prefixes = vec!["logs/".to_owned()];
    let mut source = ObjectSource::new(options, Box::new(shelf.clone()), place, prefixes, time(now)).unwrap();
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

#[test]
fn days_that_a_clock_ahead_has_closed_are_open_again() {
    let shelf = Shelf::default();
    let mut kept = Kept::default();
    let put = |key: &str, day: u32| shelf.objects.lock().unwrap().insert(key.to_owned(), Some(call(day)));
    put(&key(9), 9);
    put(&key(19), 19);
    let mut at = |now: &str| {
        assert_eq!(read_at(&shelf, &mut kept, "2027-01-01T00:00:00Z", now), None);
        kept.calls.len()
    };
    assert_eq!(at("2026-11-20T12:00:00Z"), 2);
    assert_eq!(at("2026-12-20T12:00:00Z"), 2);
    put("logs/2026/11/19/b.jsonl", 21);
    put("logs/2026/11/09/b.jsonl", 22);
    assert_eq!(
        at("2026-11-21T12:00:00Z"),
        3,
        "and what was closed in time stays closed"
    );
    assert_eq!(at("2026-12-01T00:00:00Z"), 3);
}

#[test]
fn what_is_listed_in_time_is_read_and_the_next_run_goes_on() {
    let shelf = Shelf::default();
    for day in 1..=9 {
        shelf.objects.lock().unwrap().insert(key(day), Some(call(day)));
    }
    // Three folders above the days, and two days.
    let listed = Arc::clone(&shelf.listed);
    let mut kept = Kept {
        enough: Some(Box::new(move || listed.lock().unwrap().len() >= 5)),
        ..Kept::default()
    };
    for calls in [2, 4, 6, 8, 9] {
        assert_eq!(read(&shelf, &mut kept), None);
        assert_eq!(kept.calls.len(), calls);
        assert!(shelf.listed.lock().unwrap().len() <= 5);
    }
}

#[test]
fn a_date_above_the_days_closes_none_of_them_and_a_prefix_with_nothing_below_it_is_told() {
    let shelf = Shelf::default();
    let mut kept = Kept::default();
    assert_eq!(read(&shelf, &mut kept), None);
    let nothing =
        "nothing to read lies below s3://bucket/logs/: a path in a bucket is a folder, no single object and no pattern";
    assert_eq!(kept.warnings.get(nothing), Some(&1), "{:?}", kept.warnings);
    kept.warnings.clear();
    for day in [9, 10, 11] {
        let key = format!("logs/2025/01/15/app/2026/11/{day:02}/a.jsonl");
        shelf.objects.lock().unwrap().insert(key, Some(call(day)));
        shelf
            .objects
            .lock()
            .unwrap()
            .insert(key_of_other(day), Some(call(day + 10)));
        assert_eq!(read(&shelf, &mut kept), None);
        assert_eq!(kept.calls.len(), (day as usize - 8) * 2);
        assert_eq!(shelf.fetched.lock().unwrap().len(), 2);
    }
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
}

#[test]
fn a_date_above_is_a_day_unless_later_ones_are_found_below_it() {
    let shelf = Shelf::default();
    let put = |key: &str, day: u32| shelf.objects.lock().unwrap().insert(key.to_owned(), Some(call(day)));
    let mut kept = Kept::default();
    // A copy of each day, made some days later; and a folder of an early day in which days go on.
    put("logs/copies/2026/11/12/app/2026/11/05/a.jsonl", 5);
    put("logs/since/2025/01/15/app/2026/11/08/a.jsonl", 8);
    assert_eq!(read(&shelf, &mut kept), None);
    assert_eq!(kept.calls.len(), 2);
    put("logs/copies/2026/11/19/app/2026/11/06/a.jsonl", 6);
    put("logs/since/2025/01/15/app/2026/11/19/a.jsonl", 19);
    put("logs/since/2025/01/15/one.jsonl", 1);
    for fetched in [3, 0] {
        assert_eq!(read(&shelf, &mut kept), None);
        assert_eq!((kept.calls.len(), shelf.fetched.lock().unwrap().len()), (5, fetched));
        let listed = shelf.listed.lock().unwrap();
        for over in ["logs/copies/2026/11/12/", "logs/since/2025/01/15/app/2026/11/08/"] {
            assert!(!listed.contains(&over.to_owned()), "{listed:?}");
        }
    }
}

fn key_of_other(day: u32) -> String {
    format!("logs/other/2026/11/{day:02}/a.jsonl")
}

#[test]
fn a_folder_that_may_not_be_listed_keeps_nothing_of_the_others_waiting_and_loses_nothing_of_its_own() {
    let shelf = Shelf::default();
    let put = |key: &str, day: u32| shelf.objects.lock().unwrap().insert(key.to_owned(), Some(call(day)));
    let deny = |folder: Option<&str>| *shelf.denied.lock().unwrap() = folder.map(str::to_owned);
    for day in [8, 9] {
        put(&format!("logs/us/2026/11/{day:02}/a.jsonl"), day);
        put(&format!("logs/eu/2026/11/{day:02}/a.jsonl"), day + 10);
    }
    let mut kept = Kept::default();
    deny(Some("logs/eu/"));
    let failed = Some("cannot read `s3://bucket/logs/eu/`: access denied".to_owned());
    assert_eq!(read(&shelf, &mut kept), failed);
    assert_eq!(kept.calls.len(), 2);
    assert_eq!(read(&shelf, &mut kept), failed);
    assert!(shelf.fetched.lock().unwrap().is_empty(), "read once");
    deny(None);
    assert_eq!(read(&shelf, &mut kept), None);
    assert_eq!((kept.calls.len(), shelf.fetched.lock().unwrap().len()), (4, 2));
    // One of a day keeps its own day open.
    for day in [10, 11] {
        put(&format!("logs/us/2026/11/{day}/08/a.jsonl"), day);
    }
    deny(Some("logs/us/2026/11/10/08/"));
    assert!(read(&shelf, &mut kept).is_some_and(|error| error.contains("2026/11/10/08/")));
    assert_eq!(kept.calls.len(), 5);
    deny(None);
    assert_eq!(read(&shelf, &mut kept), None);
    assert_eq!(*shelf.fetched.lock().unwrap(), ["logs/us/2026/11/10/08/a.jsonl"]);
    assert_eq!(read(&shelf, &mut kept), None);
    assert!(!shelf.listed.lock().unwrap().contains(&"logs/us/2026/11/10/".to_owned()));
    // Where nothing can be listed, all of it is told.
    deny(Some("logs/"));
    assert!(read(&shelf, &mut kept).is_some_and(|error| error.contains("access denied")));
}

#[test]
fn days_of_partitions_are_read_one_after_the_other_and_dates_without_a_key_are_none() {
    let shelf = Shelf::default();
    let put = |key: &str, day: u32| shelf.objects.lock().unwrap().insert(key.to_owned(), Some(call(day)));
    for day in 1..=6 {
        put(
            &format!("logs/otel/year=2026/month=11/day={day:02}/hour=08/minute=15/a.jsonl"),
            day,
        );
        put(&format!("logs/dt=2026-11-{day:02}/a.jsonl"), day + 10);
    }
    put("logs/v/2026-05-31/a.jsonl", 7);
    let listed = Arc::clone(&shelf.listed);
    let mut kept = Kept {
        enough: Some(Box::new(move || listed.lock().unwrap().len() >= 16)),
        ..Kept::default()
    };
    // What there is time for is read, the rest by the next run.
    assert_eq!(read(&shelf, &mut kept), None);
    assert!(
        !shelf
            .listed
            .lock()
            .unwrap()
            .iter()
            .any(|folder| folder.contains("hour="))
    );
    let first = kept.calls.len();
    assert!((1..13).contains(&first), "{first}");
    kept.enough = None;
    assert_eq!(read(&shelf, &mut kept), None);
    assert_eq!(kept.calls.len(), 13);
    assert_eq!(read(&shelf, &mut kept), None);
    assert!(shelf.fetched.lock().unwrap().is_empty());
    assert!(
        shelf
            .listed
            .lock()
            .unwrap()
            .iter()
            .all(|folder| !folder.contains("day=") && !folder.contains("dt="))
    );
    // What comes into a folder that has the date of something else counts whenever it comes.
    put("logs/v/2026-05-31/b.jsonl", 8);
    assert_eq!(read(&shelf, &mut kept), None);
    assert_eq!(kept.calls.len(), 14);
    // Below the partition of a day may be one of a later day, as in an archive.
    put("logs/dt=2026-11-18/d.jsonl", 21);
    for day in [19, 20] {
        put(&format!("logs/dt=2026-11-18/copy/2026/11/{day}/c.jsonl"), day);
        assert_eq!(read(&shelf, &mut kept), None);
    }
    assert_eq!(kept.calls.len(), 17);
    // What was given up at the end of the time is no failure; it is left.
    shelf.objects.lock().unwrap().insert(key(19), None);
    let fetched = Arc::clone(&shelf.fetched);
    kept.enough = Some(Box::new(move || !fetched.lock().unwrap().is_empty()));
    assert_eq!((read(&shelf, &mut kept), kept.rejected.len()), (None, 0));
    // A place that cannot be listed to its end in that time is told.
    let listed = Arc::clone(&shelf.listed);
    kept.enough = Some(Box::new(move || !listed.lock().unwrap().is_empty()));
    assert_eq!(read(&shelf, &mut kept), None);
    assert!(
        kept.warnings
            .keys()
            .any(|about| about.contains("was not listed to its end")),
        "{:?}",
        kept.warnings
    );
}

#[test]
fn a_bill_among_the_objects_is_fetched_once_and_refused_at_every_run_until_it_is_gone() {
    let shelf = Shelf::default();
    let costs = r#"{"GroupDefinitions":[{"Type":"DIMENSION","Key":"SERVICE"}],"ResultsByTime":[{"TimePeriod":{"Start":"2026-11-01","End":"2026-11-02"},"Groups":[{"Keys":["Amazon Bedrock"],"Metrics":{"UnblendedCost":{"Amount":"40","Unit":"USD"}}}]}]}"#;
    shelf
        .objects
        .lock()
        .unwrap()
        .insert(COSTS.to_owned(), Some(costs.to_owned()));
    let mut kept = Kept::default();
    for _ in 1..=2 {
        let failed = read(&shelf, &mut kept).unwrap();
        assert!(
            failed.contains(
                "objects that hold bills or costs, tables in Parquet or a database are not read from a bucket"
            ),
            "{failed}"
        );
        assert_eq!(
            (kept.rejected.len(), kept.bills.len()),
            (1, 0),
            "fetched once and told again"
        );
    }
    shelf.objects.lock().unwrap().clear();
    assert_eq!(read(&shelf, &mut kept), None);
}

/// What a checkpoint is like that an earlier version wrote.
fn of_an_earlier_version(kept: &mut Kept) {
    for checkpoint in kept.checkpoints.values_mut() {
        let mut parsed: serde_json::Value = serde_json::from_slice(&checkpoint.0).unwrap();
        let parsed = parsed.as_object_mut().unwrap();
        parsed.remove("into_data").unwrap();
        checkpoint.0 = serde_json::to_vec(parsed).unwrap();
    }
}

#[test]
fn answers_without_a_time_have_that_of_their_object() {
    let shelf = Shelf {
        kind: Some(FileFormat::Body),
        ..Shelf::default()
    };
    let answer = |n: u32| {
        format!(
            r#"{{"recordId":"r{n}","modelInput":{{"max_tokens":9}},"modelOutput":{{"id":"msg_bdrk_{n}","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"usage":{{"input_tokens":7,"output_tokens":1}}}}}}"#
        )
    };
    let key = "logs/batch/abc/input.jsonl.out".to_owned();
    let both = format!("{}\n{}\n", answer(1), answer(2));
    shelf.objects.lock().unwrap().insert(key, Some(both));
    let mut kept = Kept::default();
    assert_eq!(read(&shelf, &mut kept), None);
    let times: Vec<_> = kept.calls.values().map(|call| call.at).collect();
    assert_eq!(times, [time("2026-11-18T07:00:00Z"); 2], "{:?}", kept.rejected);
    let told = "records without a time are charged at their file's time of change, or when they came";
    assert_eq!(kept.warnings.get(told), Some(&2), "{:?}", kept.warnings);
    assert_eq!(read(&shelf, &mut kept), None);
    assert!(shelf.fetched.lock().unwrap().is_empty());
}

#[test]
fn folders_of_bodies_are_bedrocks_and_others_of_their_name_are_read() {
    let shelf = Shelf::default();
    let put = |key: &str, day: u32| shelf.objects.lock().unwrap().insert(key.to_owned(), Some(call(day)));
    let bodies = [
        "logs/AWSLogs/1/BedrockModelInvocationLogs/us-east-1/2026/11/09/08/data/b.jsonl",
        "logs/copied/2026/11/09/08/data/b.jsonl",
        "logs/AWSLogs/1/BedrockModelInvocationLogs/day=2026-11-09/data/b.jsonl",
    ];
    for body in bodies {
        put(body, 1);
    }
    let others = [
        ("logs/data/2026/11/09/a.jsonl", 9),
        ("logs/data/a.jsonl", 10),
        ("logs/app/data/2026/11/20/a.jsonl", 11),
        ("logs/dt=2026-11-20/data/a.jsonl", 12),
        ("logs/2026/11/08/a.jsonl", 13),
    ];
    for (key, day) in others {
        put(key, day);
    }
    let mut kept = Kept::default();
    assert_eq!(read(&shelf, &mut kept), None);
    let fetched = shelf.fetched.lock().unwrap().len();
    assert_eq!(
        (kept.calls.len(), fetched),
        (others.len(), others.len()),
        "{:?}",
        shelf.fetched
    );
    // An earlier version closed the 9th without what lay in the folder.
    of_an_earlier_version(&mut kept);
    put("logs/data/2026/11/09/b.jsonl", 14);
    put("logs/2026/11/08/b.jsonl", 15);
    // Where there is no time for all of them, the next run goes on.
    let fetched = Arc::clone(&shelf.fetched);
    kept.enough = Some(Box::new(move || !fetched.lock().unwrap().is_empty()));
    for _ in 1..=2 {
        assert_eq!(read(&shelf, &mut kept), None);
    }
    kept.enough = None;
    assert_eq!(read(&shelf, &mut kept), None);
    assert!(shelf.fetched.lock().unwrap().is_empty());
    assert_eq!(kept.calls.len(), others.len() + 1, "and the 8th stays closed");
    assert_eq!(read(&shelf, &mut kept), None);
    assert!(
        !shelf
            .listed
            .lock()
            .unwrap()
            .contains(&"logs/data/2026/11/09/".to_owned())
    );
}

#[test]
fn what_aws_tries_to_write_with_is_no_usage() {
    let shelf = Shelf {
        kind: Some(FileFormat::Bedrock),
        ..Shelf::default()
    };
    for trial in [
        "logs/aws-logs-write-test",
        "logs/AWSLogs/1/BedrockModelInvocationLogs/amazon-bedrock-logs-permission-check",
        "logs/dt=2026-11-20/aws-programmatic-access-test-object",
    ] {
        let text = Some("Permission Check Successful".to_owned());
        shelf.objects.lock().unwrap().insert(trial.to_owned(), text);
    }
    let mut kept = Kept::default();
    assert_eq!(read(&shelf, &mut kept), None);
    assert!(kept.rejected.is_empty() && shelf.fetched.lock().unwrap().is_empty());
    // Any other text is looked into.
    let text = Some("Permission Check Successful".to_owned());
    shelf.objects.lock().unwrap().insert("logs/other".to_owned(), text);
    assert_eq!(read(&shelf, &mut kept), None);
    assert_eq!(kept.rejected.len(), 1);
}

#[test]
fn what_can_only_be_read_as_a_file_is_told_at_every_run() {
    for (front, what) in [
        ("PAR1\u{15}\0\u{15}", "a table in Parquet is not read from a bucket"),
        (
            "SQLite format 3\0\u{10}\0",
            "a database of SQLite is not read from a bucket",
        ),
    ] {
        let shelf = Shelf::default();
        let put = |key: &str, body: &str| {
            shelf
                .objects
                .lock()
                .unwrap()
                .insert(key.to_owned(), Some(body.to_owned()))
        };
        put("logs/BILLING_PERIOD=2026-11/cur-00001.parquet", front);
        put("logs/a.jsonl", &call(9));
        let mut kept = Kept::default();
        for fetched in [2, 0] {
            let failed = read(&shelf, &mut kept).unwrap();
            assert!(
                failed.contains("tables in Parquet or a database are not read from a bucket"),
                "{failed}"
            );
            assert_eq!(shelf.fetched.lock().unwrap().len(), fetched);
        }
        let told: Vec<_> = kept
            .rejected
            .iter()
            .map(|rejection| rejection.reason.as_str())
            .collect();
        assert_eq!((told, kept.calls.len()), (vec![what], 1));
    }
}

#[test]
fn an_object_that_is_too_large_is_not_fetched_and_says_what_to_do() {
    let large = key(19);
    let shelf = Shelf {
        sizes: BTreeMap::from([(large.clone(), (64 << 20) + 1)]),
        ..Shelf::default()
    };
    shelf.objects.lock().unwrap().insert(large, Some(call(19)));
    shelf.objects.lock().unwrap().insert(key(18), Some(call(18)));
    let mut kept = Kept::default();
    for _ in 1..=2 {
        kept.rejected.clear();
        assert!(read(&shelf, &mut kept).is_some());
        assert_eq!(kept.calls.len(), 1);
        let told = "cannot be fetched: it has 67108865 bytes, and 67108864 of one object are fetched at most: pack it";
        assert!(
            kept.rejected.iter().any(|rejection| rejection.reason.contains(told)),
            "{:?}",
            kept.rejected
        );
        assert!(!shelf.fetched.lock().unwrap().contains(&key(19)));
    }
}
