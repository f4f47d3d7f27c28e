use super::*;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A read that answers with its request times ten.
fn quick() -> Read<u64, u64> {
    Box::new(|request| request * 10)
}

/// A read that hangs until something is sent.
fn hanging() -> (Sender<()>, Read<u64, u64>) {
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let read = move |request: &u64| {
        released.recv().unwrap();
        request * 10
    };
    (release, Box::new(read))
}

fn is_late(answer: &Answer<u64>) -> bool {
    matches!(answer, Answer::Late(_))
}

#[test]
fn all_reads_answer_each_request() {
    let mut reads = Reads::new("test", vec![quick(), quick()]);
    for request in 1..=3 {
        assert_eq!(reads.ask(&request), [Answer::Ready(request * 10), Answer::Ready(request * 10)]);
    }
}

#[test]
fn a_read_that_hangs_costs_its_own_answer_alone_and_answers_again_later() {
    let (release, hangs) = hanging();
    let mut reads = Reads::new("test", vec![quick(), hangs, quick()]);
    for request in 1..=3 {
        let answers = reads.ask(&request);
        assert_eq!((&answers[0], &answers[2]), (&Answer::Ready(request * 10), &Answer::Ready(request * 10)));
        assert!(is_late(&answers[1]), "{answers:?}");
    }
    release.send(()).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    // The late answer to the first request comes at some time; the next request hangs again.
    while reads.ask(&4)[1] != Answer::Ready(10) {
        assert!(Instant::now() < end);
    }
}

#[test]
fn only_the_first_request_waits_for_a_read_that_hangs() {
    let (_release, hangs) = hanging();
    let mut reads = Reads::new("test", vec![hangs]);
    let begun = Instant::now();
    assert!(is_late(&reads.ask(&1)[0]));
    assert!(begun.elapsed() >= FIRST_DEADLINE);
    let begun = Instant::now();
    for request in 2..=50 {
        assert!(is_late(&reads.ask(&request)[0]));
    }
    assert!(begun.elapsed() < DEADLINE * 10, "49 requests took {:?}", begun.elapsed());
    let Answer::Late(waited) = reads.ask(&51)[0] else { panic!("it hangs") };
    assert!(waited >= DEADLINE, "the time is that of the first request");
}

#[test]
fn all_may_hang_and_the_rest_answers() {
    let (releases, mut all): (Vec<_>, Vec<_>) = (0..5).map(|_| hanging()).unzip();
    all.push(quick());
    let mut reads = Reads::new("test", all);
    for _ in 0..2 {
        let answers = reads.ask(&1);
        assert!(answers[..5].iter().all(is_late), "{answers:?}");
        assert_eq!(answers[5], Answer::Ready(10));
    }
    drop(releases);
}

#[test]
fn a_slow_read_is_not_waited_for_again_and_still_answers() {
    let slow: Read<u64, u64> = Box::new(|request| {
        // It stands for a file that takes this long.
        thread::sleep(DEADLINE * 2);
        *request
    });
    let mut reads = Reads::new("test", vec![slow, quick()]);
    let mut answered = Vec::new();
    let end = Instant::now() + Duration::from_secs(60);
    while answered.len() < 3 {
        assert!(Instant::now() < end);
        let answers = reads.ask(&7);
        assert_eq!(answers[1], Answer::Ready(70));
        answered.extend(answers.into_iter().take(1).filter(|answer| *answer == Answer::Ready(7)));
    }
}

#[test]
fn a_read_that_panics_fails_and_is_asked_again() {
    let mut calls = 0;
    let panics: Read<u64, u64> = Box::new(move |request| {
        calls += 1;
        assert!(calls > 1, "the first call panics on purpose");
        *request
    });
    let mut reads = Reads::new("test", vec![panics, quick()]);
    assert_eq!(reads.ask(&5), [Answer::Failed, Answer::Ready(50)]);
    // Printing the panic may take long, and a slow read answers one request later.
    let end = Instant::now() + Duration::from_secs(60);
    while reads.ask(&6)[0] != Answer::Ready(6) {
        assert!(Instant::now() < end);
    }
}

#[test]
fn threads_end_with_the_reads() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let read: Read<u64, u64> = Box::new(move |request| {
        let _held = &held;
        *request
    });
    let mut reads = Reads::new("test", vec![read]);
    assert_eq!(reads.ask(&1), [Answer::Ready(1)]);
    let shared = Arc::downgrade(&reads.shared);
    drop(reads);
    let end = Instant::now() + Duration::from_secs(60);
    while shared.upgrade().is_some() {
        assert!(Instant::now() < end, "the thread holds what it shared");
        thread::yield_now();
    }
    assert_eq!(Arc::strong_count(&alive), 1);
}
