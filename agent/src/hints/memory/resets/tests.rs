use super::{Moments, Resets, Seen};
use crate::hints::testing::requests::Lcg;
use std::time::Duration;

/// Chance that the rule asks for.
const RARE: f64 = 1e-3;

/// An edge, second by second.
#[derive(Default)]
struct Seconds {
    moments: Moments,
    at: u64,
    last_reset: Option<u64>,
    last_answer: Option<u64>,
}

impl Seconds {
    fn second(&mut self, cut: u64, answers: u64) {
        let since = |last: Option<u64>| last.map(|last| self.at - last);
        let was_well = since(self.last_reset).is_none_or(|s| s > 3) && since(self.last_answer).is_some_and(|s| s <= 3);
        let at = Duration::from_secs(100 + self.at);
        self.moments.observe(&Seen { at, new: Resets { cut, refused: 0 }, was_well, answers: answers as f64 });
        self.last_reset = if cut > 0 { Some(self.at) } else { self.last_reset };
        self.last_answer = if answers > 0 { Some(self.at) } else { self.last_answer };
        self.at += 1;
    }

    fn moments(&self) -> usize {
        self.moments.series(Duration::from_secs(99 + self.at)).map_or(0, |series| series.moments)
    }

    fn is_rare(&self) -> bool {
        self.moments() > 2 && self.moments.ln_pool() <= RARE.ln()
    }

    /// The second after which dead connections of a pool no longer explain the resets. `None`: they do for 150 s.
    fn rare_after(&mut self, cut: &[u64], answers: u64) -> Option<u64> {
        (0..150).find(|second| {
            let cut = cut[*second as usize % cut.len()];
            self.second(cut, if cut > 0 { 0 } else { answers });
            self.is_rare()
        })
    }
}

#[test]
fn dead_connections_of_a_pool_explain_the_resets_that_they_make() {
    for (size, pause) in [(3, 1), (3, 2), (8, 1), (8, 2), (20, 1), (20, 2)] {
        for seed in 0..40 {
            let (mut random, mut dead, mut edge) = (Lcg(seed), vec![true; size], Seconds::default());
            for second in 0..200 {
                if second % pause > 0 {
                    edge.second(0, 0);
                    continue;
                }
                let used = &mut dead[random.below(size as u64) as usize];
                let is_reset = std::mem::replace(used, false);
                edge.second(u64::from(is_reset), u64::from(!is_reset));
                assert!(!edge.is_rare(), "{size} connections, seed {seed}, second {second}");
            }
        }
    }
}

#[test]
fn they_do_not_explain_resets_that_come_again_and_again() {
    // One request a second, and five.
    assert_eq!(Seconds::default().rare_after(&[1, 0, 0, 0, 0, 0], 1), Some(36));
    assert_eq!(Seconds::default().rare_after(&[5, 5, 5, 0, 0, 0, 0, 0], 5), Some(16));
}

#[test]
fn moments_are_over_after_the_longest_pause_between_two() {
    let mut edge = Seconds::default();
    for cut in [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1] {
        edge.second(cut, u64::from(cut == 0));
    }
    assert_eq!(edge.moments(), 3);
    (0..6).for_each(|_| edge.second(0, 1));
    assert_eq!(edge.moments(), 3);
    edge.second(0, 1);
    assert_eq!(edge.moments(), 0);
}

#[test]
fn resets_without_answers_just_before_them_begin_no_moment() {
    let mut edge = Seconds::default();
    for _ in 0..10 {
        edge.second(1, 0);
        edge.second(0, 1);
        (0..5).for_each(|_| edge.second(0, 0));
    }
    assert_eq!(edge.moments(), 0);
}

#[test]
fn sums_that_rise_are_new_resets() {
    let resets = |cut, refused| Resets { cut, refused };
    // The window forgets old ones as new ones come.
    let growth = Resets::growth([resets(5, 1), resets(2, 0)], [resets(5, 3), resets(1, 0)]);
    assert_eq!(growth, resets(1, 0));
    assert_eq!(Resets::growth([resets(0, 4), resets(0, 4)], [resets(3, 0), resets(1, 0)]), resets(0, 4));
}
