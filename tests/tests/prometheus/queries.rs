//! Runs every query of every dashboard and rule on each Prometheus, after it has scraped traffic with faults.

use crate::{
    rules::rules,
    scraper::Scraper,
    world::{World, holds_within},
};
use netwhy_tests::lab::{Fault, Injected};
use serde_json::Value;
use std::{fs, path::Path, time::Duration};

/// Queries that return nothing here: a piece of the expression, and the reason.
const SILENT: &[(&str, &str)] = &[
    ("netwhy_edge_", "only the API server knows which Node an address belongs to; there is none here"),
    ("node:netwhy_blame_", "made of netwhy_edge_*"),
    ("netwhy_agent_watch_", "without an API server nothing is watched"),
    ("netwhy_agent_pods_complete", "without an API server there is no Pod list"),
    ("netwhy_agent_tls_reloads_total", "this agent serves without TLS; the test of secured scrapes has the series"),
    ("netwhy_agent_http_refusals_total", "this agent refuses nobody; the test of secured scrapes has the series"),
    ("netwhy_agent_close_ups", "without an API server no Pod asks for one"),
    ("netwhy_grpc_", "the laboratory's programs don't speak gRPC"),
    ("netwhy_http_", "the laboratory's programs don't speak HTTP; kernel tests with nginx and curl have the series"),
    ("netwhy_tcp_payload_readable_ratio", "absent where HTTP is not read; the same kernel tests have it"),
    ("netwhy_unattributed_samples_total", "every socket belongs to a Pod of the laboratory"),
];

/// Settings that are off by default and have panels. A frame a second, so that the first query finds some.
const SECTIONS: &str = "signals:\n  responses: on\nhistory:\n  folder: \"@DIR@/history\"\n  frame_seconds: 1\n";

/// Metrics that depend on the machine: interfaces, queueing disciplines, connection tracking, memory controller, and
/// CPU pressure for the run queue probe. The last four count events that need not happen here (peers without SACK, SYN
/// cookies, listeners that drop, DNS answers that are lost); kernel tests count them one by one.
const OF_THE_MACHINE: &[&str] = &[
    "netwhy_node_nic_",
    "netwhy_node_qdisc_",
    "netwhy_node_conntrack_",
    "netwhy_node_tcp_memory_",
    "netwhy_node_local_ports",
    "netwhy_oom_kills_total",
    "netwhy_runqueue_",
    "netwhy_tcp_smoothed_rtt_samples_total",
    "netwhy_tcp_untimed_handshakes_total",
    "netwhy_tcp_listen_drops_total",
    "netwhy_dns_second_answers_missing_total",
];

/// Alerts that fire here. All others must be silent; other queries cover their operands.
const BEGINNING: &[&str] = &["NetwhyPodHint"];

fn dashboards() -> Vec<(String, Value)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/netwhy/dashboards");
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect()
}

/// Place and text of every expression, with all values chosen in the dashboard's variables.
fn expressions() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, board) in dashboards() {
        let top = board["panels"].as_array().unwrap();
        // A collapsed row holds its panels inside.
        let inside = top.iter().filter_map(|row| row["panels"].as_array()).flatten();
        for panel in top.iter().chain(inside) {
            for target in panel["targets"].as_array().into_iter().flatten() {
                all.push((
                    format!("{name}: {}", panel["title"].as_str().unwrap()),
                    target["expr"].as_str().unwrap().to_owned(),
                ));
            }
        }
        for annotation in board["annotations"]["list"].as_array().unwrap() {
            all.push((format!("{name}: annotation"), annotation["expr"].as_str().unwrap().to_owned()));
        }
        for variable in board["templating"]["list"].as_array().unwrap() {
            // label_values(SERIES, LABEL) has a value where series have the label.
            if let Some(query) = variable["query"]["query"].as_str() {
                let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
                let (series, label) = inner.rsplit_once(", ").unwrap();
                // Only scrapes of several clusters add the label `cluster`.
                if label != "cluster" {
                    all.push((format!("{name}: variable {label}"), format!("count by ({label}) ({series})")));
                }
            }
        }
    }
    let chosen = |(place, expression): (String, String)| {
        let mut asked = expression.replace("$__rate_interval", "60s").replace("$__range", "1h");
        for variable in ["cluster", "node", "namespace", "workload", "pod"] {
            asked = asked.replace(&format!("\"${variable}\""), "\".*\"");
        }
        assert!(!asked.replace("$1", "").contains('$'), "{place}: {asked}");
        (place, asked)
    };
    all.into_iter().map(chosen).collect()
}

/// Faults, and the query that shows each of them.
const FAULTS: [(&str, &str); 3] = [
    ("refused", "sum(rate(netwhy_tcp_connect_failures_total{reason=\"refused\"}[60s])) > 0"),
    ("slow-reader", "sum(rate(netwhy_tcp_zero_window_observations_total[60s])) > 0"),
    ("loss=3", "sum(rate(netwhy_tcp_retransmitted_segments_total{type=\"fast\"}[60s])) > 0"),
];

/// One after the other; the last stays.
fn break_things(world: &mut World) -> Injected {
    for (fault, seen) in FAULTS {
        let fault: Fault = fault.parse().unwrap();
        let injected = fault.inject(&mut world.shop).unwrap();
        world.wait_until(seen, |scraper| has(scraper, seen));
        injected.heal(&mut world.shop).unwrap();
    }
    let throttle: Fault = "cpu-throttle".parse().unwrap();
    let injected = throttle.inject(&mut world.shop).unwrap();
    let seen = "rate(netwhy_cpu_periods_total[60s]) > 0";
    world.wait_until(seen, |scraper| has(scraper, seen));
    injected
}

/// A query returns series.
fn has(scraper: &Scraper, query: &str) -> bool {
    scraper.query(query).is_ok_and(|series| !series.is_empty())
}

#[test]
fn every_query_of_every_dashboard_and_rule_returns_series() {
    let name = "every_query_of_every_dashboard_and_rule_returns_series";
    let Some(mut world) = World::open_with(name, SECTIONS) else { return };
    let throttled = break_things(&mut world);
    world.wait_until("a hint fires", |scraper| has(scraper, "netwhy_hint{job=\"netwhy\"}"));
    for scraper in &world.scrapers {
        assert_answers(scraper);
        alerts(scraper);
    }
    throttled.heal(&mut world.shop).unwrap();
}

/// Every query has an answer without a remark, or an excuse.
fn assert_answers(scraper: &Scraper) {
    let mut used = vec![0; SILENT.len()];
    let mut wrong = Vec::new();
    let mut asked = 0;
    let mut ask = |place: &str, expression: &str| {
        asked += 1;
        let excuse = SILENT.iter().position(|(piece, _)| expression.contains(piece));
        let mut answer = scraper.query(expression);
        let is_of_machine = OF_THE_MACHINE.iter().any(|part| expression.contains(part));
        if excuse.is_none() {
            // The last fault may not have been scraped yet, or not been through all rules.
            holds_within(Duration::from_secs(if is_of_machine { 6 } else { 60 }), || {
                answer = scraper.query(expression);
                answer.as_ref().map_or(true, |series| !series.is_empty())
            });
        }
        wrong.extend(scraper.remarks(expression).into_iter().map(|remark| format!("{place}: {remark}: {expression}")));
        match (answer, excuse) {
            (Err(error), _) => wrong.push(format!("{place}: {error}: {expression}")),
            (Ok(series), None) if series.is_empty() && is_of_machine => {
                println!("{place}: this machine has none: {expression}");
            }
            (Ok(series), None) if series.is_empty() => wrong.push(format!("{place}: no series: {expression}")),
            (Ok(series), Some(excuse)) if series.is_empty() => used[excuse] += 1,
            (Ok(_), _) => {}
        }
    };
    for (place, expression) in expressions() {
        ask(&place, &expression);
    }
    for rule in rules() {
        if let Some(record) = rule["record"].as_str() {
            ask(record, rule["expr"].as_str().unwrap());
            // As Prometheus itself evaluated it.
            ask(record, record);
        }
    }
    assert!(wrong.is_empty(), "{scraper}: {}", wrong.join("\n"));
    assert!(asked > 100, "{asked}");
    for ((piece, why), used) in SILENT.iter().zip(used) {
        assert!(used > 0, "{scraper}: every query with {piece} returned series, although {why}");
    }
    println!("{scraper}: {asked} queries");
}

/// Prometheus accepts every rule, and only alerts with a cause become active.
fn alerts(scraper: &Scraper) {
    let answer = scraper.ask("/api/v1/rules", None).unwrap();
    let loaded: Vec<&Value> =
        answer["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert_eq!(loaded.len(), rules().len(), "{scraper}");
    for rule in loaded {
        assert_eq!(rule["health"], "ok", "{scraper}: {rule}");
        if rule["type"] == "alerting" {
            let name = rule["name"].as_str().unwrap();
            let began = rule["state"] != "inactive";
            let may = BEGINNING.contains(&name)
                || ["NetwhyPodPacketLoss", "NetwhyPodConnectFailures", "NetwhyPodCpuThrottled"].contains(&name);
            assert!(!began || may, "{scraper}: {rule}");
            assert!(began || !BEGINNING.contains(&name), "{scraper}: {rule}");
        }
    }
}

/// Version 3 stores `le` and `quantile` in another form than the text has, and calls `holt_winters` otherwise.
#[test]
fn no_query_names_what_prometheus_3_changed() {
    let of_rules = rules().into_iter().map(|rule| rule["expr"].as_str().unwrap().to_owned());
    let all: Vec<String> = expressions().into_iter().map(|(_, expression)| expression).chain(of_rules).collect();
    assert!(all.len() > 100, "{}", all.len());
    for expression in all {
        let compares = |part: &str| {
            let mut words = part.trim_start().split(['=', '!']);
            part.contains('"') && words.next().is_some_and(|label| ["le", "quantile"].contains(&label.trim_end()))
        };
        assert!(!expression.split(['{', ',']).any(compares), "{expression}");
        assert!(!expression.contains("holt_winters"), "{expression}");
    }
}
