use super::*;
use std::collections::BTreeSet;

fn names(list: &str) -> BTreeSet<String> {
    let list: Value = serde_json::from_str(list).unwrap();
    list["items"].as_array().unwrap().iter().map(|o| o["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_watch_leads_from_one_list_to_the_next() {
    for kind in [PODS, NODES] {
        let (first, last) = (kind.step_at(Duration::ZERO), kind.step_at(Duration::from_secs(100)));
        let mut known = names(&kind.list(first));
        for step in first + 1..=last {
            for line in kind.changes(step).lines() {
                let change: Value = serde_json::from_str(line).unwrap();
                let name = change["object"]["metadata"]["name"].as_str().unwrap().to_owned();
                let changed = if change["type"] == "ADDED" { known.insert(name) } else { known.remove(&name) };
                assert!(changed, "{line}");
            }
        }
        assert_eq!(known, names(&kind.list(last)));
        assert!(kind.named(known.first().unwrap(), last).is_some());
    }
}

#[test]
fn a_step_happens_when_it_is_due() {
    let step = PODS.step_at(Duration::from_millis(1_000));
    assert_eq!(PODS.time_of(step), Duration::from_millis(1_000));
    assert_eq!(PODS.step_at(PODS.time_of(step + 1)), step + 1);
    assert!(NODES.named(NODE, NODES.step_at(Duration::ZERO)).is_some());
}
