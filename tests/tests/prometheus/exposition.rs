//! The agent's exposition as Prometheus reads it.

use crate::{
    scraper::Scraper,
    world::{World, wait_until},
};
use netwhy_tests::prometheus::Prometheus;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

#[test]
fn both_formats_are_scraped_alike_and_without_complaint() {
    let Some(world) = World::open("both_formats_are_scraped_alike_and_without_complaint") else { return };
    world.wait_until("ten scrapes by each job", |scraper| {
        scraper.query("count_over_time(up[1m]) >= 10").is_ok_and(|series| series.len() == 2)
    });
    for scraper in &world.scrapers {
        scrapes_well(scraper);
    }
    // Both formats give the same names and labels.
    let names =
        |scraper: &Scraper, job: &str| scraper.names(&format!("{{__name__=~\"(netwhy|process)_.+\", job=\"{job}\"}}"));
    world.wait_until("both have the same names", |scraper| {
        let text = names(scraper, "text");
        text.len() > 40 && names(scraper, "netwhy") == text
    });
    // And the same types.
    let text = world.agent().metrics("text/plain");
    let open = world.agent().metrics("application/openmetrics-text; version=1.0.0");
    let types = |text: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        lines.map(|(name, kind)| (name.trim_end_matches("_total").to_owned(), kind.to_owned())).collect()
    };
    assert_eq!(types(&text), types(&open));
    // The agent's own count of series equals Prometheus' count.
    world.wait_until("the agent's own count of series is right", |scraper| {
        scraper
            .query("scrape_samples_scraped{job=\"netwhy\"} == on (instance) netwhy_agent_series{job=\"netwhy\"}")
            .is_ok_and(|series| !series.is_empty())
    });
    for scraper in &world.scrapers {
        lint(&scraper.prometheus, &text);
    }
}

/// Every scrape succeeded and kept all samples.
fn scrapes_well(scraper: &Scraper) {
    // All samples are kept. On a busy machine one scrape in a while may take longer than its second.
    wait_until(&format!("{scraper}: ten scrapes in a row succeed"), || {
        scraper.value("min(min_over_time(up[10s]))") == Some(1.0)
    });
    let targets = scraper.ask("/api/v1/targets", None).unwrap();
    for target in targets["activeTargets"].as_array().unwrap() {
        assert_eq!((target["health"].as_str(), target["lastError"].as_str()), (Some("up"), Some("")), "{target}");
    }
    assert_eq!(scraper.complaints(), Vec::<String>::new(), "{scraper}");
}

/// `promtool check metrics`.
fn lint(prometheus: &Prometheus, text: &str) {
    let mut promtool = Command::new(&prometheus.promtool);
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{prometheus}: {said}");
}

/// Bounds of netwhy_tcp_rtt_seconds, read from the exposition, with zero below and no end above.
fn bounds(text: &str) -> Vec<f64> {
    let les = text.lines().filter_map(|line| {
        let le = line.strip_prefix("netwhy_tcp_rtt_seconds_bucket{le=\"")?.split('"').next()?;
        le.parse::<f64>().ok()
    });
    let mut all: Vec<f64> = les.chain([0.0]).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

#[test]
fn quantiles_agree_with_the_agents_own_within_a_bucket() {
    let Some(mut world) = World::open("quantiles_agree_with_the_agents_own_within_a_bucket") else { return };
    // Three values of the scale: half of the Pods have an RTT of 40 ms to node b.
    let fault: netwhy_tests::lab::Fault = "delay=20".parse().unwrap();
    let injected = fault.inject(&mut world.shop).unwrap();
    // Until both the agent's window and Prometheus' range hold no older samples.
    thread::sleep(Duration::from_secs(12));
    let bounds = bounds(&world.agent().metrics("text/plain"));
    assert_eq!(bounds.len(), 11, "{bounds:?}");
    // Two windows of the agent, 10 s each, make up the 20 s range of Prometheus.
    let mut seen: BTreeMap<(String, &str), (f64, f64)> = BTreeMap::new();
    for _ in 0..10 {
        for row in world.agent().pods().into_iter().filter(|row| row.window.rtt_samples >= 50) {
            for (q, value) in [("0.5", row.window.rtt_p50_seconds), ("0.99", row.window.rtt_p99_seconds)] {
                let value = value.unwrap();
                let range = seen.entry((row.name.clone(), q)).or_insert((value, value));
                *range = (range.0.min(value), range.1.max(value));
            }
        }
        thread::sleep(Duration::from_secs(1));
    }
    assert!(seen.len() >= 8, "{seen:?}");
    for scraper in &world.scrapers {
        assert_stored(scraper, &bounds);
        assert_quantiles(scraper, &seen, &bounds);
    }
    injected.heal(&mut world.shop).unwrap();
}

/// Prometheus has these bounds, in whatever form it stores `le`: from version 3 on `0.00005` is `5e-05`.
fn assert_stored(scraper: &Scraper, bounds: &[f64]) {
    for job in ["netwhy", "text"] {
        let query = format!("count by (le) (netwhy_tcp_rtt_seconds_bucket{{job=\"{job}\"}})");
        let series = scraper.query(&query).unwrap();
        let mut stored: Vec<f64> = series.iter().filter_map(|(labels, _)| labels["le"].parse().ok()).collect();
        stored.sort_by(f64::total_cmp);
        assert_eq!(stored, &bounds[1..], "{scraper}, {job}");
    }
}

/// Prometheus' quantiles are those of the agent, by Pod and quantile its lowest and highest value, within a bucket.
fn assert_quantiles(scraper: &Scraper, seen: &BTreeMap<(String, &str), (f64, f64)>, bounds: &[f64]) {
    let mut places = BTreeSet::new();
    for ((pod, q), (low, high)) in seen {
        let query = format!(
            "histogram_quantile({q}, sum by (le) \
             (rate(netwhy_tcp_rtt_seconds_bucket{{job=\"netwhy\", pod=\"{pod}\"}}[20s])))"
        );
        let value = scraper.value(&query).unwrap();
        // The agent's own values are within 10 %; Prometheus interpolates between bounds.
        let least = bounds.iter().copied().filter(|bound| *bound < low / 1.1).fold(0.0, f64::max);
        let most = bounds.iter().copied().filter(|bound| *bound >= high * 1.1).fold(f64::INFINITY, f64::min);
        let agree = (least..=most).contains(&value);
        assert!(agree, "{scraper}: {pod} {q}: {value} is not within {least} … {most} ({low} … {high})");
        places.insert(bounds.iter().filter(|bound| **bound < value).count());
    }
    assert!(places.len() >= 2, "{scraper}: all values are in one bucket: {places:?}");
}
