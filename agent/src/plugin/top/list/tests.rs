use super::{super::state::rows, *};
use crate::{
    plugin::{
        cli::Format,
        model::testing::{NOW_MS, healthy_row, hint, idle_row, poisoned},
        render::{Paint, write},
    },
    text::tests::{assert_safe, mark},
};

const PLAIN: View = View { paint: Paint::PLAIN, wide: false, width: 100, now_ms: NOW_MS };

fn two() -> List {
    let mut idle = idle_row();
    idle.node = "node-b".to_owned();
    let rows = rows(None, vec![healthy_row(), idle], &[hint("shop", "idle-1", "path_loss")]);
    let silent = SilentAgent { node: "node-c".into(), agent: "netwhy/c".into(), why: "no answer".into() };
    List::new(rows, 2, vec![silent])
}

fn written(list: List, format: Format) -> Text {
    write(&[(None, list)], format, &PLAIN).unwrap()
}

#[test]
fn pods_with_hints_come_first_and_every_column_is_there() {
    let text = written(two(), Format::Table).to_string();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split("   ").map(str::trim).collect()).collect();
    let cells = |line: usize| lines[line].iter().filter(|cell| !cell.is_empty()).copied().collect::<Vec<_>>();
    assert_eq!(cells(0), ["POD", "NODE", "HINT", "RTT", "LOSS", "THROTTLED", "P95", "ERRORS", "SEGMENTS/S"]);
    assert_eq!(cells(1), ["shop/idle-1", "node-b", "path_loss 93%", "–", "–", "–", "–", "–", "0"]);
    assert_eq!(cells(2)[..4], ["shop/payment-1", "node-a", "–", "110 µs"]);
}

#[test]
fn programs_get_figures_with_their_units() {
    let json: serde_json::Value = serde_json::from_str(&written(two(), Format::Json)).unwrap();
    let (first, second) = (&json["items"][0], &json["items"][1]);
    assert_eq!((first["name"].as_str(), first["cause"].as_str()), (Some("idle-1"), Some("path_loss")), "{json}");
    assert!(first["rtt_p50_seconds"].is_null() && first["response_p95_seconds"].is_null(), "{json}");
    assert!(second["rtt_p50_seconds"].as_f64().is_some_and(|rtt| rtt > 0.0) && second["cause"] == "", "{json}");
    assert!(first.get("detail").is_none(), "lines for people: {json}");
    assert_eq!((json["agents"].as_u64(), json["not_answered"][0]["node"].as_str()), (Some(2), Some("node-c")));
    assert!(written(two(), Format::Yaml).contains("idle-1"));
    assert!(written(two(), Format::Mermaid).contains("path_loss"));
}

#[test]
fn texts_from_outside_are_escaped_in_every_format() {
    let list = || {
        let (pod, hint) = (poisoned(&healthy_row()), poisoned(&hint("shop", "payment-1", "path_loss")));
        let silent = SilentAgent { node: mark(), agent: mark(), why: mark() };
        List::new(rows(None, vec![pod], &[hint]), 1, vec![silent])
    };
    for format in [Format::Table, Format::Wide, Format::Json, Format::Yaml, Format::Mermaid] {
        assert_safe(&format!("top {format:?}"), &written(list(), format));
    }
}
