//! The switches of the chart, and all their combinations.

use crate::{admission, api, documents, documents::Documents, helm::Helm, monitors, rights};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Independent switches, each with its arguments for `helm --set-json`. An empty text is the default.
const SWITCHES: [&[&str]; 9] = [
    &["", "kube={\"enabled\":false}", PUBLISH, PROTECTED],
    &["", "peers={\"endpointSlices\":true}"],
    &["", "rbac={\"create\":false}"],
    &["", "serviceAccount={\"create\":false}"],
    &["", NO_HOST_PID],
    &["", "hostNetwork=true"],
    &[
        "",
        "podMonitor={\"enabled\":true,\"labels\":{\"release\":\"p\"},\"interval\":\"15s\",\"scrapeTimeout\":\"10s\",\
            \"scrapeClassicHistograms\":true}",
        "serviceMonitor={\"enabled\":true,\"relabelings\":[{\"targetLabel\":\"cluster\",\"replacement\":\"a\"}]}",
        "prometheusAnnotations={\"enabled\":true}",
    ],
    &["", "networkPolicy={\"enabled\":true,\"from\":[{\"namespaceSelector\":{}}]}"],
    &["", OTHERS],
];

/// Hints are published to the API server.
pub(crate) const PUBLISH: &str = "kube={\"publishEvents\":true,\"publishConditions\":true}";

/// Scrapes need TLS, a client certificate and a token.
pub(crate) const PROTECTED: &str = "metrics={\"authorization\":\"kubernetes\",\
    \"tls\":{\"secretName\":\"agent-tls\",\"clientCASecretName\":\"clients\"},\
    \"prometheus\":{\"clientSecretName\":\"prometheus-tls\",\"tokenSecretName\":\"prometheus-token\"}}";

/// `/api/v1` is on the main port.
pub(crate) const PROXY: &str = "api=\"proxy\"";

/// Neither the host's processes nor a history.
const NO_HOST_PID: &str = "{\"hostPID\":false,\"history\":{\"enabled\":false}}";

/// Values that change text rather than structure, given together.
const OTHERS: &str = "{\"image\":{\
    \"digest\":\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\
    \"pullSecrets\":[{\"name\":\"registry\"}]},\"port\":19810,\"probePort\":19811,\"api\":\"proxy\",\"listenAddress\":\"[::]\",\
    \"cgroupRoot\":\"/kubepods.slice\",\"history\":{\"hostPath\":\"/var/lib/history\"},\
    \"extraCapabilities\":[\"SYS_ADMIN\"],\"dnsLookups\":true,\
    \"seccompProfile\":{\"type\":\"Localhost\",\"localhostProfile\":\"netwhy.json\"},\
    \"seLinuxOptions\":{\"type\":\"spc_t\"},\"priorityClassName\":\"\",\"updateStrategy\":{\"maxUnavailable\":2},\
    \"tolerations\":[],\"podLabels\":{\"team\":\"net\"},\"podAnnotations\":{\"note\":\"x\"},\
    \"config\":{\"limits\":{\"series\":2000000},\"signals\":{\"drops\":\"off\"},\"thresholds\":{\"loss_ratio\":0.005},\
    \"peers\":{\"same_zone\":[\"10.1.0.0/16\"]}},\
    \"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":\
    [{\"matchExpressions\":[{\"key\":\"gpu\",\"operator\":\"DoesNotExist\"}]}]}}}}";

/// One combination of arguments for helm.
#[derive(Clone, Debug, Default)]
pub(crate) struct Combination(pub(crate) Vec<String>);

impl Combination {
    /// Whether names and Pods come from the API server.
    pub(crate) fn has_kube(&self) -> bool {
        !self.has("kube={\"enabled\":false}")
    }

    /// Where the history is. `None`: nothing is recorded; an empty text: in an emptyDir.
    pub(crate) fn history(&self) -> Option<&'static str> {
        // Of two values for one key helm takes the later.
        let host = self.has("history={\"hostPath\":").then_some("/var/lib/history");
        host.or((!self.has("history={\"enabled\":false}")).then_some(""))
    }

    /// Whether one of the arguments begins with this text.
    pub(crate) fn has(&self, beginning: &str) -> bool {
        self.0.iter().any(|value| value.starts_with(beginning))
    }
}

fn all() -> Vec<Combination> {
    let mut all = vec![Combination::default()];
    for choices in SWITCHES {
        let extended = all.iter().flat_map(|combination| {
            choices.iter().map(|choice| {
                let mut values = combination.0.clone();
                values.extend(expand(choice));
                Combination(values)
            })
        });
        all = extended.collect();
    }
    // The chart refuses the two together.
    for combination in all.iter_mut().filter(|combination| combination.has(PROTECTED)) {
        combination.0.retain(|value| value != PROXY);
    }
    all
}

/// `--set-json` takes one key at a time, so an object is split into its keys.
pub(crate) fn expand(choice: &str) -> Vec<String> {
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(choice) {
        Ok(map) => map.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        Err(_) if choice.is_empty() => Vec::new(),
        Err(_) => vec![choice.to_owned()],
    }
}

#[test]
fn every_combination_renders_only_what_the_api_knows_and_asks_for_no_more_rights() {
    let Some(helm) = Helm::found("every_combination_renders_only_what_the_api_knows_and_asks_for_no_more_rights")
    else {
        return;
    };
    let combinations = all();
    let (next, kinds) = (AtomicUsize::new(0), Mutex::new(std::collections::BTreeSet::new()));
    let workers = thread::available_parallelism().map_or(2, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(combination) = combinations.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let text = helm.template(&combination.0).unwrap_or_else(|error| panic!("{combination:?}: {error}"));
                    let documents = Documents::read(&text);
                    for document in &documents.0 {
                        api::check(document).unwrap_or_else(|error| panic!("{combination:?}: {error}"));
                    }
                    documents::check(&documents, combination);
                    rights::check(&documents, combination);
                    monitors::check(&documents, combination);
                    admission::check(&documents, combination);
                    kinds.lock().expect("no test panicked").extend(documents.kinds());
                }
            });
        }
    });
    let kinds = kinds.into_inner().expect("no test panicked");
    println!("combinations: {}, kinds: {}", combinations.len(), kinds.iter().cloned().collect::<Vec<_>>().join(", "));
    // Fewer renderings mean that a switch has no effect.
    assert_eq!(combinations.len(), 2048);
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

#[test]
fn helm_finds_nothing_to_complain_about() {
    let Some(helm) = Helm::found("helm_finds_nothing_to_complain_about") else { return };
    for values in [Vec::new(), expand(OTHERS)] {
        helm.lint(&values).unwrap_or_else(|error| panic!("{values:?}: {error}"));
    }
}

#[test]
fn notes_say_what_the_values_lack() {
    let Some(helm) = Helm::found("notes_say_what_the_values_lack") else { return };
    let values: Vec<String> =
        ["hostPID=false", "kube={\"enabled\":false}", "apiPort=19812"].iter().flat_map(|value| expand(value)).collect();
    let notes = helm.notes(&values).unwrap();
    for part in [
        "Prometheus does not scrape netwhy yet",
        "hostPID is off",
        "kube.enabled is off",
        "localhost:19812",
        "preflight",
    ] {
        assert!(notes.contains(part), "{part:?} is missing in {notes}");
    }
    for (values, parts) in [
        (&[PROXY, "port=19810"][..], ["localhost:19810", "everyone who reaches port 19810 reads Pods"]),
        (&["hostNetwork=true"], ["localhost:9812", "every process in the Node's network reads Pods"]),
    ] {
        let notes = helm.notes(&values.iter().flat_map(|value| expand(value)).collect::<Vec<_>>()).unwrap();
        assert!(parts.iter().all(|part| notes.contains(part)), "{parts:?} are in {notes}");
    }
    let plain = helm.notes(&expand("podMonitor={\"enabled\":true}")).unwrap();
    for part in ["Prometheus does not scrape netwhy yet", "is off", "is on"] {
        assert!(!plain.contains(part), "{part:?} stands in {plain}");
    }
}
