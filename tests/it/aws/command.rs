//! The real binary with its store on an emulator: the same input gives the same bytes as with a file.

use std::path::Path;
use std::process::{Command, Output};

use super::{Emulator, create_table_named, emulators};

/// The program in `folder`, with the emulator as its AWS.
pub fn finops(folder: &Path, emulator: &Emulator) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finops"));
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env_remove("XDG_DATA_HOME")
        .env("NO_COLOR", "1")
        .env("AWS_ENDPOINT_URL", &emulator.url)
        .env("AWS_ACCESS_KEY_ID", "emulator")
        .env("AWS_SECRET_ACCESS_KEY", "emulator")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn text(output: &Output) -> String {
    format!(
        "{}\n{}\n{:?}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        output.status.code()
    )
}

#[test]
fn a_run_on_dynamodb_says_what_a_run_on_a_file_says() {
    for emulator in emulators() {
        let folder = tempfile::tempdir().unwrap();
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tour"),
            folder.path(),
        );
        create_table_named(emulator, "tour-ai-costs-example");
        create_table_named(emulator, "tour-cost-alerts-example");
        let commands: [&[&str]; 7] = [
            &["run"],
            &["run", "--format", "json"],
            &["report", "--by", "team,model"],
            &[
                "report",
                "--by",
                "day,team,agent",
                "--from",
                "2026-10-01",
                "--to",
                "2026-12-01",
                "--format",
                "json",
            ],
            &["budget"],
            &["alert", "list", "--format", "json"],
            &["run"],
        ];
        for command in commands {
            let run = |store: &str| {
                let mut run = finops(folder.path(), emulator);
                run.args([
                    "--config",
                    "finops.toml",
                    "--now",
                    "2026-11-24T12:00:00Z",
                    "--store",
                    store,
                ]);
                text(&run.args(command).output().unwrap())
            };
            let (file, cloud) = (run("sqlite:ledger.db"), run("dynamodb:"));
            assert!(file.contains("Some(0)"), "{command:?}: {file}");
            assert_eq!(cloud, file, "{}: {command:?}", emulator.name);
        }
    }
}

#[test]
fn what_aws_refuses_is_said_in_words_with_exit_code_3() {
    let Some(emulator) = super::emulator::moto() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let config = "namespace = \"nobody\"\n[aws]\nallowed_accounts = [\"123456789012\"]\n";
    std::fs::write(folder.path().join("finops.toml"), config).unwrap();
    let run = |config: &str| {
        std::fs::write(folder.path().join("finops.toml"), config).unwrap();
        let output = finops(folder.path(), emulator)
            .args(["--store", "dynamodb:", "report"])
            .output()
            .unwrap();
        text(&output)
    };
    let missing = run(config);
    assert!(
        missing.contains("it does not exist") && missing.contains("terraform") && missing.contains("Some(3)"),
        "{missing}"
    );
    let other = run("[aws]\nallowed_accounts = [\"210987654321\"]\n");
    assert!(
        other.contains("the account `123456789012` is not in `aws.allowed_accounts`") && other.contains("Some(3)"),
        "{other}"
    );
    let wrong = run("[aws]\nallowed_accounts = [\"12\"]\n");
    assert!(wrong.contains("12 digits") && wrong.contains("Some(2)"), "{wrong}");
}
