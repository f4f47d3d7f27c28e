//! Declarations of the table, and the texts made from it.

use crate::config::{
    Authorization, Change, Config, KEYS, Reloaded, RttBuckets, SECTIONS, Signals, Switch, explain, keys_of, reload,
    yaml,
};
use std::time::Duration;

#[test]
fn defaults_are_the_documented_ones() {
    let config = Config::default();
    let s = &config.sampling;
    assert_eq!((s.rtt_every, s.walk_cpu_share, s.http), (16, 0.003, 0.05));
    assert_eq!(
        [s.walk_seconds, s.walk_max_seconds, s.tick_seconds, s.window_seconds, s.facts_seconds],
        [1, 30, 1, 10, 2].map(Duration::from_secs)
    );
    let expected = |key: &str| match key {
        "run_queue" => "pressure",
        "http" | "dns_names" => "off",
        _ => "auto",
    };
    assert!(keys_of("signals").all(|key| key.value(&config) == expected(key.name)));
    let t = &config.thresholds;
    assert_eq!((t.loss_ratio, t.min_segments, t.receiver_limited_share), (0.002, 200, 0.5));
    assert_eq!((t.send_buffer_limited_share, t.throttled_share, t.accept_drops), (0.5, 0.1, 10));
    assert_eq!((t.connect_failures, t.connect_failure_share, t.syn_retransmits), (3, 0.5, 3));
    assert_eq!((t.rtt_inflation, t.rtt_floor_ms, t.think_time_ms), (3.0, 1.0, 5.0));
    assert_eq!((t.enter_windows, t.leave_windows), (2, 6));
    assert_eq!(config.labels.rtt_buckets, RttBuckets::Coarse);
    assert!(config.labels.workload && config.labels.peer && !config.labels.semconv);
    let l = &config.limits;
    assert_eq!([l.cgroups, l.edges, l.drops, l.prefixes], [4096, 16_384, 4096, 16_384]);
    assert_eq!((l.series, l.edges_in_view, l.gone_subjects), (50_000, 512, 1024));
    assert_eq!([l.gone_seconds, l.edge_idle_seconds], [90, 300].map(Duration::from_secs));
    let in_cluster: Vec<_> = config.peers.in_cluster.iter().map(ToString::to_string).collect();
    assert_eq!(in_cluster, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"]);
    assert!(
        config.peers.same_zone.is_empty() && config.peers.cross_zone.is_empty() && config.peers.external.is_empty()
    );
    assert_eq!((config.kube.mode, &config.kube.node_name, &config.kube.kubeconfig), (Switch::Auto, &None, &None));
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:9810");
    assert_eq!((config.http.max_connections, config.http.read_timeout_seconds), (64, Duration::from_secs(10)));
    assert_eq!((&config.http.tls_certificate_file, config.http.authorization), (&None, Authorization::None));
}

#[test]
fn every_default_reads_back_as_itself_and_lies_in_its_range() {
    let defaults = Config::default();
    for key in KEYS {
        let text = key.value(&defaults);
        let config = Config::parse(&format!("{}:\n  {}: {text}\n", key.section, key.name), "t").unwrap();
        assert_eq!(config, defaults, "{}", key.path);
    }
}

#[test]
fn every_end_of_a_range_is_allowed_and_what_lies_beyond_is_refused() {
    for key in KEYS {
        let Some((low, high)) = key.range else { continue };
        assert!(low < high, "{}", key.path);
        let mut config = Config::default();
        for end in [low, high] {
            (key.read)(&mut config, &yaml::read(&end.to_string()).unwrap(), key).unwrap();
            assert_eq!(key.value(&config), end.to_string());
        }
        for beyond in [low - 1.0, high + 1.0] {
            let value = yaml::read(&beyond.to_string()).unwrap();
            assert!((key.read)(&mut config, &value, key).is_err(), "{} = {beyond}", key.path);
        }
    }
}

#[test]
fn every_section_has_keys_and_every_key_a_help_sentence() {
    assert_eq!(SECTIONS.len(), 9);
    for section in SECTIONS {
        assert!(keys_of(section.name).count() > 0);
    }
    for key in KEYS {
        assert!(key.help.ends_with('.'), "{}", key.path);
        assert!(!key.help.contains('|'), "{}: would break the table", key.path);
    }
}

#[test]
fn a_deleted_pods_series_never_stay_longer_than_the_promised_two_minutes() {
    let key = KEYS.iter().find(|key| key.path == "limits.gone_seconds").unwrap();
    assert_eq!(key.range.unwrap().1, 120.0);
}

#[test]
fn what_sizes_no_map_and_no_socket_reloads_and_all_else_keeps_its_value_until_a_restart() {
    let started = Config::default();
    let mut new = started.clone();
    new.thresholds.loss_ratio = 0.01;
    new.labels.peer = false;
    new.limits.gone_seconds = Duration::from_secs(30);
    new.limits.series = 2_000;
    new.sampling.rtt_every = 8;
    new.sampling.http = 1.0;
    new.signals.drops = Switch::Off;
    new.peers.external = vec!["203.0.113.0/24".parse().unwrap()];
    assert_eq!(reload(&started, &new), Reloaded { config: new.clone(), restart: vec![] });
    let live = new.clone();
    new.limits.edges = 1024;
    new.kube.mode = Switch::Off;
    new.http.max_connections = 2;
    new.signals.sockets = Switch::Off;
    let restart = vec!["signals.sockets", "limits.edges", "kube.mode", "http.max_connections"];
    assert_eq!(reload(&started, &new), Reloaded { config: live, restart });
    for key in KEYS {
        let sizes_maps = ["limits.cgroups", "limits.edges", "limits.drops", "limits.prefixes"].contains(&key.path);
        let restarts = ["connects", "sockets", "accept_queue"];
        let expected = match key.section {
            "history" | "kube" | "http" => Change::Restart,
            "signals" if key.name == "cgroup_files" => Change::Live,
            "signals" if !restarts.contains(&key.name) => Change::Signal,
            "signals" => Change::Restart,
            _ if sizes_maps => Change::Restart,
            _ => Change::Live,
        };
        assert_eq!(key.change, expected, "{}", key.path);
    }
}

#[test]
fn a_signal_that_was_off_at_the_start_stays_off_until_a_restart() {
    let started = Config { signals: Signals { dns: Switch::Off, ..Signals::default() }, ..Config::default() };
    let Reloaded { config, restart } = reload(&started, &Config::default());
    assert_eq!((config, restart), (started.clone(), vec!["signals.dns"]));
    // One that was on goes off and on again.
    let off = Config { signals: Signals { drops: Switch::Off, ..started.signals.clone() }, ..started.clone() };
    assert_eq!(reload(&started, &off), Reloaded { config: off.clone(), restart: vec![] });
    assert_eq!(reload(&started, &started), Reloaded { config: started.clone(), restart: vec![] });
}

#[test]
fn explain_names_what_differs_and_only_that() {
    let mut config = Config::default();
    assert!(explain(&config, "f.yaml").starts_with("f.yaml: ok\nall settings have their defaults\n"));
    config.thresholds.loss_ratio = 0.01;
    config.http.listen = "[::]:80".parse().unwrap();
    let text = explain(&config, "f.yaml");
    assert!(text.contains("thresholds.loss_ratio  0.01 ratio (default 0.002)\n"), "{text}");
    let listen = "http.listen            \"[::]:80\" (default 0.0.0.0:9810; a change needs a restart)\n";
    assert!(text.contains(listen), "{text}");
    assert!(text.contains(&format!("2 of {} settings differ", KEYS.len())), "{text}");
    assert!(!text.contains("min_segments"), "{text}");
}

#[test]
fn kernel_map_sizes_are_the_limits() {
    let maps = Config::default().limits.maps();
    assert_eq!((maps.cgroups, maps.edges, maps.drops, maps.prefixes), (4096, 16_384, 4096, 16_384));
}

#[test]
fn names_need_the_signal_that_finds_their_lookups() {
    let parse = |signals: &str| Config::parse(&format!("signals: {{{signals}}}\n"), "t");
    let refused = parse("dns: \"off\", dns_names: \"auto\"").unwrap_err().to_string();
    assert!(refused.contains("signals.dns_names: needs signals.dns, which is off"), "{refused}");
    for fine in ["dns_names: \"auto\"", "dns: \"off\"", "dns: \"off\", dns_names: \"off\""] {
        assert!(parse(fine).is_ok(), "{fine}");
    }
}
