use crate::{
    hints::testing::{
        Case,
        requests::{Lcg, Scene, every, quick},
        times_of,
    },
    sample::Responses,
};
use netwhy_abi::Role;

const PEERS: [&str; 3] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"];

fn scenes() -> [Scene; 2] {
    [Role::Client, Role::Server].map(|role| Scene::new(Case::mesh(&["cart"], &PEERS), ("cart", PEERS[0]), role))
}

fn of_client() -> Scene {
    Scene::new(Case::mesh(&["cart"], &PEERS), ("cart", PEERS[0]), Role::Client)
}

/// Two polls a second among 22 requests. The others end, as at night, or when a batch is done.
#[test]
fn quick_requests_that_leave_slow_nothing() {
    for left in [2, 4] {
        for mut scene in scenes() {
            scene.is_silent(120, 22, every(11, 2_000_000));
            scene.is_silent(40, left, every(left / 2, 2_000_000));
        }
    }
}

#[test]
fn polls_that_take_longer_than_usual_are_slow_also_when_quick_requests_left() {
    for mut scene in scenes() {
        scene.is_silent(120, 22, every(11, 2_000_000));
        scene.first_hint(15, 2, |_| 8_000_000);
    }
}

#[test]
fn quick_requests_that_become_slow_beside_polls_are_seen() {
    for mut scene in scenes() {
        scene.is_silent(120, 22, every(11, 2_000_000));
        let mut polls = every(11, 2_000_000);
        scene.first_hint(12, 22, |random| if random.once_in(3) { 300_000 } else { polls(random) });
    }
}

/// 50 requests a second are usual, and half of 65 become slow: fewer are quick than usual.
#[test]
fn a_higher_load_hides_no_slowdown() {
    for mut scene in scenes() {
        scene.is_silent(300, 50, quick);
        let half = |random: &mut Lcg| if random.once_in(2) { 300_000 } else { quick(random) };
        scene.first_hint(8, 65, half);
        for second in 0..25 {
            assert!(!scene.second(65, half).is_empty(), "{second}");
        }
    }
}

/// Of 1 in 16 connections. By chance 15 % more requests than usual are in the sample, and all of them are quick.
#[test]
fn a_sample_that_varies_by_chance_hides_no_added_requests() {
    let second = |scene: &mut Scene, quick: u64, polls: u64| {
        let durations = times_of(&[(1_000, 16 * quick), (2_000_000, 16 * polls)]);
        let squares = 16 * durations.count();
        scene.stream.push(Responses { durations, squares, ..Responses::default() });
        scene.tick()
    };
    let mut scene = of_client();
    for _ in 0..60 {
        assert_eq!(second(&mut scene, 10, 0), vec![]);
    }
    for at in 0..20 {
        let hints = second(&mut scene, 11 + at % 2, 2);
        assert!(hints.is_empty(), "second {at}: {:?}", hints.iter().map(|h| &h.summary).collect::<Vec<_>>());
    }
}

#[test]
fn few_requests_make_no_hint_sure() {
    let slow = |random: &mut Lcg| 290_000 + random.below(9_000) as u32;
    let mut few = of_client();
    few.is_silent(12, 1, quick);
    few.first_hint(24, 1, slow);
    let of_few = (0..70).map(|_| few.second(1, slow)[0].confidence).fold(0.0, f64::max);
    assert!(of_few <= 0.8, "{of_few}");
    let mut many = of_client();
    many.is_silent(40, 50, quick);
    let fifth = |random: &mut Lcg| if random.once_in(5) { 200_000 } else { quick(random) };
    many.first_hint(8, 50, fifth);
    let of_many = (0..10).map(|_| many.second(50, fifth)[0].confidence).last().unwrap();
    assert!(of_many > of_few, "{of_many} {of_few}");
}
