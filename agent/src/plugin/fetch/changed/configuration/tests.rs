use super::{
    super::written::tests::{LONG_BEFORE, TEN_BEFORE, TEN_BEFORE_MS, WINDOW, object},
    *,
};
use serde_json::json;

#[test]
fn all_references_of_a_pod_are_found_once() {
    let pod: Pod = object(json!({
        "metadata": {"name": "web"},
        "spec": {
            "volumes": [
                {"name": "a", "configMap": {"name": "files"}},
                {"name": "b", "secret": {"secretName": "tls"}},
                {"name": "c", "projected": {"sources": [
                    {"configMap": {"name": "joined"}}, {"secret": {"name": "keys"}}, {"serviceAccountToken": {"path": "t"}}
                ]}},
                {"name": "d", "configMap": {"name": "../nodes"}}
            ],
            "containers": [{
                "name": "app", "envFrom": [{"configMapRef": {"name": "variables"}}, {"secretRef": {"name": "tls"}}],
                "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "variables", "key": "x"}}}]
            }]
        }
    }));
    let all = named_by(&pod);
    let shown: Vec<(&str, &str, bool)> =
        all.iter().map(|((source, name), live)| (source.label(), name.as_str(), *live)).collect();
    assert_eq!(
        shown,
        [
            ("ConfigMap", "files", true),
            ("ConfigMap", "joined", true),
            ("ConfigMap", "variables", false),
            ("Secret", "keys", true),
            ("Secret", "tls", true)
        ]
    );
}

#[test]
fn a_new_object_counts_without_its_writer() {
    let new: ObjectMeta = object(json!({"creationTimestamp": TEN_BEFORE}));
    assert_eq!(written(&new, WINDOW), Some((TEN_BEFORE_MS, String::new())));
    let old: ObjectMeta = object(json!({"creationTimestamp": LONG_BEFORE}));
    assert_eq!(written(&old, WINDOW), None);
}

#[test]
fn a_certificate_whose_issuer_wrote_its_end_is_known_without_reading_it() {
    let key: Key = ("shop".to_owned(), Source::Secret, "web-tls".to_owned());
    let of = |annotations: serde_json::Value| {
        let meta: ObjectMeta = object(json!({"creationTimestamp": LONG_BEFORE, "annotations": annotations}));
        changes_of(&meta, &key, (Near::Culprit, true), WINDOW)
    };
    for name in NOT_AFTER {
        let seen = of(json!({name: TEN_BEFORE}));
        let shown: Vec<_> = seen.iter().map(|one| (one.at_ms, one.kind, one.near, one.object.as_str())).collect();
        assert_eq!(shown, [(TEN_BEFORE_MS, ChangeKind::Expiry, Near::Culprit, "Secret/web-tls")], "{name}");
    }
    assert!(of(json!({NOT_AFTER[0]: LONG_BEFORE})).is_empty() && of(json!({NOT_AFTER[0]: "soon"})).is_empty());
    assert!(of(json!({"other": TEN_BEFORE})).is_empty());
}

#[test]
fn a_write_says_when_pods_see_it() {
    let key: Key = ("shop".to_owned(), Source::ConfigMap, "settings".to_owned());
    let meta: ObjectMeta = object(json!({"creationTimestamp": TEN_BEFORE}));
    let of = |is_live| changes_of(&meta, &key, (Near::Target, is_live), WINDOW).remove(0).what;
    assert_eq!(of(true), "was written; running Pods see it in a volume");
    assert_eq!(of(false), "was written; Pods see it from their next start on");
}
