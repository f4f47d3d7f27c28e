use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, verdict},
};
use netwhy_abi::{ListenDrop, Retransmit};

/// A server of which the kernel dropped this many SYNs, with SYN-ACKs sent again and completed handshakes.
fn full(normal: &Case, (dropped, resent, completed): (u64, u64, u64)) -> Case {
    let mut case = normal.clone();
    let server = case.subject("api");
    server.window_connects.listen_drops[ListenDrop::SynQueueFull as usize] = dropped;
    server.window.retransmits[Retransmit::SynAck as usize] = resent;
    server.window.connects[1] = completed;
    case
}

fn normal() -> Case {
    Case::mesh(&["api"], &["10.0.0.7"])
}

#[test]
fn handshakes_that_never_finish_blame_their_senders_and_not_the_process() {
    let hint = Run::warm(&normal()).expect_one(&full(&normal(), (1900, 600, 4)));
    assert_eq!(verdict(&hint), ("syn_queue_full", BlameKind::Clients, "senders of SYNs"));
    assert!(hint.summary.contains("dropped 1900 SYNs"), "{}", hint.summary);
    assert!(hint.summary.ends_with("its process accepts in time"), "{}", hint.summary);
    assert_eq!(hint.ruled_out[0].cause, "pod_accept_queue_full");
}

#[test]
fn a_burst_of_clients_that_finish_blames_the_pods_small_queue() {
    let hint = Run::warm(&normal()).expect_one(&full(&normal(), (40, 3, 200)));
    assert_eq!(verdict(&hint), ("syn_queue_full", BlameKind::Pod, "api"));
    // A flood beside many clients.
    let hint = Run::warm(&normal()).expect_one(&full(&normal(), (40, 60, 200)));
    assert_eq!(hint.blame.kind, BlameKind::Clients);
}

#[test]
fn fewer_dropped_syns_than_the_threshold_are_silent() {
    let mut run = Run::warm(&normal());
    run.expect_silence(5, &full(&normal(), (9, 30, 0)));
    run.expect_one(&full(&normal(), (10, 30, 0)));
}

#[test]
fn deferred_and_aborted_handshakes_are_silent() {
    let mut case = normal();
    case.subject("api").window_connects.listen_drops[ListenDrop::Deferred as usize] = 500;
    case.subject("api").window_connects.listen_drops[ListenDrop::Aborted as usize] = 500;
    Run::warm(&normal()).expect_silence(5, &case);
}

#[test]
fn a_full_accept_queue_is_the_reason_for_a_full_syn_queue() {
    let mut case = full(&normal(), (500, 100, 0));
    case.subject("api").window_connects.accept_full = 1;
    assert_eq!(Run::warm(&normal()).expect_one(&case).cause, "pod_accept_queue_full");
}
