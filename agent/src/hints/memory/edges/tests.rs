use crate::hints::testing::{Case, Run, lossy, rtts};
use netwhy_abi::Retransmit;

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// 0.15 % is below the limit, and does not become normal at once.
#[test]
fn odd_losses_that_are_no_hint_yet_stay_out_of_the_baseline() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let mut run = Run::warm(&normal);
    let odd = |episodes| {
        let mut case = normal.clone();
        case.edges.iter_mut().for_each(|e| e.window.data_segs_out = 3000);
        lossy(&case, &["cart", "payment"], &PEERS, episodes)
    };
    run.expect_silence(60, &odd(5));
    let hint = run.ticks(3, &odd(20)).remove(0);
    assert_eq!(hint.cause, "node_packet_loss");
    let usual = hint.evidence[0].baseline.unwrap();
    assert!(usual < 3e-4, "{usual}");
    // After minutes it becomes normal.
    run = Run::warm(&normal);
    run.expect_silence(1200, &odd(5));
    let hint = run.ticks(3, &odd(40)).remove(0);
    assert!(hint.evidence[0].baseline.unwrap() > 1e-3, "{hint:?}");
}

/// Judgement over many Nodes must skip the edges that are not judged here.
#[test]
fn losses_that_say_nothing_about_the_path_are_marked() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let excused = |case: &Case| -> Vec<bool> {
        let run = Run::warm(&normal);
        let mut view = run.view(case);
        run.engine.add_baselines(&mut view, &run.thresholds);
        view.edges.iter().map(|edge| edge.usual.is_excused).collect()
    };
    let lost = lossy(&normal, &["cart"], &PEERS[..1], 20);
    assert_eq!(excused(&lost), [false; 4]);
    let overtaken = lost.with("cart", PEERS[0], |t| t.retransmits[Retransmit::Spurious as usize] = 15);
    assert_eq!(excused(&overtaken), [true, false, false, false]);
    let own_queue = lost.with("cart", PEERS[0], |t| {
        (t.data_segs_out, t.bytes_acked) = (20_000, 28_000_000);
        t.rtt = rtts(&[(12_000, 500)]);
    });
    assert_eq!(excused(&own_queue), [true, false, false, false]);
}

/// One episode on each of many edges: each alone may be chance.
#[test]
fn losses_that_are_odd_together_stay_out_of_the_baseline() {
    let pods = ["a", "b", "c", "d", "e", "f"];
    let normal = Case::mesh(&pods, &PEERS[..2]);
    let usual = |run: &Run| {
        let mut view = run.view(&normal);
        run.engine.add_baselines(&mut view, &run.thresholds);
        view.edges[0].usual.loss_ratio.unwrap()
    };
    let together = lossy(&normal, &pods, &PEERS[..1], 1);
    let mut run = Run::warm(&normal);
    run.expect_silence(20, &together);
    assert!(usual(&run) < 1.2e-4, "{}", usual(&run));
    // One alone is normal.
    let mut run = Run::warm(&normal);
    run.expect_silence(20, &lossy(&normal, &pods[..1], &PEERS[..1], 1));
    assert!(usual(&run) > 1.5e-4, "{}", usual(&run));
    // After minutes it becomes normal.
    let mut run = Run::warm(&normal);
    run.expect_silence(1200, &together);
    assert!(usual(&run) > 5e-4, "{}", usual(&run));
}
