//! Rules between keys.

use super::{Authorization, Cidr, Config, Http, Peers, Switch};
use std::collections::BTreeMap;

/// One rule.
pub(super) struct Check {
    /// The keys that it compares. It is skipped if one of them is invalid by itself.
    pub(super) keys: &'static [&'static str],
    /// The key to change and the message, if the rule is broken.
    pub(super) find: fn(&Config) -> Option<(&'static str, String)>,
}

/// All rules.
pub(super) static CHECKS: &[Check] = &[
    Check {
        keys: &["sampling.window_seconds", "sampling.tick_seconds"],
        find: |config| {
            let (window, tick) = (config.sampling.window_seconds, config.sampling.tick_seconds);
            let message = format!("shorter than two of sampling.tick_seconds ({tick:?}): give at least {:?}", tick * 2);
            (window < tick * 2).then_some(("sampling.window_seconds", message))
        },
    },
    Check {
        keys: &["sampling.facts_seconds", "sampling.window_seconds"],
        find: |config| {
            let (facts, window) = (config.sampling.facts_seconds, config.sampling.window_seconds);
            let message = format!("longer than sampling.window_seconds ({window:?}): give at most {window:?}");
            (facts > window).then_some(("sampling.facts_seconds", message))
        },
    },
    Check {
        keys: &["limits.edges_in_view", "limits.edges"],
        find: |config| {
            let edges = config.limits.edges;
            let message = format!("more than limits.edges ({edges}): give at most {edges}");
            (config.limits.edges_in_view > edges).then_some(("limits.edges_in_view", message))
        },
    },
    Check {
        keys: &["signals.http", "signals.responses"],
        find: |config| {
            let has_no_times = config.signals.http != Switch::Off && config.signals.responses == Switch::Off;
            let message = "needs signals.responses, which is off: set that to auto, or this to off";
            has_no_times.then(|| ("signals.http", message.to_owned()))
        },
    },
    Check {
        keys: &["signals.dns_names", "signals.dns"],
        find: |config| {
            let has_no_answers = config.signals.dns_names != Switch::Off && config.signals.dns == Switch::Off;
            let message = "needs signals.dns, which is off: set that to auto, or this to off";
            has_no_answers.then(|| ("signals.dns_names", message.to_owned()))
        },
    },
    Check {
        keys: &["kube.node_name"],
        find: |config| {
            let message = config.kube.node_name.as_deref().and_then(node_name)?;
            Some(("kube.node_name", message))
        },
    },
    Check {
        keys: &["peers.same_zone", "peers.cross_zone", "peers.in_cluster", "peers.external"],
        find: |config| {
            let mut seen: BTreeMap<Cidr, &str> = BTreeMap::new();
            config.peers.classes().into_iter().find_map(|(path, ranges)| {
                ranges.iter().find_map(|range| {
                    let other = seen.insert(*range, path).filter(|other| *other != path)?;
                    Some((path, format!("{range} is also in {other}: remove it from one of them")))
                })
            })
        },
    },
    Check {
        keys: &["limits.prefixes", "peers"],
        find: |config| {
            let classes = config.peers.classes().iter().map(|(_, ranges)| ranges.len()).sum::<usize>();
            let ranges = (classes + config.peers.nodes.len()) as u64;
            let message = format!("{} is too low for the {ranges} ranges of peers: raise it", config.limits.prefixes);
            (ranges > config.limits.prefixes).then_some(("limits.prefixes", message))
        },
    },
    Check {
        keys: &["http.tls_certificate_file", "http.tls_key_file", "http.tls_client_ca_file"],
        find: |config| incomplete_tls(&config.http),
    },
    Check {
        keys: &["http.authorization", "http.tls_certificate_file", "kube.mode"],
        find: |config| {
            if config.http.authorization != Authorization::Kubernetes {
                return None;
            }
            let message = match (&config.http.tls_certificate_file, config.kube.mode) {
                (None, _) => "sends bearer tokens in clear text: set http.tls_certificate_file and http.tls_key_file",
                (_, Switch::Off) => "asks the API server, but kube.mode is off: write none, or set kube.mode to on",
                _ => return None,
            };
            Some(("http.authorization", message.to_owned()))
        },
    },
];

/// The file that is missing beside the others. `None`: none is.
fn incomplete_tls(http: &Http) -> Option<(&'static str, String)> {
    let missing = match (&http.tls_certificate_file, &http.tls_key_file, &http.tls_client_ca_file) {
        (Some(_), None, _) => ("http.tls_key_file", "http.tls_certificate_file", "the certificate's private key"),
        (None, Some(_), _) => ("http.tls_certificate_file", "http.tls_key_file", "the certificate of this key"),
        (None, None, Some(_)) => {
            ("http.tls_certificate_file", "http.tls_client_ca_file", "the listener's own certificate, and its key")
        }
        _ => return None,
    };
    let (key, other, wanted) = missing;
    Some((key, format!("is missing beside {other}: give the file with {wanted}")))
}

/// The mistake in a Node name, which a field selector contains. `None`: it is valid.
pub(super) fn node_name(name: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let right = (1..=253).contains(&name.len()) && name.bytes().all(allowed);
    (!right).then(|| "not the name of a Node: give up to 253 letters, digits, dashes and dots".to_owned())
}

impl Peers {
    /// (key, ranges). Defaults come first, so that an error is about a range in the file.
    fn classes(&self) -> [(&'static str, &[Cidr]); 4] {
        let Self { same_zone, cross_zone, in_cluster, services: _, external, nodes: _ } = self;
        [
            ("peers.in_cluster", in_cluster),
            ("peers.same_zone", same_zone),
            ("peers.cross_zone", cross_zone),
            ("peers.external", external),
        ]
    }
}
