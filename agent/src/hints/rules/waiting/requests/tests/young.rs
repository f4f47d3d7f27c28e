//! Few requests a second, and a baseline of seconds.

use super::{client, server, slow_once_in};
use crate::hints::testing::requests::{Lcg, every, quick};

/// Too few for a window alone, and so many beside what is known that the usual share is not certain.
#[test]
fn one_slow_request_in_fifteen_shows_beside_a_baseline_of_seconds() {
    for (mut scene, cause) in [(client(), "peer_slow"), (server(), "pod_application_slow")] {
        scene.is_silent(30, 10, quick);
        let mut draw = every(15, 200_000);
        let (after, hint) = scene.first_hint(40, 10, &mut draw);
        assert!(after >= 10, "{after} s");
        assert_eq!(hint.cause, cause);
        // It lasts, and is never as usual.
        for second in 0..60 {
            assert!(!scene.second(10, &mut draw).is_empty(), "{cause}, second {second}");
        }
        let clean = (1..30).find(|_| scene.second(10, quick).is_empty());
        assert!(clean.is_some_and(|seconds| seconds <= 17), "{clean:?}");
    }
}

#[test]
fn a_share_that_was_there_from_the_begin_is_silent() {
    for n in [2, 5, 10] {
        for once_in in [13, 20] {
            for mut scene in [client(), server()] {
                scene.is_silent(120, n, slow_once_in(once_in));
            }
        }
    }
}

/// All requests of 2 s in 10.
#[test]
fn bursts_of_delay_show_at_few_requests_and_hold_between() {
    for (mut scene, cause) in [(client(), "peer_slow"), (server(), "pod_application_slow")] {
        scene.is_silent(30, 5, quick);
        let mut requests = 0_u64;
        let mut draw = |random: &mut Lcg| {
            let second = requests / 5;
            requests += 1;
            if second % 10 < 2 { 150_000 } else { quick(random) }
        };
        let (_, hint) = scene.first_hint(30, 5, &mut draw);
        assert_eq!(hint.cause, cause);
        for second in 0..40 {
            assert!(!scene.second(5, &mut draw).is_empty(), "{cause}, second {second}");
        }
    }
}
