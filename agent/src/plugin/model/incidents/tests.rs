use super::*;
use crate::{
    api::{Blame, BlameKind, HintState, Subject},
    plugin::model::{hints::MissingTime, testing::hint},
};

/// 2026-01-01T00:00:00Z.
const ZERO: i64 = 1_767_225_600_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn range() -> (Timestamp, Timestamp) {
    ["2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z"].map(|time| time.parse().unwrap()).into()
}

/// A Pod of `Deployment/payment` that blames something for so long.
fn firing(pod: &str, cause: &str, (kind, name): (BlameKind, &str), from: i64, length: i64) -> Firing {
    let mut hint = hint("shop", pod, cause);
    hint.blame = Blame::named(kind, name, 0.95);
    hint.state = HintState::Resolved;
    hint.first_seen = stamp(ZERO + from);
    hint.last_seen = stamp(ZERO + from + length);
    Firing::of_hint(&hint, (ZERO, ZERO + 7 * DAY)).unwrap()
}

/// A Node at fault by itself.
fn of_node(node: &str, cause: &str, from: i64, length: i64) -> Firing {
    let mut hint = hint("", node, cause);
    let subject = |text: &str| text.to_owned();
    hint.subject = Subject { kind: subject("Node"), name: subject(node), node: subject(node), ..Subject::default() };
    hint.blame = Blame::named(BlameKind::Node, node, 0.95);
    hint.state = HintState::Resolved;
    hint.first_seen = stamp(ZERO + from);
    hint.last_seen = stamp(ZERO + from + length);
    Firing::of_hint(&hint, (ZERO, ZERO + 7 * DAY)).unwrap()
}

/// Each night at three Node b drops packets, and a second later the shop suffers. Once a database is refused.
pub(crate) fn nights() -> Incidents {
    let mut firings = Vec::new();
    for night in 0..6 {
        let from = night * DAY + 3 * HOUR + night * 2 * MINUTE;
        firings.push(of_node("node-b", "node_nic_drops", from, 20 * MINUTE));
        for pod in ["payment-1", "payment-2"] {
            let blame = (BlameKind::PeerNode, "node-b");
            firings.push(firing(pod, "node_packet_loss", blame, from + 15_000, 10 * MINUTE));
        }
    }
    firings.push(firing("payment-1", "peer_refusing", (BlameKind::External, "192.0.2.7"), 5 * HOUR, HOUR));
    let gap = crate::api::Gap {
        from: "2026-01-06T00:00:00Z".into(),
        to: "2026-01-07T00:00:00Z".into(),
        why: "no agent ran".into(),
    };
    let missing = vec![MissingTime { node: "node-a".into(), gap }];
    Incidents { agents: 2, missing, ..Incidents::group(firings, range()) }
}

#[test]
fn each_night_at_three_is_seen_as_that_and_the_node_as_the_first() {
    let report = nights();
    let [node, pods, refused] = report.items.as_slice() else { panic!("{report:#?}") };
    assert_eq!((node.fingerprint.workload.as_str(), node.times, node.seconds), ("Node/node-b", 6, 7200.0));
    let daily = Some(Recurrence::Daily { about: "03:06Z".into(), days: 6, of_days: 6 });
    assert_eq!((&node.recurs, (node.first_in, node.chains)), (&daily, (6, 6)), "{node:?}");
    // Two Pods at once are one occurrence, and their time counts once.
    assert_eq!((pods.times, pods.seconds, pods.subjects), (6, 3600.0, 2));
    assert_eq!((pods.first_in, pods.chains), (0, 6));
    assert_eq!((refused.times, &refused.recurs, refused.chains), (1, &None, 0));
    assert_eq!(
        (refused.fingerprint.blame.as_str(), refused.culprits.as_slice()),
        ("~address", ["external 192.0.2.7".to_owned()].as_slice())
    );
    assert_eq!(report.chains.len(), 6);
    assert!(report.chains[0].from > report.chains[1].from, "the newest is first");
}

#[test]
fn what_flaps_is_one_occurrence() {
    let blame = (BlameKind::Pod, "shop/payment-1");
    let one = |from| firing("payment-1", "pod_cpu_throttled", blame, from, MINUTE);
    let report = Incidents::group(vec![one(0), one(5 * MINUTE), one(30 * MINUTE)], range());
    let item = &report.items[0];
    assert_eq!((item.times, item.seconds, item.longest_seconds), (2, 180.0, 120.0));
    assert_eq!((item.occurrences[0].to.as_str(), item.fingerprint.blame.as_str()), ("2026-01-01T00:06:00Z", ""));
}

#[test]
fn pods_of_one_workload_that_are_at_fault_themselves_are_one_incident() {
    let one = |pod: &str, day| firing(pod, "pod_cpu_throttled", (BlameKind::Pod, pod), day * DAY, HOUR);
    let report = Incidents::group(vec![one("payment-1", 0), one("payment-2", 1)], range());
    assert_eq!((report.items.len(), report.items[0].times, report.items[0].subjects), (1, 2, 2), "{report:#?}");
}

#[test]
fn times_are_cut_to_those_asked_for() {
    let mut hint = hint("shop", "payment-1", "path_loss");
    hint.first_seen = stamp(ZERO - HOUR);
    hint.last_seen = stamp(ZERO + 9 * DAY);
    let firing = Firing::of_hint(&hint, (ZERO, ZERO + 7 * DAY)).unwrap();
    assert_eq!((firing.from, firing.to, firing.lasts), (ZERO, ZERO + 7 * DAY, true));
    // Its newest finding is old, and it fires still.
    hint.last_seen = stamp(ZERO - HOUR);
    assert_eq!(Firing::of_hint(&hint, (ZERO, ZERO + DAY)).unwrap().fired_ms, DAY as f64);
    hint.first_seen = "yesterday".into();
    assert_eq!(Firing::of_hint(&hint, (ZERO, ZERO + 7 * DAY)), None);
}

#[test]
fn of_too_many_firings_the_oldest_are_left_out_and_said() {
    let one = |n: i64| Firing { from: n, to: n, ..Firing::default() };
    let firings = (0..i64::try_from(MAX_FIRINGS).unwrap() + 5).map(one).collect();
    let report = Incidents::group(firings, range());
    assert_eq!(report.unknown.len(), 1);
    assert!(report.unknown[0].figures.starts_with("5 are left out"), "{:?}", report.unknown);
}
