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
