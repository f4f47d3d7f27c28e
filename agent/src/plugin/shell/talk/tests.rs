use super::*;

fn outcome(ended: Ended) -> Outcome {
    Outcome { ended, time: Duration::from_secs(5), bytes_in: 0, bytes_out: 0 }
}

#[test]
fn the_exit_code_is_the_commands() {
    let codes = [0, 3, 130, 255, 256, -1].map(|code| outcome(Ended::Remote(End::Exit(code))).exit_code());
    assert_eq!(codes, [Some(0), Some(3), Some(130), Some(255), Some(0), Some(255)]);
    assert_eq!(outcome(Ended::Remote(End::Exit(7))).code(), Some(7));
}

#[test]
fn other_ends_have_codes_of_their_own_or_fail() {
    let idle = outcome(Ended::Idle(Duration::from_secs(900)));
    assert_eq!((idle.exit_code(), idle.code(), idle.label()), (Some(124), None, "idle_timeout"));
    assert_eq!(idle.why(), "ended: nothing happened for 15m (idle timeout)");
    let max = outcome(Ended::MaxTime(Duration::from_secs(90)));
    assert_eq!((max.exit_code(), max.why().as_str()), (Some(124), "ended: a session lasts 90s at most"));
    assert_eq!(outcome(Ended::Signal(15)).exit_code(), Some(143));
    assert_eq!(outcome(Ended::Remote(End::Unread)).exit_code(), Some(0));
    for (ended, label, words) in [
        (Ended::Remote(End::NotRun("no such file".into())), "not_run", "did not run: no such file"),
        (Ended::Remote(End::Lost("reset".into())), "lost", "broke off: reset"),
        (Ended::Failed(Failure::new("forbidden", "ask")), "failed", "forbidden"),
    ] {
        let outcome = outcome(ended);
        assert_eq!((outcome.exit_code(), outcome.label()), (None, label));
        let failure = outcome.failure();
        assert!(failure.what.contains(words) && !failure.remedy.is_empty(), "{failure}");
    }
}

#[tokio::test]
async fn a_session_is_idle_without_keys_and_a_command_without_output_too() {
    let soon = Duration::from_millis(20);
    let pulse = Pulse::now();
    let end = |tty| tokio::time::timeout(Duration::from_millis(500), idle(Some(soon), &pulse, tty));
    pulse.output.set(Instant::now() + Duration::from_secs(60));
    assert!(end(true).await.is_ok(), "output keeps no shell open");
    assert!(end(false).await.is_err(), "but a command that writes is not idle");
    let never = tokio::time::timeout(soon, idle(None, &pulse, true));
    assert!(never.await.is_err());
}

#[tokio::test]
async fn a_session_lasts_no_longer_than_its_limit_from_its_begin_on() {
    let (soon, pulse) = (Duration::from_millis(20), Pulse::now());
    let begun = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
    let limits = Limits { idle: Some(Duration::from_secs(60)), max: Some(Duration::from_secs(1)) };
    let ended = tokio::time::timeout(soon, first_limit(limits, begun, &pulse, true)).await;
    assert_eq!(ended.unwrap(), Ended::MaxTime(Duration::from_secs(1)));
    let never = tokio::time::timeout(soon, first_limit(Limits::default(), begun, &pulse, true));
    assert!(never.await.is_err());
}
