//! The corpus of answers begins with what agents send.

use super::*;
use crate::{
    metrics::fixture,
    plugin::model::testing::{edge, healthy_row, hint, peer_row, pod_info, shared},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fs, path::Path};

/// Checks that a file of the corpus is an answer of this type; `NETWHY_BLESS=1` writes today's.
fn seed<T: Serialize + DeserializeOwned>(name: &str, today: &T) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/answers").join(name);
    if std::env::var_os("NETWHY_BLESS").is_some() {
        fs::write(&file, serde_json::to_string(today).unwrap()).unwrap();
    }
    let known = fs::read(&file).unwrap();
    if let Err(error) = serde_json::from_slice::<T>(&known) {
        panic!("{} is no such answer any more: {error}: NETWHY_BLESS=1 rewrites it", file.display());
    }
    answers(&known);
}

#[test]
fn the_corpus_of_answers_has_every_answer() {
    let mut row = healthy_row();
    row.status = Some(shared(pod_info("shop", "payment-1")));
    seed("hints", &vec![hint("shop", "payment-1", "path_loss")]);
    seed("pods", &vec![row]);
    seed("edges", &vec![edge("shop", "payment-1")]);
    seed("peers", &vec![peer_row("a", "b", 900, 9, 80), peer_row("b", "a", 800, 0, 70)]);
    seed("info", &fixture::agent());
}

#[test]
fn the_corpus_of_answers_has_one_of_a_prometheus() {
    let known = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/answers/prometheus")).unwrap();
    let firings = crate::plugin::fetch::firings(&known).unwrap();
    assert_eq!((firings.len(), firings[0].fired_ms), (1, 90_500.0), "{firings:?}");
    answers(&known);
}

#[test]
fn times_beyond_all_calendars_are_left_out() {
    let times = ["-1e300", "1e300", "0", "60", "9e99"];
    let values: Vec<String> = times.iter().zip(1..).map(|(at, n)| format!("[{at},\"{n}e9\"]")).collect();
    let data = format!("\"resultType\":\"matrix\",\"result\":[{{\"metric\":{{}},\"values\":[{}]}}]", values.join(","));
    answers(format!("{{\"status\":\"success\",\"data\":{{{data}}}}}").as_bytes());
}
