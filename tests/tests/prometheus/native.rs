//! Each Prometheus, with native histograms, scrapes protobuf.

use crate::{
    scraper::{Sample, Scraper},
    world::{World, wait_until},
};
use netwhy_agent::metrics::{Kind, METRICS};
use netwhy_tests::prometheus::Version;
use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

/// Largest error of a quantile of RTTs, as docs/metrics.md states it, beside that of the agent's own (10 %).
const ERROR: f64 = 1.19 * 1.1;

/// A second Prometheus like this one that scrapes the world's agent in protobuf. `setting` of its job, if any.
fn native(world: &World, of: &Scraper, setting: Option<&str>) -> Scraper {
    let Version(major, minor) = of.prometheus.version;
    let kind = if setting.is_some() { "both" } else { "native" };
    let (feature, global) = of.prometheus.version.native_histograms();
    let on = |setting: Option<&str>| setting.map(|setting| format!(", {setting}: true")).unwrap_or_default();
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s{}}}\nscrape_configs:\n  \
         - {{job_name: netwhy, honor_labels: true, static_configs: [{{targets: ['{}']}}]{}}}\n",
        on(global),
        world.agent().address,
        on(setting)
    );
    Scraper::run(&of.prometheus, &world.dir.0.join(format!("{kind}-{major}.{minor}")), &config, feature)
}

/// One for each Prometheus of the world.
fn natives(world: &World) -> Vec<Scraper> {
    world.scrapers.iter().map(|scraper| native(world, scraper, None)).collect()
}

#[test]
fn native_histograms_have_the_agents_quantiles_and_no_buckets() {
    let Some(mut world) = World::open("native_histograms_have_the_agents_quantiles_and_no_buckets") else { return };
    // Half of the Pods have an RTT of 40 ms to node b.
    let fault: netwhy_tests::lab::Fault = "delay=20".parse().unwrap();
    let injected = fault.inject(&mut world.shop).unwrap();
    let natives = natives(&world);
    for native in &natives {
        wait_until(&format!("{native}: the native histograms are queried"), || {
            let query = "histogram_quantile(0.5, rate(netwhy_tcp_rtt_seconds[1m]))";
            native.query(query).is_ok_and(|series| !series.is_empty())
        });
    }
    // Until both the agent's window and Prometheus' range hold no older samples.
    thread::sleep(Duration::from_secs(12));
    let mut seen: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for _ in 0..10 {
        for row in world.agent().pods().into_iter().filter(|row| row.window.rtt_samples >= 50) {
            let value = row.window.rtt_p50_seconds.unwrap();
            let range = seen.entry(row.name).or_insert((value, value));
            *range = (range.0.min(value), range.1.max(value));
        }
        thread::sleep(Duration::from_secs(1));
    }
    // Below 10 µs nothing is told apart, and a median between two paths may be either's.
    seen.retain(|_, (low, high)| *low > 20e-6 && *high < 1.5 * *low);
    assert!(seen.values().any(|(low, _)| *low > 0.01), "no Pod has the delay: {seen:?}");
    for native in &natives {
        assert_native(native, &seen);
    }
    injected.heal(&mut world.shop).unwrap();
}

/// Medians are those of the agent, by Pod its lowest and highest value, and there is nothing but native histograms.
fn assert_native(native: &Scraper, seen: &BTreeMap<String, (f64, f64)>) {
    for (pod, (low, high)) in seen {
        let query = format!("histogram_quantile(0.5, sum(rate(netwhy_tcp_rtt_seconds{{pod=\"{pod}\"}}[20s])))");
        let value = native.value(&query).unwrap();
        let agree = (low / ERROR..=high * ERROR).contains(&value);
        assert!(agree, "{native}: {pod}: {value} is not within {low} … {high}");
    }
    wait_until("ten scrapes in a row succeed", || native.value("min(min_over_time(up[10s]))") == Some(1.0));
    assert_eq!(native.complaints(), Vec::<String>::new(), "{native}");
    let parts = "{__name__=~\"netwhy_.+_seconds_(bucket|sum|count)\"}";
    assert_eq!(native.value(&format!("count({parts})")), None, "{native}: classic series are dropped");
    let count = native.value("sum(histogram_count(netwhy_tcp_rtt_seconds))");
    assert!(count.is_some_and(|count| count > 1000.0), "{native}: {count:?}");
}

#[test]
fn protobuf_has_the_counters_and_gauges_of_the_texts() {
    let Some(world) = World::open("protobuf_has_the_counters_and_gauges_of_the_texts") else { return };
    let histograms = METRICS.into_iter().flatten().filter(|metric| metric.kind == Kind::Histogram);
    let histograms: Vec<&str> = histograms.map(|metric| metric.name).collect();
    // Hints may fire between two scrapes.
    let others = format!("netwhy_hint|({})(_bucket|_sum|_count)?", histograms.join("|"));
    let query = format!("{{__name__=~\"(netwhy|process)_.+\", __name__!~\"{others}\", job=\"netwhy\"}}");
    // By name and labels, without those that Prometheus adds.
    let series = |of: &Scraper| -> BTreeSet<String> {
        let without_added = |(mut labels, _): Sample| {
            for added in ["job", "instance", "node"] {
                labels.remove(added);
            }
            format!("{labels:?}")
        };
        of.query(&query).unwrap().into_iter().map(without_added).collect()
    };
    for (native, texts) in natives(&world).iter().zip(&world.scrapers) {
        wait_until(&format!("{native}: both have the same series"), || {
            let protobuf = series(native);
            protobuf.len() > 100 && protobuf == series(texts)
        });
        let metadata = native.ask("/api/v1/metadata?metric=netwhy_tcp_rtt_seconds", None).unwrap();
        assert_eq!(metadata["netwhy_tcp_rtt_seconds"][0]["type"], "histogram", "{native}");
    }
}

/// As the chart's rules and dashboards need it.
#[test]
fn classic_histograms_stay_beside_native_ones_where_a_setting_says_so() {
    let test = "classic_histograms_stay_beside_native_ones_where_a_setting_says_so";
    let Some(world) = World::open(test) else { return };
    let mut tried = 0;
    for texts in &world.scrapers {
        let Some(setting) = texts.prometheus.version.classic_histograms() else { continue };
        tried += 1;
        let both = native(&world, texts, Some(setting));
        let names = |of: &Scraper| of.names("{__name__=~\"(netwhy|process)_.+\", job=\"netwhy\"}");
        wait_until(&format!("{both}: every series of the texts is there"), || {
            let texts = names(texts);
            texts.len() > 40 && texts.is_subset(&names(&both))
        });
        for query in [
            "histogram_quantile(0.5, sum by (le) (rate(netwhy_tcp_rtt_seconds_bucket[20s])))",
            "histogram_quantile(0.5, sum(rate(netwhy_tcp_rtt_seconds[20s])))",
        ] {
            wait_until(&format!("{both}: {query}"), || both.value(query).is_some());
            assert_eq!(both.remarks(query), Vec::<String>::new(), "{both}: {query}");
        }
    }
    if tried == 0 {
        println!("SKIP {test}: machine: no Prometheus from 2.45 on, which has the setting");
    }
}
