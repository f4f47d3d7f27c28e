use super::*;

#[test]
fn slips_are_recognised_and_other_words_are_not() {
    let names = ["rtt_every", "walk_seconds", "tick_seconds"];
    for (word, meant) in [
        ("rtt_evrey", Some("rtt_every")),
        ("rtt-every", Some("rtt_every")),
        ("RTT_EVERY", Some("rtt_every")),
        ("tick_second", Some("tick_seconds")),
        ("walks_seconds", Some("walk_seconds")),
        ("colour", None),
        ("", None),
    ] {
        assert_eq!(nearest(word, names.into_iter()), meant, "{word}");
    }
}

#[test]
fn a_swap_of_neighbours_is_one_step() {
    assert_eq!(distance("ab", "ba"), 1);
    assert_eq!(distance("", "abc"), 3);
    assert_eq!(distance("kitten", "sitting"), 3);
}
