use super::*;

const TEXT: &str = "\
# sampling: not this one
sampling:
  # rtt_every: 1
  rtt_every: 3
\"limits\": {cgroups: 5,
  edges: 6}
labels: {peer: true, 'workload': false}
peers:
  external:
    - 10.0.0.0/8   # one
    - nonsense
  same_zone: [a, b]
";

#[test]
fn block_and_flow_keys_are_found_and_comments_are_not() {
    let lines = Lines::of(TEXT);
    assert_eq!(lines.section("sampling"), Some(2));
    assert_eq!(lines.key("sampling", "rtt_every"), Some(4));
    assert_eq!(lines.section("limits"), Some(5));
    assert_eq!(lines.key("limits", "cgroups"), Some(5));
    assert_eq!(lines.key("limits", "edges"), Some(6));
    assert_eq!(lines.key("labels", "workload"), Some(7));
    assert_eq!(lines.key("labels", "rtt_every"), None);
    assert_eq!(lines.key("sampling", "external"), None);
    assert_eq!(lines.section("rtt_every"), None);
}

#[test]
fn list_elements_have_their_own_line_or_the_lists() {
    let lines = Lines::of(TEXT);
    assert_eq!(lines.element("peers", "external", 0), Some(10));
    assert_eq!(lines.element("peers", "external", 1), Some(11));
    assert_eq!(lines.element("peers", "same_zone", 1), Some(12));
}

#[test]
fn anchors_are_found_where_a_value_begins_and_nowhere_else() {
    for line in ["a: &x 1", "a: *x", "- *x", "[*x, 1]", "{a: 1, <<: *x}", "&x a: 1", "a: 'q' # c", "b: [1,*x]"] {
        assert_eq!(begins_value(line, &['&', '*']), line != "a: 'q' # c", "{line}");
    }
    for line in ["a: this & that", "a: 2*3", "# &x", "a: \"&x\"", "a: 1 # *x", "a: x&y", "- it's & more"] {
        assert!(!begins_value(line, &['&', '*']), "{line}");
    }
}
