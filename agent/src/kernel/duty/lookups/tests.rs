use super::*;

/// A lookup share, and what each second of lookups at a rate makes of it.
struct Machine {
    share: LookupShare,
    now: Duration,
    begun: u64,
}

impl Machine {
    fn new(above: u64) -> Self {
        let mut share = LookupShare::new(above);
        share.follow(Duration::ZERO, 0);
        Self { share, now: Duration::ZERO, begun: 0 }
    }

    fn seconds(&mut self, seconds: u64, rate: u64) -> Observed {
        let mut observed = self.share.observed();
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            self.begun += rate / u64::from(observed.share);
            self.share.follow(self.now, self.begun);
            observed = self.share.observed();
        }
        observed
    }
}

#[test]
fn all_lookups_are_observed_until_they_are_many() {
    let mut machine = Machine::new(4_000);
    assert_eq!(machine.seconds(30, 3_900), Observed::ALL);
    assert_eq!(machine.seconds(5, 50_000).share, DNS_SHARE);
    // A share of them still shows how many there are.
    assert_eq!(machine.seconds(60, 50_000).share, DNS_SHARE);
    assert_eq!(machine.seconds(30, 1_000), Observed::ALL);
}

#[test]
fn lookups_of_sockets_that_are_left_out_end_within_the_longest_wait() {
    let mut machine = Machine::new(4_000);
    assert!(machine.seconds(5, 50_000).is_mixed);
    assert_eq!(machine.seconds(40, 50_000), Observed { share: DNS_SHARE, is_mixed: false });
}

#[test]
fn zero_always_observes_a_share() {
    assert_eq!(Machine::new(0).seconds(5, 0).share, DNS_SHARE);
}
