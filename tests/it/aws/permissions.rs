//! What the code declares to call and what `policies/permissions.json` grants are the same, both ways.

use std::collections::{BTreeMap, BTreeSet};

use finops::adapters::aws::permissions::ALL;

/// Granted for what has no call of ours: services that act for us or as us, and the runtime of the function.
const INDIRECT: [&str; 4] = ["AthenaCatalog", "AthenaData", "EncryptionKey", "Logs"];

#[test]
fn declared_and_granted_actions_are_the_same() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/permissions.json");
    let granted: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let granted: BTreeMap<String, BTreeSet<String>> = granted
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            let actions = part["actions"].as_array().unwrap().iter();
            let actions = actions.map(|a| a.as_str().unwrap().to_owned()).collect();
            (part["sid"].as_str().unwrap().to_owned(), actions)
        })
        .filter(|(sid, _)| !INDIRECT.contains(&sid.as_str()))
        .collect();
    let mut declared: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for part in ALL {
        let actions = part.actions.iter().map(|a| (*a).to_owned());
        declared.entry(part.sid.to_owned()).or_default().extend(actions);
    }
    assert_eq!(declared, granted);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_finops"))
        .args(["aws", "permissions", "--format", "json"])
        .output()
        .unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        shown.as_array().unwrap().len(),
        declared.len(),
        "the command shows the same"
    );
}
