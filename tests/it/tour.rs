//! The tour's data is what its generator writes.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_generator_writes_the_committed_usage() {
    let tour = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tour");
    let fresh = tempfile::tempdir().unwrap();
    let run = Command::new("python3")
        .arg(tour.join("generate.py"))
        .arg(fresh.path())
        .status();
    let Ok(status) = run else {
        println!("skipped: python3 is not installed");
        return;
    };
    assert!(status.success());
    let mut compared = 0;
    for folder in ["usage", "claude/projects/-srv-shop"] {
        let names = |base: &Path| {
            let mut names: Vec<_> = fs::read_dir(base.join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(&tour), names(fresh.path()), "{folder}");
        for name in names(&tour) {
            let committed = fs::read(tour.join(folder).join(&name)).unwrap();
            let written = fs::read(fresh.path().join(folder).join(&name)).unwrap();
            assert!(
                committed == written,
                "{folder}/{} differs: run examples/tour/generate.py",
                name.display()
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 4);
}
