//! Recordings of the laboratory, replayed: the same hints every time, on any machine, without privileges.

use netwhy_agent::{
    api::{BlameKind, HintState},
    config::{Config, cli::ReplayFormat},
    replay::{Replayed, open, render, replay},
    sample::Recording,
};
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    io::{BufReader, Cursor, Read as _},
    path::PathBuf,
};

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
        assert!(matches!(hint.blame.kind, BlameKind::PeerNode | BlameKind::NodePair | BlameKind::Undecided));
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
        .map(|line| split_exemplar(line).0)
        .collect();
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings/loss-to-one-node.golden.txt");
    if std::env::var_os("NETWHY_BLESS").is_some() {
        std::fs::write(&golden, pods.join("\n") + "\n").expect("the golden file can be written");
    }
    let want = std::fs::read_to_string(&golden).expect("the golden file is there");
    let want: Vec<&str> = want.lines().collect();
    assert_eq!(pods, want, "if the change is meant, write these lines to {}", golden.display());
}

/// Cases of the laboratory (`cargo xtask eval --only laboratory --case NAME --record DIR`, then gzip), and invented ones
/// (`cargo xtask eval --generate N --seed S --case K --export DIR`), by file, and the cause that each must name. `None`:
/// nothing may be said.
const LABORATORY: &[(&str, Option<&str>)] = &[
    ("accept-queue-full.e", Some("pod_accept_queue_full")),
    ("blackhole.c", Some("peer_unreachable")),
    ("bursty-loss2.b", Some("path_loss")),
    // A server so slow that few segments come to take samples of.
    ("external-slow85ms.a", Some("external_slow")),
    ("idle.a", None),
    // Down for less than a second at a time: losses, and nobody unreachable.
    ("link-flap.e", Some("path_loss")),
    ("listener-gone.a", Some("peer_refusing")),
    ("mtu-blackhole.a", Some("path_mtu_blackhole")),
    ("node-delay10ms.f", Some("path_latency")),
    // 1.4 % of the packets are late by 2.4 ms, and no client notices.
    ("reordering-unfelt.c", None),
    // Each connection to the server finds out when it is used next: three in one second, one in the next.
    ("restart.c", None),
    ("slow-reader100000Bs.e", Some("peer_receiver_limited")),
];

/// Text of a laboratory's recording.
fn recorded(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings").join(format!("{name}.jsonl.gz"));
    let packed = fs::File::open(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("the recording is whole");
    text
}

fn replay_text(text: String, name: &str) -> Replayed {
    let recording = Recording::read(BufReader::new(Cursor::new(text.into_bytes())), name).expect("it is a recording");
    replay(recording, &Config::default()).expect("a recording has no errors")
}

/// Every change of a hint, a line each. Without the clock's time.
fn story(replayed: &Replayed) -> String {
    let mut out = String::new();
    for (at, hint) in &replayed.changes {
        let state = if hint.state == HintState::Firing { "firing" } else { "resolved" };
        let (at, subject, blame) = (at.as_secs_f64(), &hint.subject.name, &hint.blame);
        let _ = writeln!(
            out,
            "{at:5.1} s {state} {} at {subject}, confidence {:.2}, blames {}: {}",
            hint.cause,
            hint.confidence,
            blame.text(),
            hint.summary
        );
    }
    out
}

#[test]
fn cases_of_the_laboratory_tell_what_they_told() {
    let bless = std::env::var_os("NETWHY_BLESS").is_some();
    for (name, cause) in LABORATORY {
        let replayed = replay_text(recorded(name), name);
        let firing = replayed.changes.iter().filter(|(_, hint)| hint.state == HintState::Firing);
        let causes: Vec<&str> = firing.map(|(_, hint)| hint.cause.as_str()).collect();
        match cause {
            Some(cause) => assert!(causes.contains(cause), "{name}: {causes:?}"),
            None => assert!(causes.is_empty(), "{name}: {causes:?}"),
        }
        let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings").join(format!("{name}.hints.txt"));
        let told = story(&replayed);
        if bless {
            fs::write(&golden, &told).expect("the golden file can be written");
        }
        let want = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(told, want, "if the change is meant, write it to {} (NETWHY_BLESS=1)", golden.display());
    }
}

/// The metrics at the end, without exemplars: these have the time of day.
fn metrics(replayed: &Replayed) -> String {
    let text = render(replayed, ReplayFormat::Metrics).expect("metrics can be rendered");
    text.lines().map(|line| split_exemplar(line).0).collect::<Vec<_>>().join("\n")
}

/// A sample, and the id of the hint in its exemplar.
fn split_exemplar(line: &str) -> (&str, Option<&str>) {
    let Some((sample, exemplar)) = line.split_once(" # {hint_id=\"") else { return (line, None) };
    (sample, exemplar.split_once('"').map(|(id, _)| id))
}

#[test]
fn losses_name_the_firing_hint_about_them() {
    let out = replayed("loss-to-one-node.jsonl");
    let text = render(&out, ReplayFormat::Metrics).unwrap();
    let named: Vec<(&str, &str)> =
        text.lines().map(split_exemplar).filter_map(|(sample, id)| Some((sample, id?))).collect();
    assert!(named.iter().any(|(sample, _)| sample.starts_with("netwhy_tcp_loss_episodes_total{")), "{text}");
    for (sample, id) in named {
        let hint = out.view.hints.iter().find(|hint| hint.id == id).unwrap_or_else(|| panic!("{id}: {sample}"));
        assert_eq!(hint.state, HintState::Firing, "{sample}");
        assert!(sample.contains(&format!("pod=\"{}\"", hint.subject.name)), "{hint:?}: {sample}");
    }
}

#[test]
fn a_step_of_the_wall_clock_changes_no_hint_and_no_metric() {
    for (name, _) in LABORATORY {
        let text = recorded(name);
        for step_ms in [-3_600_000_i64, 3_600_000] {
            let (mut stepped, mut steps) = (String::new(), 0);
            for (i, line) in text.lines().enumerate() {
                let mut value: Value = serde_json::from_str(line).expect("a line of JSON");
                // From the middle of what is normal on.
                if i >= 8
                    && let Some(ms) = value["unix_ms"].as_i64()
                {
                    value["unix_ms"] = (ms + step_ms).into();
                    steps += 1;
                }
                let _ = writeln!(stepped, "{value}");
            }
            assert!(steps > 5, "{name}: {steps} snapshots after the step");
            let (stepped, steady) = (replay_text(stepped, name), replay_text(text.clone(), name));
            assert_eq!(story(&stepped), story(&steady), "{name} {step_ms}");
            assert_eq!(metrics(&stepped), metrics(&steady), "{name} {step_ms}");
        }
    }
}
