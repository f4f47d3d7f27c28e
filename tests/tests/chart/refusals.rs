//! Invalid values are refused, and the error names them.

use crate::{helm::Helm, switches::PROXY};

/// Given values, and the words that the error must contain.
const WRONG: [(&str, &str); 42] = [
    ("shell={\"record\":\"always\"}", "shell.record"),
    ("shell={\"idleTimeout\":\"soon\"}", "shell.idleTimeout"),
    ("hostPId=false", "hostPId"),
    ("hostPID=\"no\"", "hostPID"),
    ("image={\"digest\":\"sha256:12\"}", "image.digest"),
    ("image={\"pullPolicy\":\"Sometimes\"}", "image.pullPolicy"),
    ("port=80", "port"),
    ("port=\"9810\"", "port"),
    ("probePort=80", "probePort"),
    ("probePort=9810", "probePort"),
    ("api=\"public\"", "api"),
    ("apiPort=80", "apiPort"),
    ("apiPort=9810", "apiPort"),
    ("apiPort=9811", "apiPort"),
    ("config={\"http\":{\"api\":\"proxy\"}}", "use api"),
    ("config={\"http\":{\"api_port\":1}}", "use apiPort"),
    ("history={\"hostPath\":\"var/lib\"}", "history.hostPath"),
    ("history={\"maxMiB\":4}", "history.maxMiB"),
    ("config={\"history\":{\"folder\":\"/a\"}}", "use history.enabled"),
    ("listenAddress=\"::\"", "listenAddress"),
    ("extraCapabilities=[\"NET_ADMIN\"]", "extraCapabilities"),
    ("log={\"level\":\"loud\"}", "log.level"),
    ("config={\"signals\":{\"rtt\":true}}", "config.signals.rtt"),
    ("config={\"thresholds\":{\"loss_ratio\":\"0.005\"}}", "config.thresholds.loss_ratio"),
    ("config={\"kube\":{\"mode\":\"off\"}}", "kube.enabled"),
    ("config={\"kube\":{\"publish_events\":true}}", "kube.publishEvents"),
    ("config={\"http\":{\"listen\":\"0.0.0.0:80\"}}", "listenAddress"),
    ("config={\"http\":{\"probe_listen\":\"0.0.0.0:80\"}}", "probePort"),
    ("config={\"http\":{\"tls_key_file\":\"/a\"}}", "use metrics"),
    ("metrics={\"tls\":{\"clientCASecretName\":\"a\"}}", "metrics.tls.secretName"),
    ("metrics={\"authorization\":\"kubernetes\"}", "metrics.tls.secretName"),
    ("metrics={\"authorization\":\"basic\"}", "metrics.authorization"),
    ("updateStrategy={\"maxUnavailable\":0}", "updateStrategy.maxUnavailable"),
    ("resources={\"limit\":{}}", "limit"),
    ("terminationGracePeriodSeconds=1", "terminationGracePeriodSeconds"),
    ("podMonitor={\"enabled\":true,\"honorLabels\":false}", "honorLabels"),
    ("respond={\"enabled\":true}", "respond.url.secretName or respond.alertmanagers"),
    (
        "respond={\"enabled\":true,\"url\":{\"secretName\":\"u\"},\"templateConfigMapName\":\"t\"}",
        "respond.format: json",
    ),
    ("respond={\"alertmanagers\":[\"am:9093\"]}", "respond.alertmanagers"),
    ("respond={\"maxPerMinute\":0}", "respond.maxPerMinute"),
    ("respond={\"againAfter\":\"soon\"}", "respond.againAfter"),
    ("respond={\"url\":{\"name\":\"u\"}}", "respond.url"),
];

#[test]
fn wrong_values_are_refused_by_name() {
    let Some(helm) = Helm::found("wrong_values_are_refused_by_name") else { return };
    for (given, named) in WRONG {
        let refusal = helm.template(&[given.to_owned()]).expect_err(given);
        assert!(refusal.contains(named), "{given}: {refusal}");
    }
    let both = ["podMonitor={\"enabled\":true}".to_owned(), "serviceMonitor={\"enabled\":true}".to_owned()];
    assert!(helm.template(&both).unwrap_err().contains("scrape every agent twice"));
    let (monitor, proxy) = ("podMonitor={\"enabled\":true}".to_owned(), PROXY.to_owned());
    let tls = "\"tls\":{\"secretName\":\"a\"";
    for (metrics, more, named) in [
        (format!("{tls}}},\"authorization\":\"kubernetes\""), monitor.clone(), "metrics.prometheus.tokenSecretName"),
        (format!("{tls},\"clientCASecretName\":\"b\"}}"), monitor, "metrics.prometheus.clientSecretName"),
        (format!("{tls}}},\"authorization\":\"kubernetes\""), "kube={\"enabled\":false}".to_owned(), "kube.enabled"),
        (format!("{tls}}}"), proxy, "set api: loopback"),
    ] {
        let refusal = helm.template(&[format!("metrics={{{metrics}}}"), more]).expect_err(named);
        assert!(refusal.contains(named), "{refusal}");
    }
}

#[test]
fn values_of_null_are_the_defaults() {
    let Some(helm) = Helm::found("values_of_null_are_the_defaults") else { return };
    let plain = helm.template(&[]).unwrap();
    assert_eq!(helm.template(&["config=null".to_owned()]).unwrap(), plain);
    assert_eq!(
        helm.template(&["config={\"signals\":null}".to_owned()]).map(|text| text.contains("signals: null")),
        Ok(true)
    );
}
