use super::*;
use rustix::process::{Signal, getpid, kill_process};
use std::time::Duration;
use tokio::time::timeout;

#[test]
fn a_stop_has_the_number_of_its_signal() {
    let expected = [Signal::INT, Signal::TERM, Signal::HUP].map(Signal::as_raw);
    assert_eq!(Stop::ALL.map(Stop::number), expected);
}

#[tokio::test]
async fn a_signal_that_was_asked_for_does_not_end_the_process() {
    let mut stops = Stops::receive(&[Stop::Terminate, Stop::HangUp]).unwrap();
    for signal in [Signal::HUP, Signal::TERM] {
        kill_process(getpid(), signal).unwrap();
        let got = timeout(Duration::from_secs(10), stops.next()).await;
        assert_eq!(got, Ok(signal.as_raw()));
    }
}
