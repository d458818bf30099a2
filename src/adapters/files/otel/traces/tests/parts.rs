//! What is remembered from run to run.

use super::super::super::nodes::PART;
use super::super::super::split::Splits;
use super::*;
use crate::ports::OF_ALL;

/// Calls below agents, so many, from a number on.
fn fill(traces: &mut Traces, numbers: std::ops::Range<u64>) {
    for key in numbers {
        traces.call(2 * key, 2 * key + 1, &answer(1, "m", 100), None, &mut Found::default());
    }
}

#[test]
fn only_parts_that_have_changed_are_saved_and_the_oldest_are_forgotten() {
    let (mut traces, mut ledger) = (Traces::default(), Checkpoints::new());
    fill(&mut traces, 1..KEPT);
    restart(&mut traces, &mut ledger);
    let parts = usize::try_from(KEPT / PART).unwrap();
    assert!((parts..=parts + 1).contains(&ledger.len()), "{}", ledger.len());
    let known = u64::try_from(traces.nodes.len()).unwrap();
    assert!((KEPT..KEPT + PART).contains(&known), "{known}");
    // The newest and one of those before it.
    fill(&mut traces, KEPT..KEPT + 1);
    traces.link(2 * (KEPT - PART), 0, true, Some(event(2)), &mut Found::default());
    let saved = traces.save();
    assert!(saved.iter().filter(|(_, at)| *at != Checkpoint::NONE).count() <= 3);
    ledger.extend(saved);
    assert!(traces.save().is_empty());
    // Of a run that was not recorded nothing stays.
    let before: Vec<_> = (KEPT..KEPT + 2000)
        .map(|key| traces.nodes.get(2 * key).is_some())
        .collect();
    traces.mark();
    fill(&mut traces, KEPT + 1..KEPT + 2000);
    traces.save();
    traces.undo();
    let after: Vec<_> = (KEPT..KEPT + 2000)
        .map(|key| traces.nodes.get(2 * key).is_some())
        .collect();
    assert_eq!(before, after);
    fill(&mut traces, KEPT + 1..KEPT + 2000);
    restart(&mut traces, &mut ledger);
    for key in KEPT - 10_000..KEPT + 2000 {
        assert!(
            traces.nodes.get(2 * key).is_some_and(|node| node.priced.is_some()),
            "{key}"
        );
    }
    assert!((parts..=parts + 1).contains(&ledger.len()), "{}", ledger.len());
}

#[test]
fn what_an_earlier_version_kept_for_a_source_is_taken_up_where_it_is_not_known() {
    let mut former = Traces::default();
    former.link(1, 0, true, Some(event(1)), &mut Found::default());
    former.call(5, 4, &answer(5, "m", 100), None, &mut Found::default());
    settled(&mut former);
    let (mut bytes, mut splits) = (Vec::new(), Splits::default());
    for key in [1, 4, 5] {
        former.nodes.get(key).unwrap().save(key, &mut splits, &mut bytes);
    }
    let (mut traces, mut ledger) = (Traces::default(), Checkpoints::new());
    traces.link(4, 3, true, None, &mut Found::default());
    traces.load_formerly(&bytes);
    assert_eq!(traces.nodes.get(4).unwrap().parent, 3);
    restart(&mut traces, &mut ledger);
    let mut found = Found::default();
    traces.call(2, 1, &answer(2, "m", 100), None, &mut found);
    let back: Vec<_> = found.taken_back.iter().map(|back| back.nothing.id.0[0]).collect();
    assert_eq!(back, [1]);
}

/// Another run wrote meanwhile: what it left out is not known, and all else is.
#[test]
fn parts_that_do_not_fit_each_other_are_read_as_far_as_they_go() {
    let (mut traces, mut ledger) = (Traces::default(), Checkpoints::new());
    fill(&mut traces, 1..3 * PART);
    restart(&mut traces, &mut ledger);
    let mut keys: Vec<_> = ledger.keys().cloned().collect();
    keys.sort();
    ledger.remove(&keys[2]);
    restart(&mut traces, &mut ledger);
    let known = traces.nodes.len();
    assert!(known > 4 * 1024);
    fill(&mut traces, 3 * PART..3 * PART + 5);
    restart(&mut traces, &mut ledger);
    assert_eq!(traces.nodes.len(), known + 10);
    restart(&mut traces, &mut ledger);
    assert_eq!(traces.nodes.len(), known + 10);
}

#[test]
fn runs_of_other_sources_at_once_take_nothing_from_each_other() {
    let mut ledger = Checkpoints::new();
    let owner = |name: &str| Label::new(&format!("{OF_RUN}{name}"));
    let mut both = ["a", "b"].map(|name| Traces::resume_run(owner(name), &ledger));
    for (first, traces) in [1, 5000].into_iter().zip(&mut both) {
        fill(traces, first..first + 1500);
    }
    for traces in &mut both {
        ledger.extend(traces.save());
    }
    let knows = |traces: &Traces, key: u64| traces.nodes.get(2 * key).is_some_and(|node| node.priced.is_some());
    let [a, b] = ["a", "b"].map(|name| Traces::resume_run(owner(name), &ledger));
    assert!((1..1501).all(|key| knows(&a, key) && !knows(&b, key)));
    assert!((5000..6500).all(|key| knows(&b, key) && !knows(&a, key)));
    // A source was added: its run goes on with what is known.
    let mut new = Traces::resume_run(owner("a and c"), &ledger);
    assert!((1..1501).chain(5000..6500).all(|key| knows(&new, key)));
    ledger.extend(new.save());
    let new = Traces::resume_run(owner("a and c"), &ledger);
    assert!((1..1501).chain(5000..6500).all(|key| knows(&new, key)));
}

/// A source is left out for a run, or called otherwise, and put back.
#[test]
fn what_a_run_of_other_sources_has_met_since_is_known() {
    let owner = |name: &str| Label::new(&format!("{OF_RUN}{name}"));
    let mut ledger = Checkpoints::new();
    let mut run = |name: &str, meet: &mut dyn FnMut(&mut Traces)| {
        let mut traces = Traces::resume_run(owner(name), &ledger);
        meet(&mut traces);
        settled(&mut traces);
        ledger.extend(traces.save());
    };
    run("a and b", &mut |traces| fill(traces, 1..10));
    // An agent, whose call comes when both are there again, and a span that is seen to lie elsewhere.
    run("a", &mut |traces| {
        traces.link(1001, 0, true, Some(event(1)), &mut Found::default());
        traces.link(2, 77, true, None, &mut Found::default());
    });
    let mut back = Vec::new();
    run("a and b", &mut |traces| {
        assert_eq!(traces.nodes.get(2).unwrap().parent, 77);
        let mut found = Found::default();
        traces.call(1002, 1001, &answer(2, "m", 100), None, &mut found);
        back.extend(found.taken_back.iter().map(|back| back.nothing.id.0[0]));
        traces.link(2, 88, true, None, &mut Found::default());
    });
    assert_eq!(back, [1]);
    // Of the older memory nothing comes back, and nothing is written anew where nothing was met.
    run("a and b", &mut |traces| {
        assert_eq!(traces.nodes.get(2).unwrap().parent, 88)
    });
    run("a", &mut |traces| assert_eq!(traces.nodes.get(2).unwrap().parent, 88));
    run("a and b", &mut |traces| {
        assert_eq!(traces.nodes.get(2).unwrap().parent, 88);
        assert!(traces.save().is_empty());
    });
}

#[test]
fn parts_that_the_version_before_saved_are_taken_up() {
    let mut former = Traces::default();
    fill(&mut former, 1..5);
    let (mut bytes, mut splits) = (0_u64.to_le_bytes().to_vec(), Splits::default());
    for (key, node) in former.nodes.part(0).1 {
        node.save(*key, &mut splits, &mut bytes);
    }
    let own = format!("{OF_ALL}spans/{OF_RUN}a/{:016x}", 0);
    let ledger = Checkpoints::from([(own, Checkpoint(bytes))]);
    for name in ["a", "a and b"] {
        let traces = Traces::resume_run(Label::new(&format!("{OF_RUN}{name}")), &ledger);
        let known = |key: u64| traces.nodes.get(2 * key).is_some_and(|node| node.priced.is_some());
        assert!((1..5).all(known), "{name}");
    }
}
