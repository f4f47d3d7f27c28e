//! Recordings of the laboratory, replayed: the same hints every time, on any machine, without privileges.

use netwhy_agent::{
    api::{BlameKind, HintState},
    config::{Config, cli::ReplayFormat},
    replay::{Replayed, open, render, replay},
};
use std::path::PathBuf;

fn replayed(name: &str) -> Replayed {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings").join(name);
    replay(open(&file).expect("the recording is whole"), &Config::default()).expect("a recording has no errors")
}

#[test]
fn two_percent_loss_to_one_node_is_named_and_nothing_before_it() {
    let out = replayed("loss-to-one-node.jsonl");
    assert_eq!(out.snapshots, 25);
    // The fault came 15 s into the recording.
    assert!(
        out.changes.iter().all(|(at, _)| at.as_secs_f64() > 15.0),
        "{}",
        render(&out, ReplayFormat::Table).unwrap()
    );
    let firing: Vec<_> = out.view.hints.iter().filter(|h| h.state == HintState::Firing).collect();
    assert!(!firing.is_empty());
    for hint in firing {
        assert_eq!(hint.cause, "path_loss");
        assert!(hint.summary.contains(" loses packets to 10.77."), "{}", hint.summary);
        assert!(matches!(hint.blame.kind, BlameKind::PeerNode | BlameKind::NodePair | BlameKind::None));
        assert!(!hint.evidence.is_empty() && !hint.ruled_out.is_empty());
    }
}

#[test]
fn replaying_twice_gives_the_same_hints_and_metrics() {
    for format in [ReplayFormat::Table, ReplayFormat::Json, ReplayFormat::Metrics] {
        let once = render(&replayed("loss-to-one-node.jsonl"), format).unwrap();
        let again = render(&replayed("loss-to-one-node.jsonl"), format).unwrap();
        assert_eq!(once, again);
        assert!(!once.is_empty());
    }
}

#[test]
fn metrics_at_the_end_are_the_golden_ones() {
    let out = render(&replayed("loss-to-one-node.jsonl"), ReplayFormat::Metrics).unwrap();
    let pods: Vec<&str> = out
        .lines()
        .filter(|line| line.starts_with("netwhy_tcp_") && !line.contains("_bucket{") && !line.starts_with('#'))
        .collect();
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings/loss-to-one-node.golden.txt");
    if std::env::var_os("NETWHY_BLESS").is_some() {
        std::fs::write(&golden, pods.join("\n") + "\n").expect("the golden file can be written");
    }
    let want = std::fs::read_to_string(&golden).expect("the golden file is there");
    let want: Vec<&str> = want.lines().collect();
    assert_eq!(pods, want, "if the change is meant, write these lines to {}", golden.display());
}
