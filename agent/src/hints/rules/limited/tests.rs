use crate::{
    api::BlameKind,
    hints::testing::{Case, HZ, Run, rtts, verdict},
};
use netwhy_abi::PeerClass;

const PEERS: [&str; 2] = ["10.0.0.7", "10.0.0.8"];

fn limited(case: &Case, receiver: u64, buffer: u64, of_busy: u64) -> Case {
    case.with("cart", PEERS[0], |t| {
        (t.rwnd_jiffies, t.sndbuf_jiffies, t.busy_jiffies) = (receiver, buffer, of_busy);
    })
}

#[test]
fn closed_window_blames_the_peer_even_with_inflated_rtt() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let slow = limited(&normal, 920, 0, 1000).with("cart", PEERS[0], |t| t.rtt = rtts(&[(20_000, 100)]));
    let hint = Run::warm(&normal).expect_one(&slow);
    assert_eq!(verdict(&hint), ("peer_receiver_limited", BlameKind::PeerPod, "10.0.0.7"));
    assert_eq!(hint.ruled_out[0].because, "0 loss episodes in 1000 segments");
    let seen = Run::warm(&normal).expect_one(&slow.with("cart", PEERS[0], |t| t.zero_window = 4));
    assert!(seen.confidence > hint.confidence);
}

#[test]
fn share_and_busy_time_below_their_limits_are_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    Run::warm(&normal).expect_silence(5, &limited(&normal, 499, 0, 1000));
    Run::warm(&normal).expect_one(&limited(&normal, 500, 0, 1000));
    let fifth = u64::from(HZ) * 10 / 5;
    Run::warm(&normal).expect_silence(5, &limited(&normal, fifth - 1, 0, fifth - 1));
    Run::warm(&normal).expect_one(&limited(&normal, fifth, 0, fifth));
}

#[test]
fn line_rate_bulk_at_the_peers_window_is_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let fast = limited(&normal, 900, 900, 1000).with("cart", PEERS[0], |t| t.bytes_acked = 500_000_000);
    Run::warm(&normal).expect_silence(20, &fast);
}

#[test]
fn send_buffer_blames_the_pod() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&limited(&normal, 0, 700, 1000));
    assert_eq!(verdict(&hint), ("pod_send_buffer_limited", BlameKind::Pod, "cart"));
    Run::warm(&normal).expect_silence(5, &limited(&normal, 0, 499, 1000));
}

#[test]
fn external_slow_reader_is_external() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.edge("cart", PEERS[0]).class = PeerClass::External;
    let hint = Run::warm(&normal).expect_one(&limited(&normal, 920, 0, 1000));
    assert_eq!(hint.blame.kind, BlameKind::External);
}
