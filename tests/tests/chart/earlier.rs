//! Values of earlier charts: in files that people kept, and in releases whose values Helm reuses.

use crate::{
    documents::{Documents, pod},
    helm::{Helm, chart, workspace},
    sources::yaml,
};
use std::path::PathBuf;

/// The values of an earlier chart, by their day.
fn earlier(day: &str) -> PathBuf {
    workspace().join(format!("tests/earlier/values/{day}.yaml"))
}

#[test]
fn values_files_of_earlier_charts_are_taken() {
    let Some(helm) = Helm::found("values_files_of_earlier_charts_are_taken") else { return };
    for day in ["2026-11-28", "2026-11-30"] {
        let text = helm.template_with(&earlier(day)).unwrap_or_else(|error| panic!("{day}: {error}"));
        let (_, container) = pod(&Documents::read(&text));
        let limits = container.resources.and_then(|resources| resources.limits).expect("limits");
        let values = yaml(&earlier(day));
        let own = values["resources"]["limits"]["memory"].as_str();
        assert_eq!(Some(limits["memory"].0.as_str()), own, "{day}: what the file says counts");
        let ports = container.ports.expect("ports");
        assert!(ports.iter().any(|port| port.container_port == 9811), "{day}: what it does not know has its default");
    }
}

#[test]
fn reused_values_of_earlier_charts_are_refused_with_all_that_they_lack() {
    let Some(helm) = Helm::found("reused_values_of_earlier_charts_are_refused_with_all_that_they_lack") else { return };
    for (day, lacking) in [
        ("2026-11-28", "api, apiPort, probePort, metrics, history, respond, kube.restrictWrites"),
        ("2026-11-30", "respond"),
    ] {
        let refusal = helm.template_reusing(&earlier(day)).expect_err(day);
        let line = refusal.lines().next().unwrap_or_default();
        assert!(line.contains(&format!("the values lack {lacking}: ")), "{refusal}");
        assert!(line.contains("--reset-then-reuse-values"), "{refusal}");
    }
    assert_eq!(helm.template_reusing(&chart().join("values.yaml")), helm.template(&[]));
}

#[test]
fn a_value_that_is_missing_is_named_or_not_needed() {
    let Some(helm) = Helm::found("a_value_that_is_missing_is_named_or_not_needed") else { return };
    for key in yaml(&chart().join("values.yaml")).as_object().expect("values").keys() {
        match helm.template(&[format!("{key}=null")]) {
            Ok(text) => assert!(!Documents::read(&text).of_kind("DaemonSet").is_empty(), "{key}"),
            Err(refusal) => assert!(refusal.contains(&format!("the values lack {key}")), "{key}: {refusal}"),
        }
    }
}
