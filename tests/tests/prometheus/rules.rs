//! Checks the chart's rules with promtool and against the metric table.

use crate::{
    scraper::{prometheuses, rule_files},
    world::Scratch,
};
use netwhy_agent::metrics::METRICS;
use netwhy_tests::prometheus::Prometheus;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn test_files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prometheus/rules");
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn rules() -> Vec<Value> {
    let groups = rule_files().into_iter().flat_map(|file| yaml(&file)["groups"].as_array().unwrap().clone());
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn passes(prometheus: &Prometheus, args: &[&str], files: &[PathBuf]) {
    let output = Command::new(&prometheus.promtool).args(args).args(files).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{prometheus}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn promtool_finds_the_rules_right() {
    for prometheus in prometheuses("promtool_finds_the_rules_right") {
        passes(&prometheus, &["check", "rules", "--lint=all", "--lint-fatal"], &rule_files());
    }
}

#[test]
fn every_alert_fires_and_keeps_silent_where_it_should() {
    for prometheus in prometheuses("every_alert_fires_and_keeps_silent_where_it_should") {
        passes(&prometheus, &["test", "rules"], &test_files());
    }
}

#[test]
fn every_alert_has_a_firing_and_a_silent_case() {
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for file in test_files() {
        for case in yaml(&file)["tests"].as_array().unwrap() {
            for alert in case["alert_rule_test"].as_array().into_iter().flatten() {
                let name = alert["alertname"].as_str().unwrap().to_owned();
                let expected = alert["exp_alerts"].as_array().unwrap();
                if expected.is_empty() {
                    silent.insert(name)
                } else {
                    firing.insert(name)
                };
            }
        }
    }
    let alerts: BTreeSet<String> =
        rules().iter().filter_map(|rule| rule["alert"].as_str()).map(str::to_owned).collect();
    assert!(alerts.len() >= 15, "{alerts:?}");
    assert_eq!(firing, alerts);
    assert_eq!(silent, alerts);
}

#[test]
fn a_case_that_does_not_hold_is_noticed() {
    let scratch = Scratch::new("rules");
    let rules =
        rule_files().iter().map(|file| fs::canonicalize(file).unwrap().display().to_string()).collect::<Vec<_>>();
    let text = format!(
        "rule_files: [{}]\ntests:\n  - alert_rule_test:\n      \
         - {{alertname: NetwhyPodOomKilled, eval_time: 14m, exp_alerts: []}}\n    \
         interval: 30s\n    input_series:\n      \
         - {{series: 'netwhy_oom_kills_total{{pod=\"p\"}}', values: '0x20 1x40'}}\n",
        rules.join(", ")
    );
    let file = scratch.0.join("wrong.test.yaml");
    fs::write(&file, text).unwrap();
    for prometheus in prometheuses("a_case_that_does_not_hold_is_noticed") {
        let output = Command::new(&prometheus.promtool).args(["test", "rules"]).arg(&file).output().unwrap();
        assert!(!output.status.success(), "{prometheus}");
    }
}

/// Words of a PromQL expression that could be names of metrics.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| word.contains("netwhy_"))
}

#[test]
fn rules_name_only_metrics_and_rules_that_exist() {
    let recorded: BTreeSet<String> =
        rules().iter().filter_map(|rule| rule["record"].as_str()).map(str::to_owned).collect();
    let mut used = 0;
    for rule in rules() {
        for word in words(rule["expr"].as_str().unwrap()) {
            let exported = METRICS.into_iter().flatten().any(|metric| {
                word.strip_prefix(metric.name).is_some_and(|rest| ["", "_bucket", "_count", "_sum"].contains(&rest))
            });
            assert!(exported || recorded.contains(word), "{word} in {rule}");
            used += 1;
        }
    }
    assert!(used > 40, "{used}");
}
