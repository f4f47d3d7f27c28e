use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, firing, verdict},
};

const PEERS: [&str; 3] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"];

fn full(case: &Case, sightings: u64, recent: u64) -> Case {
    let mut case = case.clone();
    let edge = case.edge("cart", PEERS[0]);
    edge.window.unread_full = sightings;
    edge.recent = edge.window.clone();
    edge.recent.unread_full = recent;
    case
}

#[test]
fn full_receive_buffers_blame_the_pod_that_does_not_read() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&full(&normal, 8, 3));
    assert_eq!(verdict(&hint), ("pod_slow_reader", BlameKind::Pod, "cart"));
    assert_eq!(hint.ruled_out[0].because, "0 of 100 periods throttled");
}

#[test]
fn few_sightings_and_those_of_one_moment_are_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    Run::warm(&normal).expect_silence(5, &full(&normal, 2, 1));
    // Many sockets in one walk: a pause, not a slow reader.
    Run::warm(&normal).expect_silence(5, &full(&normal, 9, 9));
    Run::warm(&normal).expect_silence(5, &full(&normal, 9, 0));
}

#[test]
fn a_reader_that_takes_much_is_not_slow() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let fast = full(&normal, 8, 3).with("cart", PEERS[0], |t| t.bytes_received = 600_000_000);
    Run::warm(&normal).expect_silence(5, &fast);
}

#[test]
fn a_throttled_pod_reads_slowly_because_it_is_throttled() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut bad = full(&normal, 8, 3);
    bad.subject("cart").window_cpu.as_mut().unwrap().throttled_periods = 40;
    let hints = firing(&Run::warm(&normal).ticks(3, &bad));
    assert_eq!(hints.len(), 1);
    assert_eq!(hints[0].chain, ["pod_cpu_throttled", "pod_slow_reader", "cpu_throttling"]);
}

/// Data waits from walk to walk while 45 kB/s are exchanged. Normal are 120.
fn late(case: &Case, sightings: u64, recent: u64) -> Case {
    let mut case = case.clone();
    let edge = case.edge("cart", PEERS[0]);
    edge.window.bytes_received = 250_000;
    (edge.window.late_readers, edge.window.late_bytes) = (sightings, 600_000 * sightings);
    edge.recent = edge.window.clone();
    edge.recent.late_readers = recent;
    case
}

#[test]
fn data_that_waits_while_less_is_read_than_usual_blames_the_pod() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&late(&normal, 8, 3));
    assert_eq!(verdict(&hint), ("pod_slow_reader", BlameKind::Pod, "cart"));
    assert!(hint.summary.contains("600 kB from 10.0.0.7 waited unread"), "{}", hint.summary);
    assert!(hint.summary.contains("in 8 sightings"), "{}", hint.summary);
    assert!(hint.summary.contains("they exchange 45 kB/s (normally 120)"), "{}", hint.summary);
    // By few walks, or those of one moment.
    Run::warm(&normal).expect_silence(5, &late(&normal, 2, 1));
    Run::warm(&normal).expect_silence(5, &late(&normal, 9, 9));
    Run::warm(&normal).expect_silence(5, &late(&normal, 9, 0));
}

#[test]
fn nobody_waits_for_a_reader_that_takes_as_much_as_usual() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let busy = late(&normal, 8, 3).with("cart", PEERS[0], |t| t.bytes_received = 900_000);
    Run::warm(&normal).expect_silence(80, &busy);
}

#[test]
fn programs_that_normally_lag_are_not_slow() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let lags = late(&normal, 8, 3).with("cart", PEERS[0], |t| t.bytes_received = 1_000_000);
    // From the first on.
    Run::warm(&lags).expect_silence(5, &late(&normal, 8, 3));
    // Batches.
    let mut run = Run::warm(&normal);
    run.expect_silence(15, &lags);
    run.expect_silence(15, &normal);
    run.expect_silence(5, &late(&normal, 8, 3));
}

#[test]
fn unsteady_traffic_that_falls_is_no_slow_reader() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut run = Run::warm(&normal);
    run.expect_silence(10, &normal.with("cart", PEERS[0], |t| t.bytes_received = 250_000));
    run.expect_silence(30, &normal);
    run.expect_silence(5, &late(&normal, 8, 3));
}
