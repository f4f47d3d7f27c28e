use crate::{
    api::Hint,
    hints::testing::{Case, Run, firing},
    sample::Tally,
};
use netwhy_abi::Retransmit;

const PEERS: [&str; 2] = ["10.0.0.7", "10.0.0.8"];

/// Fast retransmissions of a window, of which the peer had so many already.
fn resend(tally: &mut Tally, fast: u64, needless: u64) {
    tally.retransmits[Retransmit::Fast as usize] = fast;
    tally.retransmits[Retransmit::Spurious as usize] = needless;
    tally.loss_episodes = fast / 2;
}

/// Connections that stay, of one Pod, and short ones, of another Pod, to one peer. Both have so many fast
/// retransmissions, and needless ones that are known.
fn resent(stay: (u64, u64), short: (u64, u64)) -> Case {
    let mut case = Case::mesh(&["stays", "short"], &PEERS);
    resend(case.tally("stays", PEERS[0]), stay.0, stay.1);
    resend(case.tally("short", PEERS[0]), short.0, short.1);
    case
}

fn normal() -> Case {
    Case::mesh(&["stays", "short"], &PEERS)
}

fn causes(case: &Case) -> Vec<(String, String)> {
    let name = |hint: &Hint| (hint.subject.name.clone(), hint.cause.clone());
    firing(&Run::warm(&normal()).ticks(3, case)).iter().map(name).collect()
}

fn loss_of(pods: &[&str]) -> Vec<(String, String)> {
    pods.iter().map(|pod| ((*pod).to_owned(), "path_loss".to_owned())).collect()
}

#[test]
fn resends_without_a_verdict_are_no_loss_where_those_beside_them_were_needless() {
    Run::warm(&normal()).expect_silence(8, &resent((40, 40), (30, 0)));
    Run::warm(&normal()).expect_silence(8, &resent((40, 31), (30, 10)));
}

/// 1 to 5 % of the segments, and a tenth to a fifth of them sent again for nothing.
#[test]
fn losses_at_random_with_some_verdicts_are_loss() {
    for lost in [20, 40, 100] {
        let mut hints = causes(&resent((lost, lost / 10), (lost, lost / 5)));
        hints.sort();
        assert_eq!(hints, loss_of(&["short", "stays"]), "{lost}");
    }
}

#[test]
fn more_resends_than_those_beside_them_are_loss() {
    assert_eq!(causes(&resent((40, 40), (80, 0))), loss_of(&["short"]));
}

#[test]
fn few_needless_ones_beside_excuse_nobody() {
    assert_eq!(causes(&resent((19, 19), (18, 0))), loss_of(&["short"]));
    // Of another peer.
    let mut other = resent((0, 0), (30, 0));
    resend(other.tally("stays", PEERS[1]), 40, 40);
    assert_eq!(causes(&other), loss_of(&["short"]));
}

#[test]
fn timers_that_had_to_fire_are_loss_beside_needless_resends() {
    let mut case = resent((40, 40), (30, 0));
    let tally = case.tally("short", PEERS[0]);
    tally.retransmits[Retransmit::Timeout as usize] = 2;
    tally.loss_episodes += 2;
    assert_eq!(causes(&case), loss_of(&["short"]));
}

/// Agents that hear of this edge must not count its losses either.
#[test]
fn edges_that_others_excuse_are_marked() {
    let run = Run::warm(&normal());
    let mut view = run.view(&resent((40, 40), (30, 0)));
    run.engine.add_baselines(&mut view, &run.thresholds);
    let excused: Vec<bool> = view.edges.iter().map(|edge| edge.usual.is_excused).collect();
    assert_eq!(excused, [true, false, true, false]);
}
