use crate::hints::testing::{
    Case,
    requests::{Lcg, Scene, every, quick},
};
use netwhy_abi::Role;

const PEERS: [&str; 2] = ["10.0.0.7", "10.0.0.8"];

fn scene() -> Scene {
    Scene::new(Case::mesh(&["cart"], &PEERS), ("cart", PEERS[0]), Role::Client)
}

/// Median and 99th percentile of the edge in normal times, ms.
fn usual_ms(scene: &Scene) -> (f64, f64) {
    let mut view = scene.run.view(&scene.case);
    scene.run.engine.add_baselines(&mut view, &scene.run.thresholds);
    let normal = view.edges.iter().find_map(|edge| edge.responses.as_ref()?.normal.clone()).unwrap();
    (normal.p50_us / 1e3, normal.p99_us.unwrap() / 1e3)
}

/// One request in five takes 200 ms.
fn slow(random: &mut Lcg) -> u32 {
    if random.once_in(5) { 200_000 } else { quick(random) }
}

#[test]
fn a_fault_that_is_not_named_yet_is_not_learned() {
    let mut scene = scene();
    scene.is_silent(120, 2, quick);
    scene.is_silent(20, 2, every(7, 200_000));
    assert!(usual_ms(&scene).1 < 2.0, "{:?}", usual_ms(&scene));
    // Nor later, when it has ended without a hint.
    scene.is_silent(60, 2, quick);
    assert!(usual_ms(&scene).1 < 2.0, "{:?}", usual_ms(&scene));
}

#[test]
fn an_honest_change_is_followed_within_minutes() {
    let mut scene = scene();
    scene.is_silent(60, 20, quick);
    // By so little that nobody notices.
    scene.is_silent(150, 20, |random| quick(random) + 3_000);
    assert!(usual_ms(&scene).0 > 3.5, "{:?}", usual_ms(&scene));
}

#[test]
fn what_a_load_step_excuses_becomes_normal_in_the_end() {
    let mut scene = scene();
    scene.is_silent(60, 5, quick);
    scene.is_silent(400, 30, slow);
    assert!(usual_ms(&scene).1 > 100.0, "{:?}", usual_ms(&scene));
}

#[test]
fn a_fault_with_a_hint_is_never_learned() {
    let mut scene = scene();
    scene.is_silent(60, 50, quick);
    scene.first_hint(8, 50, slow);
    for second in 0..300 {
        assert!(!scene.second(50, slow).is_empty(), "second {second}");
    }
    for _ in 0..80 {
        scene.second(50, quick);
    }
    assert!(usual_ms(&scene).1 < 2.0, "{:?}", usual_ms(&scene));
}
