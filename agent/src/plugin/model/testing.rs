//! Values for tests, read from the agents' own JSON types.

use crate::{
    api::{
        ContainerInfo, ContainerKind, ContainerState, EdgeRow, Evidence, Hint, NodeRow, PeerRow, PodInfo, PodRow,
        ProbeState, ProbeStatus, RuledOut,
    },
    metrics::fixture,
    responses,
};
use std::{collections::BTreeSet, sync::Arc};

/// The time of all fixtures: 12 s after the hints were seen first.
pub(crate) const NOW_MS: i64 = 1_767_225_612_000;

/// Through JSON and back, as between agent and plugin.
fn sent<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

pub(crate) fn hint(namespace: &str, name: &str, cause: &str) -> Hint {
    let mut hint = fixture::hint(namespace, name, cause);
    hint.summary = format!("{name} loses packets to node-b: 6 loss episodes in 319 segments (1.9 %, normally 0.01 %)");
    hint.evidence = vec![
        Evidence {
            signal: "netwhy_tcp_loss_episodes_total".into(),
            observed: 0.0188,
            baseline: Some(0.0001),
            unit: "ratio".into(),
            place: "node-a→node-b".into(),
            source: "ebpf:tcp_retransmit_skb".into(),
        },
        Evidence {
            signal: "netwhy_tcp_segments_sent_total".into(),
            observed: 319.0,
            baseline: None,
            unit: "segments".into(),
            place: "node-a→node-b".into(),
            source: "ebpf:iter_task_file".into(),
        },
    ];
    hint.ruled_out = vec![RuledOut { cause: "peer_receiver_limited".into(), because: "0 % of the busy time".into() }];
    hint.chain = vec![cause.to_owned(), "packet_loss".into()];
    sent(&hint)
}

fn row(view: crate::state::SubjectView) -> PodRow {
    let probes = ["resets", "drops", "dns"].map(|name| ProbeStatus {
        name: name.into(),
        state: ProbeState::Ok,
        ..ProbeStatus::default()
    });
    sent(&responses::pods(&fixture::view(vec![view]), &probes, |_| true).remove(0))
}

pub(crate) fn healthy_row() -> PodRow {
    row(fixture::healthy_pod("shop", "payment-1"))
}

pub(crate) fn idle_row() -> PodRow {
    row(fixture::pod("shop", "idle-1"))
}

/// The fixture's Node.
pub(crate) fn node_row() -> NodeRow {
    sent(&responses::node(&fixture::view(vec![])))
}

pub(crate) fn edge(namespace: &str, name: &str) -> EdgeRow {
    sent(&responses::edges(&fixture::view(vec![fixture::busy_pod(namespace, name)]), |_| true).remove(0))
}

/// Traffic from `node` to `peer`.
pub(crate) fn peer_row(node: &str, peer: &str, segments: u64, episodes: u64, min_rtt_us: u32) -> PeerRow {
    let mut row: PeerRow = sent(
        &responses::peers(&fixture::view(vec![fixture::busy_pod("shop", "p")]), &BTreeSet::new(), |_| true).remove(0),
    );
    row.node = node.to_owned();
    row.peer_node = Some(peer.to_owned());
    row.class = "same_zone".to_owned();
    row.segments_sent = segments;
    row.loss_episodes = episodes;
    row.min_rtt_seconds = Some(f64::from(min_rtt_us) / 1e6);
    row
}

pub(crate) fn container(name: &str, state: ContainerState) -> ContainerInfo {
    let running = matches!(state, ContainerState::Running { .. });
    ContainerInfo {
        name: name.to_owned(),
        kind: ContainerKind::Main,
        id: None,
        ready: running,
        started: Some(running),
        restarts: 0,
        state,
        last: None,
        memory_limit: None,
        probes: Vec::new(),
        startup_ms: 0,
        readiness_ms: 0,
    }
}

pub(crate) fn pod_info(namespace: &str, name: &str) -> PodInfo {
    PodInfo {
        uid: format!("uid-{name}"),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        workload: "Deployment/payment".to_owned(),
        phase: "Running".to_owned(),
        created_ms: NOW_MS - 3_600_000,
        containers: vec![container("app", ContainerState::Running { since_ms: Some(NOW_MS - 3_500_000) })],
        ..PodInfo::default()
    }
}

pub(crate) fn shared(pod: PodInfo) -> Arc<PodInfo> {
    Arc::new(sent(&pod))
}

/// Compares with a file beside the tests, or writes it with `NETWHY_BLESS=1`.
#[track_caller]
pub(crate) fn golden(name: &str, text: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plugin/golden").join(name);
    if std::env::var_os("NETWHY_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        return;
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        known == text,
        "{} differs; look, then NETWHY_BLESS=1:\n--- now ---\n{text}\n--- was ---\n{known}",
        file.display()
    );
}

/// A value in which every free text ends with hostile characters. Texts of a fixed set stay.
pub(crate) fn poisoned<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    poisoned_with(value, &crate::text::tests::mark())
}

/// A value in which every free text ends with `mark`. Texts of a fixed set stay.
pub(crate) fn poisoned_with<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T, mark: &str) -> T {
    let mut json = serde_json::to_value(value).unwrap();
    for number in 0.. {
        let mut changed = json.clone();
        let mut left = number;
        if !poison(&mut changed, &mut left, mark) {
            return serde_json::from_value(json).unwrap();
        }
        if serde_json::from_value::<T>(changed.clone()).is_ok() {
            json = changed;
        }
    }
    unreachable!("a value has an end")
}

/// Appends to the text after `left` others. False: there is none.
fn poison(json: &mut serde_json::Value, left: &mut usize, mark: &str) -> bool {
    match json {
        serde_json::Value::String(text) if *left == 0 => {
            text.push_str(mark);
            true
        }
        serde_json::Value::String(_) => {
            *left -= 1;
            false
        }
        serde_json::Value::Array(list) => list.iter_mut().any(|one| poison(one, left, mark)),
        serde_json::Value::Object(map) => map.values_mut().any(|one| poison(one, left, mark)),
        _ => false,
    }
}
