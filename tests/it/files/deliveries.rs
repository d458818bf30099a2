//! Several files that hold the same bill: deliveries beside each other, copies, files that have gone.

use std::fs;
use std::path::Path;

use finops::domain::money::add_exact;
use finops::domain::spend::Basis;
use rust_decimal::Decimal;

use super::{Kept, read_on};

const HEADER: &str = "BilledCost,EffectiveCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ProviderName,ServiceName,SubAccountId\n";

fn row(cost: &str, account: &str, day: u32) -> String {
    format!(
        "{cost},{cost},acc,USD,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,Usage,2026-11-{day:02}T00:00:00Z,AWS,S3,{account}\n"
    )
}

fn write(folder: &Path, name: &str, rows: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, rows).unwrap();
}

/// Makes the first of them the file that was changed last, the next one the one before, whatever the clock of their file system tells apart.
fn newest_first(folder: &Path, names: &[&str]) {
    for (age, name) in (1_u64..).zip(names) {
        let file = fs::File::options().append(true).open(folder.join(name)).unwrap();
        let now = std::time::SystemTime::from(super::time("2026-11-30T00:00:00Z"));
        file.set_modified(now - std::time::Duration::from_secs(age * 60))
            .unwrap();
    }
}

/// What the bills of a folder come to, and what is told.
fn read(folder: &Path, kept: &mut Kept) -> (String, Vec<String>) {
    kept.bills.clear();
    kept.warnings.clear();
    read_on(folder, &["."], kept);
    let rows = kept.bills.iter().flat_map(|bill| bill.rows.iter().collect::<Vec<_>>());
    let costs = rows
        .filter(|(key, _)| key.basis == Basis::Billed)
        .map(|(_, sums)| sums.cost);
    let sum = costs.fold(Decimal::ZERO, |sum, cost| add_exact(sum, cost).unwrap());
    (sum.normalize().to_string(), kept.warnings.keys().cloned().collect())
}

fn total(folder: &Path) -> (String, Vec<String>) {
    read(folder, &mut Kept::default())
}

#[test]
fn of_runs_that_lie_beside_each_other_the_newest_counts() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, rows: &str| {
        write(
            folder.path(),
            &format!("20261101-20261130/{name}/part_0_0001.csv"),
            &format!("{HEADER}{rows}"),
        )
    };
    // Each has the month to date, in another order, the first day restated.
    run("run1", &row("40", "a", 1));
    run("run2", &(row("50", "a", 2) + &row("40", "a", 1)));
    run("run3", &(row("60", "a", 3) + &row("50", "a", 2) + &row("41", "a", 1)));
    let (sum, told) = total(folder.path());
    assert_eq!(sum, "151");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("the newest counts, `") && told[0].contains("run3`"),
        "{told:?}"
    );
}

#[test]
fn parts_of_a_bill_in_folders_are_added_up() {
    for folders in [
        ["team-a", "team-b"],
        ["day=1", "day=2"],
        [
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        ],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = folders;
        write(
            folder.path(),
            &format!("{one}/a.csv"),
            &format!("{HEADER}{}", row("40", "a", 1)),
        );
        write(
            folder.path(),
            &format!("{two}/a.csv"),
            &format!("{HEADER}{}", row("7", "b", 1)),
        );
        assert_eq!(total(folder.path()), ("47".to_owned(), Vec::new()), "{folders:?}");
    }
    // The same account on other days, and on the same days at other costs: added up, and told where nobody can know.
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a/a.csv", &format!("{HEADER}{}", row("40", "a", 1)));
    write(folder.path(), "b/a.csv", &format!("{HEADER}{}", row("7", "a", 2)));
    assert_eq!(total(folder.path()), ("47".to_owned(), Vec::new()));
    write(folder.path(), "c/a.csv", &format!("{HEADER}{}", row("3", "a", 2)));
    let (sum, told) = total(folder.path());
    assert_eq!(sum, "50");
    assert!(
        told.len() == 1 && told[0].contains("both hold days of the bill of aws for acc"),
        "{told:?}"
    );
}

#[test]
fn manifests_name_the_delivery_that_counts() {
    let export = |folder: &Path, run: &str, at: &str, rows: &str| {
        let place = format!("export/20261101-20261130/{run}");
        write(folder, &format!("{place}/part_0_0001.csv"), &format!("{HEADER}{rows}"));
        let manifest = format!(
            r#"{{"manifestVersion":"2024-04-01","blobCount":1,"exportConfig":{{"exportName":"export"}},"runInfo":{{"submittedTime":"{at}"}},"blobs":[{{"blobName":"costs/{place}/part_0_0001.csv","byteCount":9}}]}}"#
        );
        write(folder, &format!("{place}/manifest.json"), &manifest);
    };
    // The one that was submitted last was copied first.
    let folder = tempfile::tempdir().unwrap();
    export(
        folder.path(),
        "r2",
        "2026-11-03T06:00:00Z",
        &(row("41", "a", 1) + &row("50", "a", 2)),
    );
    export(folder.path(), "r1", "2026-11-02T06:00:00Z", &row("41", "a", 1));
    assert_eq!(total(folder.path()), ("91".to_owned(), Vec::new()));

    let assembly = |place: &str, name: &str| format!("{place}/{name}/bill-00001.csv");
    let manifests: [(&str, &str, fn(&str) -> String); 2] = [
        (
            "reports/bill/20261101-20261201",
            "reports/bill/20261101-20261201/bill-Manifest.json",
            |key| format!(r#"{{"assemblyId":"new","reportKeys":["costs/{key}"]}}"#),
        ),
        (
            "bill/data/BILLING_PERIOD=2026-11",
            "bill/metadata/BILLING_PERIOD=2026-11/bill-Manifest.json",
            |key| format!(r#"{{"dataFiles":["s3://bucket/costs/{key}"]}}"#),
        ),
    ];
    for (place, manifest, text) in manifests {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (
            assembly(place, "2026-11-03T00:00:00Z-7c9e6679"),
            assembly(place, "2026-11-04T00:00:00Z-0f8fad5b"),
        );
        write(folder.path(), &new, &format!("{HEADER}{}", row("12", "a", 1)));
        // Nothing of it is in the other one, so that only the manifest can tell.
        write(folder.path(), &old, &format!("{HEADER}{}", row("40", "b", 2)));
        write(folder.path(), manifest, &text(&new));
        let mut kept = Kept::default();
        assert_eq!(read(folder.path(), &mut kept), ("12".to_owned(), Vec::new()), "{place}");
        assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
        read(folder.path(), &mut kept);
        assert_eq!(kept.progress.files, 1, "it is known what the other one is");
        // One of which a file is still on its way.
        let more = text(&new).replace("\"]", "\",\"costs/bill-00002.csv\"]");
        write(folder.path(), manifest, &more);
        write(folder.path(), &new, &format!("{HEADER}{}", row("1", "a", 1)));
        read(folder.path(), &mut kept);
        assert!(kept.bills.is_empty(), "{place}: {:?}", kept.bills);
        assert!(
            kept.rejected[0]
                .reason
                .contains("it names a file of a bill that is not there")
        );
        // One that is written behind its files, which lie there for long.
        write(folder.path(), manifest, &text(&old));
        assert_eq!(read(folder.path(), &mut kept), ("40".to_owned(), Vec::new()), "{place}");
        assert!(read(folder.path(), &mut kept).1.is_empty() && kept.bills.is_empty());
        fs::remove_file(folder.path().join(manifest)).unwrap();
        assert_eq!(read(folder.path(), &mut kept).0, "41", "{place}");
        assert!(read(folder.path(), &mut kept).1.is_empty() && kept.bills.is_empty());
    }
}

#[test]
fn one_file_alone_is_a_part_too_where_its_manifest_names_others() {
    let folder = tempfile::tempdir().unwrap();
    let place = "bill/20261101-20261201";
    let named = |names: &[&str]| {
        let keys: Vec<String> = names.iter().map(|name| format!("\"costs/{place}/{name}\"")).collect();
        let text = format!(r#"{{"reportKeys":[{}]}}"#, keys.join(","));
        write(folder.path(), &format!("{place}/bill-Manifest.json"), &text);
    };
    let part = |name: &str, rows: &str| write(folder.path(), &format!("{place}/{name}"), &format!("{HEADER}{rows}"));
    let mut kept = Kept::default();
    part("bill-1.csv", &row("100", "a", 1));
    named(&["bill-1.csv"]);
    assert_eq!(read(folder.path(), &mut kept).0, "100");
    // The next delivery has three.
    named(&["bill-1.csv", "bill-2.csv", "bill-3.csv"]);
    part("bill-1.csv", &row("40", "a", 1));
    read(folder.path(), &mut kept);
    assert!(kept.bills.is_empty(), "{:?}", kept.bills);
    let told = std::mem::take(&mut kept.rejected);
    assert!(
        told.len() == 1 && told[0].reason.contains("it names 2 files of a bill that are not there"),
        "{told:?}"
    );
    part("bill-2.csv", &row("50", "a", 1));
    part("bill-3.csv", &row("30", "a", 2));
    assert_eq!(read(folder.path(), &mut kept), ("120".to_owned(), Vec::new()));
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
}

#[test]
fn a_manifest_says_nothing_of_other_reports() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, cost: &str, provider: &str| {
        let rows = row(cost, "a", 1).replace(",AWS,", &format!(",{provider},"));
        write(folder.path(), name, &format!("{HEADER}{rows}"));
    };
    file("aws-00001.csv", "100", "AWS");
    file("azure.csv", "50", "Microsoft");
    file("gcp/gcp.csv", "7", "Google");
    // Another month of the same report, by hand.
    let october = row("3", "a", 1).replace("2026-11-01", "2026-10-01");
    write(folder.path(), "aws-october.csv", &format!("{HEADER}{october}"));
    write(
        folder.path(),
        "october/aws-00001.csv",
        &format!("{HEADER}{}", october.replace(",acc,", ",other,")),
    );
    let manifest = r#"{"assemblyId":"x","reportKeys":["costs/aws/20261101-20261201/aws-00001.csv"]}"#;
    write(folder.path(), "aws-Manifest.json", manifest);
    assert_eq!(total(folder.path()), ("163".to_owned(), Vec::new()));
    // What lies among the newest files and has their name is of an older delivery.
    file("aws-00002.csv", "40", "AWS");
    // So is what lies in the folder of a run.
    file("20261102T063012Z-0f8fad5b-d9cb-469f/aws-00001.csv", "90", "AWS");
    let (sum, told) = total(folder.path());
    assert_eq!(sum, "163");
    assert!(
        told.len() == 1
            && told[0].contains("not among those that the manifest beside them names, such as `")
            && told[0].contains("aws-00002.csv"),
        "{told:?}"
    );
}

#[test]
fn what_lies_beside_a_manifest_is_not_added_up_where_it_is_a_copy_or_left_over() {
    let place = "20261101-20261130/0f8fad5b-d9cb-469f-a165-70867728950e";
    let newest = row("40", "a", 1) + &row("50", "b", 1);
    let manifest = format!(
        r#"{{"runInfo":{{"submittedTime":"2026-11-03T06:00:00Z"}},"blobs":[{{"blobName":"{place}/part_0_0001.csv"}}]}}"#
    );
    for (name, rows, sum) in [
        // What a browser or a file manager names a second download, of an older run.
        ("part_0_0001 (1).csv", row("39", "a", 1), "90"),
        ("part_0_0001 - Copy (2).csv", row("39", "a", 1), "90"),
        // The second part of a run before that had two.
        ("part_1_0001.csv", row("50", "b", 1), "90"),
        // A copy under another name.
        ("november.csv", newest.clone(), "90"),
        // Something else.
        ("marketplace.csv", row("7", "c", 1), "97"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &format!("{place}/part_0_0001.csv"),
            &format!("{HEADER}{newest}"),
        );
        write(folder.path(), &format!("{place}/manifest.json"), &manifest);
        write(folder.path(), &format!("{place}/{name}"), &format!("{HEADER}{rows}"));
        let (total, told) = total(folder.path());
        assert_eq!(total, sum, "{name}");
        assert_eq!(told.len(), usize::from(sum == "90"), "{name}: {told:?}");
    }
}

/// The second run of a month and the first, as they are named.
const RUNS: [&str; 2] = [
    "7c9e6679-7425-40de-944b-e07fc1f90ae7/b.csv",
    "0f8fad5b-d9cb-469f-a165-70867728950e/b.csv",
];

#[test]
fn a_run_is_one_though_its_rows_have_got_tags() {
    let header = HEADER.replace("SubAccountId\n", "SubAccountId,Tags\n");
    let tagged = |day: u32, tags: &str| -> String {
        let rows = (0..5).map(|n| row("10", &format!("a{n}"), day).replace('\n', if n < 3 { tags } else { ",\n" }));
        rows.collect()
    };
    let team = ",\"{\"\"team\"\": \"\"x\"\"}\"\n";
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", tagged(1, ",\n")),
        (
            "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            tagged(1, team) + &tagged(2, team),
        ),
    ] {
        write(folder.path(), &format!("{name}/b.csv"), &format!("{header}{rows}"));
    }
    newest_first(folder.path(), &RUNS);
    let (sum, told) = total(folder.path());
    assert_eq!(sum, "100", "{told:?}");
    assert!(told.len() == 1 && told[0].contains("the newest counts"), "{told:?}");
}

#[test]
fn folders_of_accounts_are_no_runs_because_they_have_a_row_in_common() {
    for (one, other) in [
        ("1111-2222-3333", "4444-5555-6666"),
        (
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let bill =
            |cost: &str, account: &str, tax: &str| format!("{HEADER}{}{}", row(cost, account, 1), row(tax, "", 1));
        write(
            folder.path(),
            &format!("{one}/b.csv"),
            &bill("100", "111122223333", "3"),
        );
        write(
            folder.path(),
            &format!("{other}/b.csv"),
            &bill("50", "444455556666", "2"),
        );
        let (sum, told) = total(folder.path());
        assert_eq!(sum, "155", "{one}");
        assert!(told.len() == 1 && told[0].contains("are added up"), "{told:?}");
    }
    // Each run holds what the one before held.
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", row("40", "a", 1)),
        (
            "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            row("41", "a", 1) + &row("9", "a", 2),
        ),
    ] {
        write(folder.path(), &format!("{name}/b.csv"), &format!("{HEADER}{rows}"));
    }
    newest_first(folder.path(), &RUNS);
    assert_eq!(total(folder.path()).0, "50");
}

#[test]
fn copies_count_once_and_so_does_what_has_grown() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{HEADER}{}", row("10", "a", 9));
    write(folder.path(), "to-09.csv", &text);
    write(folder.path(), "copy.csv", &text);
    let (sum, told) = total(folder.path());
    assert_eq!((sum.as_str(), told.len()), ("10", 1), "{told:?}");
    write(folder.path(), "to-10.csv", &(text.clone() + &row("7", "a", 10)));
    assert_eq!(total(folder.path()).0, "17");
    // Parts of one delivery begin alike and differ.
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1.csv", &(text.clone() + &row("1", "a", 10)));
    write(folder.path(), "2.csv", &(text + &row("1", "a", 11)));
    assert_eq!(total(folder.path()), ("22".to_owned(), Vec::new()));
}

#[test]
fn a_bill_downloaded_again_under_another_name_counts_once_however_its_rows_are_written() {
    let rows: Vec<String> = (1..=10).map(|day| row(&format!("{day}.25"), "a", day)).collect();
    let reversed = || rows.iter().rev().cloned().collect::<String>();
    for newer in [
        format!("{HEADER}{}", reversed()),
        format!("{HEADER}{}", rows.concat()).replace('\n', "\r\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "b.csv", &format!("{HEADER}{}", rows[..5].concat()));
        assert_eq!(total(folder.path()), ("16.25".to_owned(), Vec::new()));
        write(folder.path(), "b (1).csv", &newer);
        let (sum, told) = total(folder.path());
        assert_eq!(sum, "57.5", "{newer}");
        assert!(
            told.len() == 1
                && told[0].contains("hold nothing that another one does not hold")
                && told[0].contains("b.csv"),
            "{told:?}"
        );
    }
    // One day corrected since, or one more column, which may say whose the rows are: nobody can know, and it is told.
    let wider = reversed().replace('\n', ",z\n");
    for (newer, added) in [
        (format!("{HEADER}{}", reversed().replace("3.25", "3.5")), "74"),
        (format!("{},x_Z\n{wider}", HEADER.trim_end()), "73.75"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "b.csv", &format!("{HEADER}{}", rows[..5].concat()));
        write(folder.path(), "b (1).csv", &newer);
        let (sum, told) = total(folder.path());
        assert_eq!(sum, added);
        assert!(
            told.len() == 1 && told[0].contains("have most of their rows in common"),
            "{told:?}"
        );
    }
    // Parts of one export.
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in [("1.csv", &rows[..4]), ("2.csv", &rows[4..7]), ("3.csv", &rows[7..])] {
        write(folder.path(), name, &format!("{HEADER}{}", rows.concat()));
    }
    assert_eq!(total(folder.path()), ("57.5".to_owned(), Vec::new()));
}

#[test]
fn files_that_have_gone_or_say_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let both = format!(
        "{HEADER}{}{}",
        row("40", "a", 1),
        row("5", "a", 2).replace(",acc,", ",other,")
    );
    write(folder.path(), "a.csv", &both);
    write(folder.path(), "b.csv", &format!("{HEADER}{}", row("7", "a", 2)));
    let mut kept = Kept::default();
    assert_eq!(read(folder.path(), &mut kept).0, "52");
    // The account is told no more.
    write(folder.path(), "a.csv", &format!("{HEADER}{}", row("41", "a", 1)));
    assert_eq!(read(folder.path(), &mut kept).0, "48");
    let empty: Vec<_> = kept
        .bills
        .iter()
        .filter(|bill| bill.rows.is_empty())
        .map(|bill| &bill.identity)
        .collect();
    assert_eq!(empty, ["test/aws/other/2026-11-01"]);
    // A file of a bill that has gone makes the others be read at once, and only once.
    fs::remove_file(folder.path().join("a.csv")).unwrap();
    assert_eq!(read(folder.path(), &mut kept).0, "7");
    assert!(read(folder.path(), &mut kept).1.is_empty() && kept.bills.is_empty());
    // One without rows says nothing, and that is told.
    write(folder.path(), "b.csv", HEADER);
    let (_, told) = read(folder.path(), &mut kept);
    assert!(kept.bills.is_empty());
    assert!(told.len() == 1 && told[0].contains("have no rows any more"), "{told:?}");
    // A folder rolls over: what was told stays.
    fs::remove_file(folder.path().join("b.csv")).unwrap();
    write(
        folder.path(),
        "c.csv",
        &format!("{HEADER}{}", row("9", "a", 2).replace("2026-11-01", "2026-10-01")),
    );
    read(folder.path(), &mut kept);
    let told: Vec<_> = kept.bills.iter().map(|bill| bill.identity.as_str()).collect();
    assert_eq!(told, ["test/aws/acc/2026-10-01"]);
}

#[test]
fn what_a_file_that_is_there_told_and_tells_no_more_comes_to_nothing_whoever_else_told_it() {
    for last in [None, Some(HEADER)] {
        let folder = tempfile::tempdir().unwrap();
        let other = |cost: &str| row(cost, "a", 2).replace(",acc,", ",other,");
        let alone = row("3", "a", 4).replace(",acc,", ",alone,");
        // A delivery of two parts, of which the last tells a bill that no other does.
        write(
            folder.path(),
            "b-1.csv",
            &format!("{HEADER}{}{}", row("10", "a", 1), other("20")),
        );
        write(
            folder.path(),
            "b-2.csv",
            &format!("{HEADER}{}{}{alone}", row("11", "a", 1), other("21")),
        );
        let mut kept = Kept::default();
        assert_eq!(read(folder.path(), &mut kept).0, "65");
        // The next one has rows for one.
        match last {
            None => fs::remove_file(folder.path().join("b-2.csv")).unwrap(),
            Some(header) => write(folder.path(), "b-2.csv", header),
        }
        write(folder.path(), "b-1.csv", &format!("{HEADER}{}", row("12", "a", 1)));
        assert_eq!(read(folder.path(), &mut kept).0, "12");
        let told: Vec<_> = kept.bills.iter().map(|bill| bill.identity.as_str()).collect();
        assert_eq!(told, ["test/aws/acc/2026-11-01", "test/aws/other/2026-11-01"]);
    }
}

#[test]
fn a_file_that_held_a_bill_and_holds_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Kept::default();
    write(folder.path(), "b-1.csv", &format!("{HEADER}{}", row("60", "a", 1)));
    write(folder.path(), "b-2.csv", &format!("{HEADER}{}", row("40", "a", 2)));
    assert_eq!(read(folder.path(), &mut kept).0, "100");
    write(folder.path(), "b-2.csv", &format!("{HEADER}{}", row("50", "a", 2)));
    for left in ["", "BilledCost,Effec"] {
        write(folder.path(), "b-1.csv", left);
        read(folder.path(), &mut kept);
        let told = std::mem::take(&mut kept.rejected);
        assert!(
            kept.bills.is_empty() && told.len() == 1 && told[0].file.ends_with("b-1.csv"),
            "{told:?}"
        );
        assert!(
            told[0].reason.contains("it held a bill when it was read before"),
            "{told:?}"
        );
    }
    fs::remove_file(folder.path().join("b-1.csv")).unwrap();
    assert_eq!(read(folder.path(), &mut kept).0, "50");
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
}

#[test]
fn a_last_row_that_has_lost_its_line_end_is_cut_while_the_file_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Kept::default();
    // The cost stands last.
    let bill = |costs: [&str; 2]| {
        let row = |cost: &str| format!("1,acc,USD,2026-11-01,2026-12-01,Usage,2026-11-02,AWS,{cost}\n");
        let header = "EffectiveCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ProviderName,BilledCost\n";
        format!("{header}{}{}", row(costs[0]), row(costs[1]))
    };
    let put = |text: &str, age: u64| {
        write(folder.path(), "b.csv", text);
        // As old as the files of these tests are read at.
        let changed =
            std::time::SystemTime::from(super::time("2026-11-30T00:00:00Z")) - std::time::Duration::from_secs(age);
        fs::File::options()
            .append(true)
            .open(folder.path().join("b.csv"))
            .unwrap()
            .set_modified(changed)
            .unwrap();
    };
    for text in [bill(["10", "123.45"]), bill(["10", "\"123.45\""])] {
        // A first time nobody knows that one is missing.
        put(text.trim_end(), 60);
        assert_eq!(read(folder.path(), &mut kept).0, "133.45");
        put(&text.replace("10", "11"), 50);
        assert_eq!(read(folder.path(), &mut kept).0, "134.45");
        let cut = text.trim_end().trim_end_matches('"');
        let cut = &cut[..cut.len() - 4];
        put(cut, 40);
        read(folder.path(), &mut kept);
        let told = std::mem::take(&mut kept.rejected);
        assert!(kept.bills.is_empty() && told.len() == 1, "{told:?}");
        assert!(told[0].reason.contains("it ends in the middle of a row"), "{told:?}");
        // It stays so, and ends nowhere else.
        put(text.trim_end(), 7_200);
        assert_eq!(read(folder.path(), &mut kept).0, "133.45");
        assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
        put(text.replace("10", "12").trim_end(), 30);
        assert_eq!(read(folder.path(), &mut kept).0, "135.45");
    }
}

#[test]
fn a_bill_of_which_every_row_is_refused_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Kept::default();
    let other = row("5", "a", 2).replace(",acc,", ",other,");
    let both = format!("{HEADER}{}{other}", row("40", "a", 1));
    write(folder.path(), "a.csv", &both);
    assert_eq!(read(folder.path(), &mut kept).0, "45");
    for (text, told) in [
        (both.replace("BillingCurrency", "Currency"), &[][..]),
        // What is refused may be of any bill.
        (both.replace(",other,USD", ",other,?"), &["test/aws/acc/2026-11-01"]),
        // It is gone.
        (
            format!("{HEADER}{}", row("41", "a", 1)),
            &["test/aws/acc/2026-11-01", "test/aws/other/2026-11-01"],
        ),
    ] {
        write(folder.path(), "a.csv", &text);
        read(folder.path(), &mut kept);
        let bills: Vec<_> = kept.bills.iter().map(|bill| bill.identity.as_str()).collect();
        assert_eq!(bills, told);
    }
}

#[test]
fn a_bill_in_two_formats_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "focus.csv", &format!("{HEADER}{}", row("10", "a", 1)));
    write(
        folder.path(),
        "cur.csv",
        "bill/PayerAccountId,bill/BillingPeriodStartDate,lineItem/LineItemType,lineItem/UsageStartDate,lineItem/UnblendedCost,lineItem/CurrencyCode\nacc,2026-11-01T00:00:00Z,Usage,2026-11-02T00:00:00Z,10,USD\n",
    );
    let (sum, told) = total(folder.path());
    assert_eq!(sum, "20");
    assert!(
        told.len() == 1 && told[0].contains("such as `test/aws/acc/2026-11-01`"),
        "{told:?}"
    );
    fs::remove_file(folder.path().join("cur.csv")).unwrap();
    write(folder.path(), "part.csv", &format!("{HEADER}{}", row("5", "a", 2)));
    assert_eq!(total(folder.path()), ("15".to_owned(), Vec::new()));
}

#[test]
fn a_period_is_one_at_whatever_hour_it_begins_and_two_providers_are_two_bills() {
    let folder = tempfile::tempdir().unwrap();
    let later = row("7", "a", 3).replace(
        "2026-11-01T00:00:00Z,2026-12-01T00:00:00Z",
        "2026-11-01T08:00:00Z,2026-12-01T08:00:00Z",
    );
    write(
        folder.path(),
        "a.csv",
        &format!(
            "{HEADER}{}{later}{}",
            row("40", "a", 1),
            later.replace(",AWS,", ",Google,")
        ),
    );
    let mut kept = Kept::default();
    assert_eq!(read(folder.path(), &mut kept).0, "54");
    let bills: Vec<_> = kept
        .bills
        .iter()
        .map(|bill| (bill.identity.as_str(), bill.rows.len()))
        .collect();
    assert_eq!(
        bills,
        [("test/aws/acc/2026-11-01", 4), ("test/google/acc/2026-11-01", 2)]
    );
    let former: Vec<_> = kept
        .bills
        .iter()
        .map(|bill| bill.formerly.as_ref().unwrap().identity.as_str())
        .collect();
    assert_eq!(former, ["test/acc/2026-11-01"; 2]);
}

#[test]
fn amounts_of_many_digits_are_rounded_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = row("1.2345678901234567e-08", "a", 1)
        + &row("123456.78", "a", 1)
        + &row("0E-6176", "a", 1)
        + &row("1.3877787807814457e-17", "a", 1)
        + &row("0.130243000000000000000000000000000000", "a", 1);
    write(folder.path(), "a.csv", &format!("{HEADER}{text}"));
    let mut kept = Kept::default();
    let (sum, told) = read(folder.path(), &mut kept);
    assert_eq!(sum, "123456.910243012345678915");
    assert!(kept.rejected.is_empty(), "{:?}", kept.rejected);
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(
        told.starts_with("amounts of bills were rounded to 18 digits behind the point"),
        "{told}"
    );
    // What comes to more than a sum holds is told and left out.
    let fine = "0.000000000000000001";
    let text = row("999999999999", "a", 1) + &row(fine, "a", 2) + &row("1", "b", 1).replace(",acc,", ",other,");
    write(folder.path(), "a.csv", &format!("{HEADER}{text}"));
    let mut kept = Kept::default();
    assert_eq!(read(folder.path(), &mut kept).0, "1");
    assert!(
        kept.rejected
            .iter()
            .any(|r| r.reason.contains("the bill of aws for acc from 2026-11-01 is left out")),
        "{:?}",
        kept.rejected
    );
}

#[test]
fn a_column_that_is_there_twice_is_none() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "a.csv",
        &format!("BilledCost,{HEADER}1,{}", row("2", "a", 1)),
    );
    let mut kept = Kept::default();
    assert_eq!(read(folder.path(), &mut kept).0, "0");
    assert_eq!(
        (kept.rejected[0].field.as_deref(), kept.rejected[0].reason.as_str()),
        (Some("BilledCost"), "given twice")
    );
    let mut kept = Kept::default();
    write(
        folder.path(),
        "a.csv",
        "id,ts,provider,model,input_tokens,input_tokens\na,2026-11-03T10:00:00Z,p,m,1000000,5\n",
    );
    read(folder.path(), &mut kept);
    assert_eq!((kept.calls.len(), kept.rejected[0].reason.as_str()), (0, "given twice"));
}

/// That it is known which of some folders counts says nothing of others, and neither does one doubt of another.
#[test]
fn what_is_in_doubt_is_told_of_every_family_of_folders() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, rows: &str| write(folder.path(), &format!("{name}/a.csv"), &format!("{HEADER}{rows}"));
    // The same day at other costs, once of two folders and once of three.
    file("b/one", &row("40", "a", 1));
    file("b/two", &(row("7", "a", 1) + &row("5", "a", 2)));
    file("c/one", &row("100", "a", 3));
    file("c/two", &row("200", "a", 3));
    file("c/three", &row("300", "a", 3));
    // Two runs, of which the newer one has what the older one has.
    let runs = [
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    ];
    for (run, cost) in runs.into_iter().zip(["1000", "1001"]) {
        file(
            &format!("r/{run}"),
            &(row(cost, "a", 9) + &row("1", "a", 10) + &row("2", "a", 11)),
        );
    }
    let changed = |run: &str, day: u64| {
        let path = folder.path().join("r").join(run).join("a.csv");
        let file = fs::OpenOptions::new().append(true).open(path).unwrap();
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_790_000_000 + day * 86_400);
        file.set_modified(at).unwrap();
    };
    changed(runs[0], 1);
    changed(runs[1], 2);
    let (sum, told) = total(folder.path());
    assert_eq!(sum, (40 + 7 + 5 + 600 + 1001 + 1 + 2).to_string(), "{told:?}");
    assert_eq!(told.len(), 3, "{told:?}");
    let has = |parts: &[&str]| told.iter().any(|told| parts.iter().all(|part| told.contains(part)));
    assert!(
        has(&[
            "b/one`",
            "b/two`",
            "both hold days of the bill of aws for acc",
            "and are added up; where"
        ]),
        "{told:?}"
    );
    assert!(
        has(&[
            "c/",
            "and are added up, and so are 1 more of the folders beside them; where"
        ]),
        "{told:?}"
    );
    assert!(has(&["the newest counts", runs[1]]), "{told:?}");
}
