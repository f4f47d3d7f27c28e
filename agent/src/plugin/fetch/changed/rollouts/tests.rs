use super::{
    super::written::tests::{LONG_BEFORE, ONSET_MS, TEN_BEFORE, TEN_BEFORE_MS, WINDOW, object},
    *,
};
use serde_json::json;

fn web() -> Workload {
    Workload::parse("shop", "Deployment/web").unwrap()
}

fn set(name: &str, number: i64, made: &str, image: &str) -> Revision {
    of_replica_set(&object(json!({
        "metadata": {"name": name, "creationTimestamp": made, "annotations": {REVISION: number.to_string()}},
        "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "app", "image": image}]}}}
    })))
}

fn scaled(at_ms: i64, message: &str) -> Event {
    Event { at_ms, reason: "ScalingReplicaSet".into(), message: message.into(), of: "web".into() }
}

fn shown(meta: &ObjectMeta, revisions: &[Revision], events: &[Event]) -> Vec<(i64, ChangeKind, String)> {
    let all = changes_of((&web(), Near::Culprit), WINDOW, meta, revisions, events);
    assert!(all.iter().all(|seen| seen.object == "Deployment/web" && seen.near == Near::Culprit), "{all:?}");
    all.into_iter().map(|seen| (seen.at_ms, seen.kind, seen.what)).collect()
}

#[test]
fn a_rollout_names_its_author_and_what_differs() {
    let revisions = [set("web-b", 7, TEN_BEFORE, "pay:1.5"), set("web-a", 6, LONG_BEFORE, "pay:1.4")];
    let meta: ObjectMeta = object(json!({"managedFields": [
        {"manager": "helm", "time": "2025-12-31T23:49:58Z", "fieldsV1": {"f:spec": {}}}
    ]}));
    let own = [scaled(TEN_BEFORE_MS + 1000, "Scaled up replica set web-b from 0 to 1")];
    let what = "was rolled out by helm, revision 7: image of app: pay:1.4 → pay:1.5".to_owned();
    assert_eq!(shown(&meta, &revisions, &own), [(TEN_BEFORE_MS, ChangeKind::Rollout, what)]);
}

#[test]
fn scaling_without_a_rollout_and_other_writes_are_changes() {
    let revisions = [set("web-a", 6, LONG_BEFORE, "pay:1.4")];
    let meta: ObjectMeta = object(json!({"managedFields": [
        {"manager": "kubectl-scale", "time": TEN_BEFORE, "fieldsV1": {"f:spec": {}}}
    ]}));
    let message = "Scaled down replica set web-a from 9 to 1";
    assert_eq!(
        shown(&meta, &revisions, &[scaled(TEN_BEFORE_MS, message)]),
        [
            (TEN_BEFORE_MS, ChangeKind::Scaling, message.to_owned()),
            (TEN_BEFORE_MS, ChangeKind::Configuration, "was written by kubectl-scale".to_owned())
        ]
    );
}

#[test]
fn a_rollback_is_dated_by_its_event() {
    let mut again = set("web-a", 8, LONG_BEFORE, "pay:1.4");
    again.is_again = true;
    let revisions = [again, set("web-b", 7, LONG_BEFORE, "pay:1.5")];
    let events = [scaled(ONSET_MS - 60_000, "Scaled up replica set web-a from 0 to 3")];
    let what = "was rolled back, revision 8: image of app: pay:1.5 → pay:1.4".to_owned();
    assert_eq!(shown(&ObjectMeta::default(), &revisions, &events), [(ONSET_MS - 60_000, ChangeKind::Rollout, what)]);
    assert!(shown(&ObjectMeta::default(), &revisions, &[]).is_empty(), "without its Event, its time is unknown");
}

#[test]
fn revisions_of_a_stateful_set_are_compared_too() {
    let revision = |number: i64, made: &str, image: &str| {
        of_controller_revision(&object(json!({
            "metadata": {"name": format!("db-{number}"), "creationTimestamp": made}, "revision": number,
            "data": {"spec": {"template": {"spec": {"containers": [{"name": "db", "image": image}]}}}}
        })))
    };
    let revisions = [revision(1, LONG_BEFORE, "pg:15"), revision(2, TEN_BEFORE, "pg:16")];
    let db = Workload::parse("shop", "StatefulSet/db").unwrap();
    let all = changes_of((&db, Near::Target), WINDOW, &ObjectMeta::default(), &revisions, &[]);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0].what, "was rolled out, revision 2: image of db: pg:15 → pg:16");
    // The first revision of a workload, and one whose predecessor was pruned.
    let made = changes_of((&db, Near::Target), WINDOW, &ObjectMeta::default(), &revisions[1..], &[]);
    assert_eq!(made[0].what, "was made, revision 2");
}
