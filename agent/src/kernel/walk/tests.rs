use super::*;

#[test]
fn hz_is_known_only_after_half_a_second_of_jiffies() {
    let mut walker = Walker::new(Duration::from_secs(1), 0.003);
    let at = |ktime_ns, jiffies| WalkSummary { ktime_ns, jiffies, ..WalkSummary::default() };
    walker.learn_hz(&at(0, 1_000));
    walker.learn_hz(&at(100_000_000, 1_025));
    assert_eq!(walker.hz, None);
    walker.learn_hz(&at(1_000_000_000, 1_250));
    assert_eq!(walker.hz, Some(250));
}
