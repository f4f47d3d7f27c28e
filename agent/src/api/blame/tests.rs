use super::*;

fn suspects(all: &[(BlameKind, &str, f64)]) -> Vec<Suspect> {
    all.iter().map(|(kind, name, probability)| Suspect::new(*kind, *name, *probability)).collect()
}

#[test]
fn a_node_needs_more_certainty_than_other_culprits() {
    let blame =
        |kind, probability| Blame::among(suspects(&[(kind, "x", probability), (BlameKind::External, "y", 0.1)]));
    assert_eq!(blame(BlameKind::NodePair, 0.85).kind, BlameKind::NodePair);
    assert_eq!(blame(BlameKind::NodePair, 0.75).kind, BlameKind::Undecided);
    for kind in [BlameKind::Node, BlameKind::PeerNode] {
        assert_eq!(blame(kind, 0.85).kind, BlameKind::Undecided);
        assert_eq!(blame(kind, 0.9).kind, kind);
    }
    assert_eq!(Blame::among(Vec::new()), Blame::nobody());
}

#[test]
fn undecided_blame_lists_all_candidates_best_first() {
    let all = [(BlameKind::NodePair, "a↔b", 0.45), (BlameKind::PeerNode, "b", 0.48), (BlameKind::Node, "a", 0.001)];
    let blame = Blame::among(suspects(&all));
    assert_eq!((blame.name.as_str(), blame.probability, blame.best()), ("", 0.0, 0.48));
    assert_eq!(blame.other_names(), ["b", "a↔b"]);
    assert_eq!(blame.text(), "one of b (0.48), a↔b (0.45)");
}

#[test]
fn named_blame_reads_as_a_sentence() {
    let blame = Blame::among(suspects(&[(BlameKind::PeerNode, "b", 0.93), (BlameKind::NodePair, "a↔b", 0.05)]));
    assert_eq!(blame.text(), "peer_node b (0.93), else a↔b (0.05)");
    assert_eq!(Blame::nobody().text(), "none");
}

#[test]
fn rounding_never_makes_the_sum_exceed_one() {
    let thirds =
        suspects(&[(BlameKind::Pod, "x", 0.3339), (BlameKind::Pod, "y", 0.3339), (BlameKind::Pod, "z", 0.3322)]);
    let sum: f64 = Blame::among(thirds).candidates().map(|one| one.probability).sum();
    assert!(sum <= 1.0, "{sum}");
    assert_eq!(Blame::named(BlameKind::Pod, "x", 0.57).probability, 0.57, "a decimal fraction stays");
}

#[test]
fn blame_of_older_agents_is_read() {
    let old = r#"{"kind": "none", "name": "", "alternatives": ["node-b", "node-a↔node-b", "shop/db-0"]}"#;
    let blame: Blame = serde_json::from_str(old).unwrap();
    assert_eq!(blame.kind, BlameKind::Undecided);
    let kinds: Vec<BlameKind> = blame.alternatives.iter().map(|other| other.kind).collect();
    assert_eq!(kinds, [BlameKind::PeerNode, BlameKind::NodePair, BlameKind::PeerPod]);
    assert_eq!(blame.text(), "one of node-b, node-a↔node-b, shop/db-0", "probabilities are not known");
}

#[test]
fn blame_survives_json() {
    let blame = Blame::among(suspects(&[(BlameKind::Service, "10.96.0.1", 0.5), (BlameKind::Clients, "z", 0.25)]));
    let json = serde_json::to_string(&blame).unwrap();
    assert_eq!(serde_json::from_str::<Blame>(&json).unwrap(), blame);
    assert!(json.contains(r#""alternatives":[{"kind":"service","name":"10.96.0.1","probability":0.5}"#), "{json}");
}

#[test]
fn an_address_is_never_a_label_value() {
    let label = |name: &str| Blame::named(BlameKind::External, name, 0.9).name_without_address().to_owned();
    for name in ["10.0.0.1", "10.0.0.1:443", "[fd00::1]:443", "fd00::1", "node-a→10.0.0.1", "10.0.0.0/8"] {
        assert_eq!(label(name), ADDRESS, "{name}");
    }
    for name in ["", "node-b", "shop/payment-7c9", "zone-a→zone-b", "ip-10-0-0-1.ec2.internal"] {
        assert_eq!(label(name), name);
    }
}
