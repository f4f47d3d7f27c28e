use super::*;

#[test]
fn a_node_reads_and_prints_the_same() {
    for text in ["b=10.0.2.0/24", "node-b@zone-1=10.0.2.0/24", "n.example@z=fd00:2::/64"] {
        assert_eq!(text.parse::<NodeRange>().unwrap().to_string(), text);
    }
}

#[test]
fn each_mistake_has_its_remedy() {
    for (text, remedy) in [
        ("10.0.2.0/24", "write one such as"),
        ("=10.0.2.0/24", "give up to 253"),
        ("b@=10.0.2.0/24", "give up to 253"),
        ("b=10.0.2.1/24", "did you mean 10.0.2.0/24?"),
    ] {
        let error = text.parse::<NodeRange>().unwrap_err();
        assert!(error.contains(remedy), "{text}: {error}");
    }
}
