use super::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{fmt::Debug, fs, path::Path};

/// The keys of an object, sorted.
fn keys(value: impl Serialize) -> Vec<String> {
    let Value::Object(fields) = serde_json::to_value(value).unwrap() else { panic!("not an object") };
    let mut keys: Vec<String> = fields.into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn fields_keep_the_json_keys_that_readers_know() {
    let rtt = RttDutyCycle {
        segments_per_second: 31_250.0,
        is_reduced: true,
        divisor: 8,
        duty_cycle: Some(0.125),
        periods: 480,
        attached_seconds: 135.5,
        failures: 7,
    };
    let rtt_json = json!({
        "segments_per_second": 31_250.0, "in_windows": true, "part": 8, "duty_cycle": 0.125, "windows": 480,
        "watched_seconds": 135.5,
    });
    assert_eq!(serde_json::to_value(rtt).unwrap(), rtt_json, "the count of failures is not in the JSON");

    let churn = HandshakeDutyCycle {
        sockets_per_second: 24_500.0,
        is_churn_high: true,
        periods: 160,
        attached_seconds: 311.25,
        failures: 7,
    };
    let churn_json =
        json!({ "sockets_per_second": 24_500.0, "in_part": true, "windows": 160, "watched_seconds": 311.25 });
    assert_eq!(serde_json::to_value(churn).unwrap(), churn_json);

    let watch = ["age_seconds", "changes", "complete", "errors", "lists", "name", "objects", "trouble"];
    assert_eq!(keys(WatchStatus::default()), watch);
    let evidence = Evidence {
        signal: String::new(),
        observed: 1.0,
        baseline: None,
        unit: String::new(),
        place: "node-a".into(),
        source: String::new(),
    };
    assert_eq!(keys(evidence), ["baseline", "observed", "signal", "source", "unit", "where"]);
    assert!(!keys(ProbeStatus::default()).contains(&"refusal".to_owned()));
}

#[test]
fn an_agent_without_the_newest_keys_can_be_read() {
    let old = json!({
        "segments_per_second": 1.0, "in_windows": false, "windows": 3, "watched_seconds": 2.0,
    });
    let read: RttDutyCycle = serde_json::from_value(old).unwrap();
    assert_eq!((read.divisor, read.duty_cycle, read.periods), (0, None, 3));
}

/// Calls a function for each answer that is kept of an earlier agent, with its type.
macro_rules! for_each_answer {
    ($function:ident) => {
        $function::<Vec<Hint>>("hints");
        $function::<Vec<PodRow>>("pods");
        $function::<Vec<EdgeRow>>("edges");
        $function::<Vec<PeerRow>>("peers");
        $function::<AgentStats>("info");
    };
}

fn earlier(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/earlier/answers/{name}.json"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn answers_of_an_earlier_agent_are_read() {
    fn check<T: DeserializeOwned>(name: &str) {
        if let Err(error) = serde_json::from_str::<T>(&earlier(name)) {
            panic!("{name}: {error}: give what is new a default");
        }
    }
    for_each_answer!(check);
}

#[test]
fn keys_of_newer_agents_are_passed_over() {
    /// Adds a key to each object with names, but not to those that count by label.
    fn extend(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(extend),
            Value::Object(fields) => {
                fields.values_mut().for_each(extend);
                if fields.values().any(|field| field.is_string() || field.is_boolean()) {
                    fields.insert("of_a_newer_agent".to_owned(), json!({ "a": [1, "b", null] }));
                }
            }
            _ => {}
        }
    }
    fn check<T: DeserializeOwned + PartialEq + Debug>(name: &str) {
        let plain: Value = serde_json::from_str(&earlier(name)).unwrap();
        let mut newer = plain.clone();
        extend(&mut newer);
        assert_ne!(newer, plain, "{name}");
        let read: T = serde_json::from_value(newer).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read, serde_json::from_value::<T>(plain).unwrap(), "{name}");
    }
    for_each_answer!(check);
}

#[test]
fn states_are_written_as_their_labels() {
    for state in [ProbeState::Ok, ProbeState::Degraded, ProbeState::Unsupported, ProbeState::Off, ProbeState::Broken] {
        assert_eq!(serde_json::to_value(state).unwrap(), json!(state.label()));
    }
    for (kind, label) in [(BlameKind::PeerNode, "peer_node"), (BlameKind::ZonePair, "zone_pair")] {
        assert_eq!((serde_json::to_value(kind).unwrap(), kind.label()), (json!(label), label));
    }
}
