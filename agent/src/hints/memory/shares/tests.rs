use super::*;
use crate::hints::testing::{healthy, requests::Lcg};

const WINDOW: Duration = Duration::from_secs(10);
/// A third of the segments is on lossy connections.
const SHARE: u64 = 3;

/// An edge, second by second, with three losses in each.
struct Seconds {
    memory: ShareMemory,
    walks: Walks,
    /// Of the losses of each second those on lossy connections.
    again: Vec<u64>,
}

impl Seconds {
    fn new() -> Self {
        Self { memory: ShareMemory::default(), walks: Walks::default(), again: Vec::new() }
    }

    /// Evidence after one more second.
    fn second(&mut self, again: u64) -> f64 {
        self.again.push(again);
        let at = Duration::from_secs(100 + self.again.len() as u64);
        self.walks.observe(Some(at));
        let mut edge = healthy("cart", "10.0.0.7");
        let again = self.again.iter().rev().take(10).sum::<u64>();
        (edge.window.repeated_episodes, edge.window.loss_episodes) = (again, 30);
        (edge.window.data_segs_out, edge.window.segs_after_loss) = (900, 900 / SHARE);
        edge.window.lossy_sockets = 100;
        let since = Some(Duration::from_secs(100));
        self.memory.observe(&edge, since, (at, WINDOW), &self.walks);
        let newest = LossShare::new(&edge, since, (at, WINDOW), &self.walks);
        self.memory.earlier(since) + newest.map_or(0.0, |share| share.nats())
    }
}

#[test]
fn windows_that_share_no_moment_add_up() {
    let mut seconds = Seconds::new();
    let all: Vec<f64> = (0..41).map(|at| seconds.second(2 + at % 2)).collect();
    // The first whole window ends after 10 s.
    let one = all[9];
    assert!(one > 10.0, "{one}");
    for (at, windows) in [(10, 1.0), (18, 1.0), (19, 2.0), (28, 2.0), (29, 3.0), (39, 4.0)] {
        assert!((all[at] / one - windows).abs() < 0.1, "{at}: {} {one}", all[at]);
    }
}

/// However long all connections lose alike. The bound of such a sum has this mean time between two false alarms.
#[test]
fn losses_of_all_connections_alike_add_up_to_nothing() {
    let mut most = 0.0_f64;
    for seed in 0..20 {
        let (mut random, mut seconds) = (Lcg(seed), Seconds::new());
        for _ in 0..400 {
            let again = (0..3).filter(|_| random.once_in(SHARE)).count() as u64;
            most = most.max(seconds.second(again));
        }
    }
    // 800 windows: e^6.7.
    assert!(most < 10.0, "{most}");
}

#[test]
fn losses_that_were_usual_meanwhile_are_another_fault() {
    let mut seconds = Seconds::new();
    for _ in 0..35 {
        seconds.second(3);
    }
    let memory = seconds.memory;
    assert!(memory.earlier(Some(Duration::from_secs(100))) > 20.0);
    assert_eq!(memory.earlier(Some(Duration::from_secs(120))), 0.0);
}
