//! Checkpoints on DynamoDB: changes one behind the other, made one when there are many.

use std::collections::BTreeMap;

use super::bytes::{Reader, deflate, inflate, put_bytes};
use super::head::{Head, What};
use super::ledger::MAX_CHANGES;
use super::store::{Draft, Store, Trouble};
use crate::ports::Checkpoint;

/// Checkpoints by source and key.
type AllCheckpoints = BTreeMap<(String, String), Vec<u8>>;

/// Those of now.
pub(super) fn known_checkpoints(store: &mut Store, head: &Head) -> Result<AllCheckpoints, Trouble> {
    let bodies = store.load(head.checkpoints.iter().copied())?;
    let broken = store.broken("checkpoints");
    let mut all = AllCheckpoints::new();
    for bundle in &head.checkpoints {
        let body = bodies.get(&(*bundle, 0)).map(|b| b.as_slice()).unwrap_or_default();
        let plain = inflate(body).map_err(&broken)?;
        let mut reader = Reader(&plain);
        while !reader.done() {
            let source = reader.text().map_err(&broken)?.to_owned();
            let key = reader.text().map_err(&broken)?.to_owned();
            match reader.bytes().map_err(&broken)? {
                [] => all.remove(&(source, key)),
                at => all.insert((source, key), at.to_vec()),
            };
        }
    }
    Ok(all)
}

/// Adds those that have changed; an empty one takes away the one that there is.
pub(super) fn add_checkpoints(
    store: &mut Store,
    head: &Head,
    draft: &mut Draft,
    given: &[(String, String, Checkpoint)],
) -> Result<(), Trouble> {
    if given.is_empty() {
        return Ok(());
    }
    let mut all = known_checkpoints(store, head)?;
    let mut changed = AllCheckpoints::new();
    for (source, key, Checkpoint(at)) in given {
        let name = (source.clone(), key.clone());
        if all.get(&name).map_or(&[][..], Vec::as_slice) == at.as_slice() {
            continue;
        }
        match at.is_empty() {
            true => all.remove(&name),
            false => all.insert(name.clone(), at.clone()),
        };
        changed.insert(name, at.clone());
    }
    if changed.is_empty() {
        return Ok(());
    }
    if head.checkpoints.len() >= MAX_CHANGES {
        std::mem::take(&mut draft.head.checkpoints)
            .into_iter()
            .for_each(|old| draft.drop(old));
        changed = all;
    }
    let mut plain = Vec::new();
    for ((source, key), at) in &changed {
        [source.as_bytes(), key.as_bytes(), at]
            .into_iter()
            .for_each(|part| put_bytes(&mut plain, part));
    }
    let bundle = draft.add(What::Checkpoints, 0, &deflate(&plain));
    draft.head.checkpoints.push(bundle);
    Ok(())
}
