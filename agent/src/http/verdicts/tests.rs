use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn peer(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

fn answered(answer: &Answer, verdict: Result<Verdict, String>) {
    answer.set(verdict).unwrap();
}

#[test]
fn a_verdict_counts_for_a_minute_and_for_its_token_alone() {
    let mut verdicts = Verdicts::default();
    let now = Instant::now();
    for (number, verdict) in
        [Verdict::Allowed, Verdict::Unauthenticated, Verdict::Forbidden { user: "u".into() }].into_iter().enumerate()
    {
        let token = key(&format!("token-{number}"));
        let first = verdicts.place(token, peer(1), now).unwrap();
        answered(&first, Ok(verdict.clone()));
        let again = verdicts.place(token, peer(2), now + 59 * SECOND).unwrap();
        assert_eq!(again.get(), Some(&Ok(verdict)), "also for another address");
        assert!(verdicts.place(token, peer(1), now + 60 * SECOND).unwrap().get().is_none(), "asked again");
    }
    assert!(verdicts.place(key("token"), peer(1), now).unwrap().get().is_none());
}

#[test]
fn requests_of_one_moment_share_a_question() {
    let mut verdicts = Verdicts::default();
    let now = Instant::now();
    let token = key("token");
    let first = verdicts.place(token, peer(1), now).unwrap();
    assert!(Arc::ptr_eq(&first, &verdicts.place(token, peer(2), now).unwrap()));
}

#[test]
fn a_failed_question_is_asked_again_after_a_second() {
    let mut verdicts = Verdicts::default();
    let now = Instant::now();
    let token = key("token");
    for round in 0..200 {
        let at = now + 2 * round * SECOND;
        let answer = verdicts.place(token, peer(1), at).unwrap();
        assert!(answer.get().is_none(), "round {round}");
        answered(&answer, Err("unreachable".into()));
        assert!(verdicts.place(token, peer(1), at + SECOND / 2).unwrap().get().is_some());
    }
}

#[test]
fn unknown_tokens_are_limited_per_address_and_minute() {
    let mut verdicts = Verdicts::default();
    let now = Instant::now();
    let mut ask = |number: usize, from: u8, at: Instant| {
        let answer = verdicts.place(key(&format!("guess-{from}-{number}")), peer(from), at)?;
        answer.set(Ok(Verdict::Unauthenticated)).unwrap();
        Some(())
    };
    let asked = (0..1000).filter_map(|number| ask(number, 1, now)).count();
    assert_eq!(asked, UNKNOWN_PER_PEER);
    assert!(ask(0, 2, now).is_some(), "another address has a share of its own");
    assert!(ask(5000, 1, now + 59 * SECOND).is_none());
    assert!(ask(5000, 1, now + 60 * SECOND).is_some(), "after a minute");
}

#[test]
fn guesses_from_many_addresses_displace_no_allowed_token_and_shut_nobody_out() {
    let mut verdicts = Verdicts::default();
    let now = Instant::now();
    let known = key("prometheus");
    answered(&verdicts.place(known, peer(1), now).unwrap(), Ok(Verdict::Allowed));
    let mut asked = 0;
    for minute in 0..3_u32 {
        let at = now + minute * 60 * SECOND;
        for from in 2..100 {
            for number in 0..20 {
                let guess = key(&format!("guess-{minute}-{from}-{number}"));
                let Some(answer) = verdicts.place(guess, peer(from), at) else { continue };
                let _ = answer.set(Ok(Verdict::Unauthenticated));
                asked += 1;
            }
        }
        assert!(verdicts.entries.len() <= CAPACITY);
        let answer = verdicts.place(known, peer(1), at + 30 * SECOND).expect("an allowed token keeps its place");
        if answer.get().is_none() {
            answered(&answer, Ok(Verdict::Allowed));
        }
        let new = key(&format!("new-{minute}"));
        assert!(verdicts.place(new, peer(200), at + SECOND).is_some(), "a first question has a place");
    }
    // 64 questions a minute, and one of each address that has none.
    assert!(asked <= 3 * (UNKNOWN + 98), "{asked}");
}
