use crate::hints::testing::{
    Case, Run, firing,
    requests::{Lcg, Scene, Stream, quick},
};
use netwhy_abi::Role;

const PEERS: [&str; 3] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"];

fn scene(role: Role) -> Scene {
    Scene::new(Case::mesh(&["cart"], &PEERS), ("cart", PEERS[0]), role)
}

/// The agent has seen a few requests, when all of them become slow.
#[test]
fn the_first_requests_are_a_reference_for_the_next() {
    let slow = |random: &mut Lcg| 290_000 + random.below(9_000) as u32;
    for (seconds, n, within) in [(10, 1, 24), (16, 1, 16), (12, 3, 8)] {
        for (role, cause) in [(Role::Client, "peer_slow"), (Role::Server, "pod_application_slow")] {
            let mut scene = scene(role);
            scene.is_silent(seconds, n, quick);
            assert_eq!(scene.first_hint(within, n, slow).1.cause, cause, "{seconds} s, {n} per second");
        }
    }
}

/// Three clients here ask one server once a second each. Gives the second of the first hint, within 20. From second 13 on
/// those are slow that `is_slow` accepts.
fn three_sparse_clients(is_slow: impl Fn(usize) -> bool) -> Option<u64> {
    let pods = ["cart", "mail", "stock"];
    let (mut case, mut run, mut random) = (Case::mesh(&pods, &PEERS), Run::new(), Lcg(7));
    let mut streams: [Stream; 3] = Default::default();
    (1..=20_u64).find(|second| {
        for (at, stream) in streams.iter_mut().enumerate() {
            let us = if *second > 12 && is_slow(at) { 290_000 } else { quick(&mut random) };
            stream.second(Role::Client, &[us], 100);
            let edge = case.edge(pods[at], PEERS[0]);
            (edge.role, edge.port, edge.responses) = (Some(Role::Client), 80, Some(Box::new(stream.view())));
        }
        run.window_ms = 1_000 * (*second).min(10);
        !firing(&run.tick(&case)).is_empty()
    })
}

#[test]
fn clients_of_one_server_are_judged_together_while_little_is_known() {
    assert!(three_sparse_clients(|_| true).is_some());
    assert_eq!(three_sparse_clients(|at| at == 0), None, "one alone needs more time");
    assert_eq!(three_sparse_clients(|at| at < 2), None, "the third is as fast as ever");
}

/// Requests that become slow while a baseline is young don't become normal.
#[test]
fn the_begin_of_a_fault_is_not_learned() {
    let mut scene = scene(Role::Client);
    scene.is_silent(30, 1, quick);
    scene.first_hint(12, 1, |_| 290_000);
    for _ in 0..40 {
        assert!(!scene.second(1, |_| 290_000).is_empty());
    }
    let mut view = scene.run.view(&scene.case);
    scene.run.engine.add_baselines(&mut view, &scene.run.thresholds);
    let normal = view.edges[0].responses.as_ref().unwrap().normal.clone().unwrap();
    assert!(normal.mean_us() < 2_000.0, "{normal:?}");
}
