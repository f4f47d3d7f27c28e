use super::*;
use crate::api::FactRow;

pub(crate) fn row(fact: &str, on: Option<&str>, value: &str, unit: Option<&str>) -> FactRow {
    FactRow {
        fact: fact.to_owned(),
        on: on.map(str::to_owned),
        value: Some(value.to_owned()),
        unit: unit.map(str::to_owned),
        state: "ok".to_owned(),
        why: None,
    }
}

fn missing(fact: &str, on: Option<&str>, state: &str, why: Option<&str>) -> FactRow {
    FactRow { value: None, state: state.to_owned(), why: why.map(str::to_owned), ..row(fact, on, "", None) }
}

fn label(name: &str, value: &str) -> (Kind, String, Value) {
    (Kind::Label, format!("label {name}"), Value::Text(value.to_owned()))
}

/// A Node as most are.
fn usual(number: usize) -> Profile {
    let mut profile = Profile::new(&format!("node-{number}"));
    profile.add_agent(&[
        row("kernel", None, "6.8.0-45", None),
        row("uptime", None, &(86_400 * 30 + 3600 * number).to_string(), Some("seconds")),
        row("net.ipv4.tcp_congestion_control", None, "cubic", None),
        row("driver", Some("eth0"), "ixgbe", None),
        row("driver_version", Some("eth0"), "5.19.0", None),
        row("mtu", Some("eth0"), "9000", None),
        missing("speed_mbit", Some("eth0"), "absent", None),
    ]);
    let zone = ["z1", "z2", "z3"][number % 3];
    profile.add_object([
        label("kubernetes.io/hostname", &format!("node-{number}")),
        label("pool", "general"),
        (Kind::Kubernetes, "zone".to_owned(), Value::Text(zone.to_owned())),
    ]);
    profile
}

/// 39 usual Nodes.
pub(crate) fn others() -> Vec<Profile> {
    (0..39).map(usual).collect()
}

/// A Node with an old driver, a small MTU, another congestion control, and a label of its own; just restarted.
pub(crate) fn odd_node() -> Profile {
    let mut profile = Profile::new("node-x");
    profile.add_agent(&[
        row("kernel", None, "6.8.0-45", None),
        row("uptime", None, "600", Some("seconds")),
        row("net.ipv4.tcp_congestion_control", None, "reno", None),
        row("driver", Some("eth0"), "ixgbe", None),
        row("driver_version", Some("eth0"), "5.1.0", None),
        row("mtu", Some("eth0"), "1500", None),
        missing("speed_mbit", Some("eth0"), "absent", None),
        missing("rx_ring", Some("eth0"), "broken", Some("ask the driver of eth0 for rx_ring: EIO")),
    ]);
    profile.add_object([
        label("kubernetes.io/hostname", "node-x"),
        (Kind::Kubernetes, "zone".to_owned(), Value::Text("z2".to_owned())),
        (Kind::Condition, "taint drain:NoSchedule".to_owned(), Value::Text("set".to_owned())),
    ]);
    profile
}

fn names(report: &Differs) -> Vec<String> {
    report.items.iter().map(Difference::name).collect()
}

fn of<'d>(report: &'d Differs, name: &str) -> &'d Difference {
    report.items.iter().find(|item| item.name() == name).unwrap_or_else(|| panic!("no {name}: {:?}", names(report)))
}

#[test]
fn a_rare_value_is_odd_and_a_shared_or_everywhere_unique_one_is_not() {
    let report = differs(&odd_node(), &others());
    let mut found = names(&report);
    found.sort();
    let odd = [
        "driver_version on eth0",
        "label pool",
        "mtu on eth0",
        "net.ipv4.tcp_congestion_control",
        "taint drain:NoSchedule",
        "uptime",
    ];
    assert_eq!(found, odd, "neither kernel, zone nor the host name");
    assert_eq!(of(&report, "driver_version on eth0").sentence(), "1 of 40 has 5.1.0, 39 have 5.19.0");
    assert_eq!(of(&report, "label pool").sentence(), "1 of 40 has none, 39 have general");
    assert_eq!(of(&report, "taint drain:NoSchedule").sentence(), "1 of 40 has set, 39 have none");
    assert_eq!(of(&report, "uptime").sentence(), "10 min; the others have 31 d (median of 39)");
    assert_eq!(report.well, 39);
}

#[test]
fn the_networks_facts_come_first_among_equally_odd_ones_and_rarer_ones_before_commoner_ones() {
    let mut all = others();
    for node in all.iter_mut().take(2) {
        node.add_agent(&[row("driver_version", Some("eth0"), "5.1.0", None)]);
    }
    let report = differs(&odd_node(), &all);
    let settings: Vec<String> = names(&report).into_iter().filter(|name| name != "uptime").collect();
    assert_eq!(settings[0], "mtu on eth0");
    assert_eq!(settings.last().unwrap(), "driver_version on eth0", "3 of 40");
    assert_eq!(of(&report, "driver_version on eth0").sentence(), "3 of 40 have 5.1.0, 37 have 5.19.0");
}

#[test]
fn a_fact_that_could_not_be_read_is_unknown_and_not_odd() {
    let report = differs(&odd_node(), &others());
    assert!(!names(&report).iter().any(|name| name.starts_with("rx_ring")), "{report:?}");
    let unknown = &report.unknown[0];
    assert_eq!(
        (unknown.what.as_str(), unknown.figures.as_str()),
        ("rx_ring on eth0", "broken: ask the driver of eth0 for rx_ring: EIO")
    );
    // An agent that reports no facts: nothing is known of the network, and nothing of it is odd.
    let mut old = Profile::new("node-x");
    old.add_agent(&[]);
    let report = differs(&old, &others());
    assert!(report.items.is_empty() && report.unknown[0].figures.contains("older"), "{report:?}");
}

#[test]
fn one_other_node_is_too_few_to_tell_and_two_that_agree_are_enough() {
    let report = differs(&odd_node(), &others()[..1]);
    assert!(report.items.is_empty(), "{report:?}");
    assert!(report.unknown.iter().any(|fact| fact.figures.starts_with("1 Node is well")), "{:?}", report.unknown);
    let report = differs(&odd_node(), &others()[..2]);
    assert!(names(&report).contains(&"driver_version on eth0".to_owned()), "{report:?}");
    assert!(!names(&report).contains(&"label kubernetes.io/hostname".to_owned()), "{report:?}");
    assert!(!names(&report).contains(&"uptime".to_owned()), "a distance needs four: {report:?}");
}

#[test]
fn a_quantity_is_odd_by_its_robust_distance() {
    let node = |name: &str, pods: &str| {
        let mut profile = Profile::new(name);
        profile.add_agent(&[row("pods", None, pods, Some("Pods"))]);
        profile
    };
    let all: Vec<Profile> = (20..40).map(|pods| node(&format!("node-{pods}"), &pods.to_string())).collect();
    let is_odd = |pods: &str| !differs(&node("node-x", pods), &all).items.is_empty();
    assert!(is_odd("200") && !is_odd("45") && !is_odd("20"));
    // All others are equal: a small difference is none.
    let equal: Vec<Profile> = (0..20).map(|n| node(&format!("node-{n}"), "100")).collect();
    assert!(differs(&node("node-x", "104"), &equal).items.is_empty());
    assert_eq!(differs(&node("node-x", "150"), &equal).items.len(), 1);
}

#[test]
fn an_interface_of_another_name_is_compared_and_the_name_is_odd() {
    let mut odd = Profile::new("node-x");
    odd.add_agent(&[row("driver", Some("ens5"), "ixgbe", None), row("mtu", Some("ens5"), "1500", None)]);
    let report = differs(&odd, &others());
    assert_eq!(of(&report, "mtu on ens5").sentence(), "1 of 40 has 1500, 39 have 9000");
    assert_eq!(of(&report, "name on ens5").sentence(), "1 of 40 has ens5, 39 have eth0");
    assert_eq!(report.items.len(), 2, "{report:?}");
}

#[test]
fn two_nodes_differ_in_what_differs_between_them_the_rarest_first() {
    let (one, other) = (odd_node(), usual(1));
    let report = differs_from(&one, &other, &others());
    let found = names(&report);
    assert!(!found.iter().any(|name| name.contains("hostname") || name == "kernel" || name == "zone"), "{found:?}");
    let driver = of(&report, "driver_version on eth0");
    assert_eq!((driver.value.as_deref(), driver.other.as_deref()), (Some("5.1.0"), Some("5.19.0")));
    assert_eq!((driver.same, driver.compared), (1, 40));
    assert_eq!(report.other.as_deref(), Some("node-1"));
    // The rarity counts on either side.
    let back = differs_from(&other, &one, &others());
    assert_eq!(names(&back).len(), found.len());
    assert_eq!(of(&back, "driver_version on eth0").oddness, driver.oddness);
    // In different zones, which a third of all have: they differ, but that is not odd.
    let zones = differs_from(&usual(0), &usual(1), &others());
    assert_eq!((names(&zones), zones.items[0].oddness < 0.5), (vec!["zone".to_owned()], true));
}

#[test]
fn the_reason_of_many_unread_facts_is_shown_once() {
    let mut profile = Profile::new("node-x");
    let rows = ["net.core.somaxconn", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"];
    profile.add_agent(&rows.map(|fact| missing(fact, None, "unsupported", Some("set hostNetwork: true in the chart"))));
    assert_eq!(profile.unread.len(), 1);
    assert_eq!(profile.unread[0].what, "net.core.somaxconn and 2 more");
    assert!(profile.unread[0].figures.starts_with("unsupported: set hostNetwork"));
}

#[test]
fn well_nodes_answered_and_are_blamed_by_nothing() {
    use crate::plugin::model::nodes::NodeFacts;
    let node = |name: &str, answered, blame, blamed_by| NodeFacts {
        node: name.to_owned(),
        answered,
        blame,
        blamed_by,
        ..NodeFacts::default()
    };
    let items = vec![
        node("hinted", true, None, 1),
        node("scored", true, Some(0.95), 0),
        node("suspect", true, Some(0.6), 0),
        node("silent", false, None, 0),
        node("undecided", true, None, 0),
        node("acquitted", true, Some(0.0), 0),
    ];
    let nodes = Nodes { items, ..Nodes::default() };
    assert_eq!(well(&nodes), ["undecided", "acquitted"]);
    assert_eq!(blamed(&nodes), ["hinted", "scored"]);
}
