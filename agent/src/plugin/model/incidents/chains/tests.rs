use super::*;

fn firing(cause: &str, subject: &str, culprit: &str, from: i64, to: i64) -> Firing {
    Firing {
        fingerprint: Fingerprint { cause: cause.into(), workload: subject.into(), ..Fingerprint::default() },
        subject: subject.into(),
        culprit: culprit.into(),
        from,
        to,
        ..Firing::default()
    }
}

fn causes(chain: &Chain) -> Vec<&str> {
    std::iter::once(&chain.first).chain(&chain.then).map(|fingerprint| fingerprint.cause.as_str()).collect()
}

#[test]
fn a_shared_culprit_at_the_same_time_makes_a_chain() {
    let firings = [
        firing("drops", "node b", "node b", 0, 500_000),
        firing("loss", "pod shop/a", "node b", 20_000, 90_000),
        firing("slow", "pod shop/web", "pod shop/a", 30_000, 80_000),
        firing("other", "pod shop/z", "external x", 30_000, 80_000),
    ];
    let (chains, places) = find(&firings);
    assert_eq!(chains.len(), 1, "{chains:?}");
    assert_eq!((causes(&chains[0]), chains[0].incidents), (vec!["drops", "loss", "slow"], 3));
    assert_eq!(places.get(&firings[0].fingerprint), Some(&(1, 1)));
    assert_eq!((places.get(&firings[2].fingerprint), places.get(&firings[3].fingerprint)), (Some(&(1, 0)), None));
}

#[test]
fn the_same_names_at_another_time_are_another_chain() {
    let firings = [
        firing("drops", "node b", "node b", 0, 10_000),
        firing("loss", "pod shop/a", "node b", 10_000 + SLACK, 90_000),
        firing("drops", "node b", "node b", 90_001 + SLACK, 200_000),
    ];
    assert_eq!(find(&firings).0.len(), 1);
    assert_eq!(causes(&find(&firings).0[0]), ["drops", "loss"]);
}

#[test]
fn of_those_that_begin_together_the_one_that_the_others_blame_is_first() {
    let mut firings = [
        firing("slow", "pod shop/web", "pod shop/a", 0, 80_000),
        firing("throttled", "pod shop/a", "pod shop/a", 5_000, 80_000),
    ];
    assert_eq!(causes(&find(&firings).0[0]), ["slow", "throttled"], "five seconds are a difference");
    firings.iter_mut().for_each(|firing| firing.resolution = 10_000);
    assert_eq!(causes(&find(&firings).0[0]), ["throttled", "slow"]);
}

#[test]
fn unknown_names_and_repetitions_join_nothing() {
    let firings = [firing("x", "", "", 0, 10), firing("y", "", "", 0, 10)];
    assert!(find(&firings).0.is_empty());
    let again = [firing("x", "node b", "node b", 0, 10), firing("x", "node b", "node b", 5, 20)];
    assert!(find(&again).0.is_empty(), "one incident is no chain");
}
