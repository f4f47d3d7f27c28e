use super::super::testing;
use super::*;

#[test]
fn missing_data_is_never_normal() {
    let mut health = Health::default();
    health.of_window(&testing::idle_row());
    health.of_status(None);
    assert!(health.normal.iter().all(|f| f.what == "OOM kills"), "{:?}", health.normal);
    assert!(health.no_data.iter().any(|f| f.what == "loss"));
    assert!(health.no_data.iter().any(|f| f.what == "Pod status"));
}

#[test]
fn figures_below_the_threshold_of_a_hint_are_unusual() {
    let mut row = testing::healthy_row();
    row.window.counts.loss_episodes = 2;
    let mut health = Health::default();
    health.of_window(&row);
    assert_eq!(health.unusual[0].figures, "2 loss episodes in 1000 segments sent");
}

#[test]
fn without_lookups_the_state_of_their_probe_counts() {
    let why = |state: Option<ProbeState>| {
        let mut window = testing::healthy_row().window;
        window.probes = state.map(|state| ("dns".to_owned(), state)).into_iter().collect();
        no_lookups(&[&window])
    };
    assert_eq!(why(Some(ProbeState::Off)), "not observed: the probe is off");
    assert_eq!(why(Some(ProbeState::Degraded)), "no lookup over UDP ended in the window");
    assert_eq!(why(None), "no lookup over UDP ended in the window, or they are not observed");
}

#[test]
fn missing_signals_are_unknown() {
    let mut health = Health::default();
    health.of_agent(&crate::metrics::fixture::agent());
    assert_eq!(health.unknown, [Fact::new("probe drops on node-a", "degraded: no rx_sk")]);
}

#[test]
fn figures_have_the_unit_that_fits() {
    assert_eq!([0.000_035, 0.0012, 0.25, 3.0, 400.0].map(seconds), ["35 µs", "1.20 ms", "250 ms", "3.0 s", "7 min"]);
    assert_eq!([0.0, 0.000_1, 0.0188, 0.5].map(percent), ["0 %", "0.010 %", "1.88 %", "50 %"]);
}
