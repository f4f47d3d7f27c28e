use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A rule that holds in these seconds, each time for the edge beside it.
fn of(seconds: &[(u32, u64)]) -> Episodes {
    let mut episodes = Episodes::default();
    for (second, edge) in seconds {
        episodes.hold(*second * SECOND, &[*edge]);
    }
    episodes
}

#[test]
fn two_episodes_of_one_edge_within_a_minute_are_one_trouble() {
    assert!(!of(&[(10, 1)]).are_several());
    assert!(!of(&[(10, 1), (11, 1), (13, 1)]).are_several(), "one that lasts");
    assert!(of(&[(10, 1), (14, 1)]).are_several());
    assert!(of(&[(10, 1), (16, 2), (17, 1)]).are_several());
    assert!(!of(&[(10, 1), (16, 2)]).are_several(), "another edge");
    assert!(!of(&[(10, 1), (71, 1)]).are_several(), "too long ago");
}

#[test]
fn it_is_over_after_twice_the_time_between_two() {
    let one = of(&[(10, 1)]);
    assert!(one.are_over(11 * SECOND) && one.may_go_on(70 * SECOND) && !one.may_go_on(71 * SECOND));
    let two = of(&[(10, 1), (18, 1), (19, 1)]);
    assert!(!two.are_over(34 * SECOND) && two.are_over(35 * SECOND));
    assert!(of(&[(10, 1), (60, 1)]).are_over(120 * SECOND), "a minute at most");
}
