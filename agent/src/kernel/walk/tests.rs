use super::*;
use std::io;

fn pace() -> Pace {
    Pace { min_interval: Duration::from_secs(1), max_interval: Duration::from_secs(30), cpu_share: 0.003 }
}

#[test]
fn hz_is_known_only_after_half_a_second_of_jiffies() {
    let mut walker = Walker::new(pace());
    let at = |ktime_ns, jiffies| WalkSummary { ktime_ns, jiffies, ..WalkSummary::default() };
    walker.learn_hz(&at(0, 1_000));
    walker.learn_hz(&at(100_000_000, 1_025));
    assert_eq!(walker.hz, None);
    walker.learn_hz(&at(1_000_000_000, 1_250));
    assert_eq!(walker.hz, Some(250));
}

#[test]
fn time_that_a_thread_waits_is_none_of_a_walk() {
    let (begun, cpu) = (std::time::Instant::now(), cpu_time());
    // The wait is what is tested.
    std::thread::sleep(Duration::from_millis(200));
    let (waited, took) = (begun.elapsed(), cpu_time().saturating_sub(cpu));
    assert!(took < waited / 4, "{took:?} of {waited:?}");
    let work = std::time::Instant::now();
    while cpu_time() == cpu {
        assert!(work.elapsed() < Duration::from_secs(10), "the clock stands still");
    }
}

/// An iterator's file that answers once with this.
struct Once(Option<io::Result<Vec<u8>>>);

impl Read for Once {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.take().unwrap()?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

#[test]
fn a_pause_is_no_error_and_half_a_report_is_one() {
    let next = |answer| next_report(&mut Once(Some(answer)));
    assert!(next(Err(io::Error::from_raw_os_error(libc::EAGAIN))).unwrap().is_none());
    let words = [7u64, 8, 9, 10, 1].map(u64::to_ne_bytes).concat();
    let report = WalkSummary { ktime_ns: 7, jiffies: 8, sockets: 9, listeners: 10, is_end: 1 };
    assert_eq!(next(Ok(words.clone())).unwrap(), Some(report));
    for bytes in [&words[..39], &[]] {
        let error = next(Ok(bytes.to_vec())).unwrap_err().to_string();
        assert!(error.contains("task_file"), "{error}");
    }
    let error = format!("{:#}", next(Err(io::Error::from_raw_os_error(libc::E2BIG))).unwrap_err());
    assert!(error.contains("task_file") && error.contains("too long"), "{error}");
}
