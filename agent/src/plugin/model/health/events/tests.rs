use super::{super::super::testing, *};

/// All facts, by the list that has them.
fn lists(windows: &[&PodWindow]) -> Vec<(&'static str, Fact)> {
    let mut health = Health::default();
    health.of_events(windows);
    let Health { normal, unusual, no_data, unknown } = health;
    assert_eq!(unknown, []);
    let lists = [("normal", normal), ("unusual", unusual), ("no data", no_data)];
    lists.into_iter().flat_map(|(list, facts)| facts.into_iter().map(move |fact| (list, fact))).collect()
}

fn window() -> PodWindow {
    testing::healthy_row().window
}

fn set(w: &mut PodWindow, state: ProbeState) {
    w.probes.values_mut().for_each(|known| *known = state);
}

#[test]
fn none_with_traffic_is_normal() {
    let resets = Fact::new("resets", "0 received, 0 sent, 40 connections completed");
    let drops = Fact::new("drops", "0 packets dropped on its sockets");
    assert_eq!(lists(&[&window()]), [("normal", resets), ("normal", drops)]);
}

#[test]
fn some_are_unusual_and_the_most_frequent_reasons_are_named() {
    let mut w = window();
    w.counts.resets = [("received".to_owned(), 3), ("sent".to_owned(), 1)].into();
    let reasons = [("a", 1), ("b", 5), ("c", 2), ("d", 2), ("e", 0), ("f", 1)];
    w.packet_drops = Some(reasons.map(|(reason, n)| (reason.to_owned(), n)).into());
    let resets = Fact::new("resets", "3 received, 1 sent, 40 connections completed");
    let drops = Fact::new("drops", "11 packets dropped on its sockets (5 b, 2 c, 2 d, 2 for other reasons)");
    assert_eq!(lists(&[&w]), [("unusual", resets), ("unusual", drops)]);
    // Even if the probe sees but a part.
    set(&mut w, ProbeState::Degraded);
    assert!(lists(&[&w]).iter().all(|(list, _)| *list == "unusual"));
}

#[test]
fn none_where_nobody_looked_is_not_normal() {
    let idle = testing::idle_row().window;
    let reasons = |w: &PodWindow| {
        let lists = lists(&[w]);
        assert!(lists.iter().all(|(list, _)| *list == "no data"), "{lists:?}");
        assert_eq!(lists[0].1.figures, lists[1].1.figures);
        lists[0].1.figures.clone()
    };
    assert_eq!(reasons(&idle), "no traffic in the window");
    let mut w = window();
    for (state, why) in [
        (ProbeState::Degraded, "none seen, but the degraded probe sees only a part of them"),
        (ProbeState::Unsupported, "not observed: the probe is unsupported"),
        (ProbeState::Off, "not observed: the probe is off"),
        (ProbeState::Broken, "not observed: the probe is broken"),
    ] {
        set(&mut w, state);
        assert_eq!(reasons(&w), why);
    }
    // An older agent.
    (w.probes, w.packet_drops) = (Default::default(), None);
    assert_eq!(reasons(&w), "it is not known whether they are observed");
}

#[test]
fn of_many_windows_the_worst_probe_counts() {
    let (good, mut bad) = (window(), window());
    set(&mut bad, ProbeState::Off);
    assert!(lists(&[&good, &good]).iter().all(|(list, _)| *list == "normal"));
    assert!(lists(&[&good, &bad]).iter().all(|(list, _)| *list == "no data"));
    bad.packet_drops = Some([("b".to_owned(), 5)].into());
    assert_eq!(lists(&[&good, &bad])[0], ("unusual", Fact::new("drops", "5 packets dropped on its sockets (5 b)")));
}
