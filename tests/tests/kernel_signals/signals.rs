//! Signals to the program as process 1 of a container.

use crate::{
    bpf_objects::Objects,
    program::{command, get, patience},
    stage::{Stage, TRAFFIC, stage, wait_until},
};
use netwhy_tests::kept::Kept;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// CPU time after which a program that was just executed handles signals. The loader comes before, and a signal that
/// arrives meanwhile is lost to process 1. In a debug build that was still so after 10 ms on a busy machine.
const LOADING: Duration = Duration::from_millis(30);

/// The program as process 1 of a PID namespace. The kernel drops a signal for it that has no handler
/// (pid_namespaces(7)).
struct First {
    unshare: Kept,
    program: PathBuf,
    listen: SocketAddr,
}

impl First {
    fn start(stage: &Stage) -> Self {
        let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let agent = command(stage, &["--listen".as_ref(), listen.to_string().as_ref()]);
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "--kill-child"]).arg(agent.get_program()).args(agent.get_args());
        let program = fs::canonicalize(agent.get_program()).unwrap();
        let unshare = Kept::new(Path::new(TRAFFIC), unshare.spawn().unwrap()).unwrap();
        Self { unshare, program, listen }
    }

    /// The process. `None`: it is not there yet.
    fn process(&self) -> Option<Pid> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.unshare.id())).ok()?;
        Pid::from_raw(children.trim().parse().ok()?)
    }

    /// CPU time of the process since it executes the program (proc_pid_schedstat: ns on a CPU).
    fn cpu(&self) -> Option<Duration> {
        let place = Path::new("/proc").join(self.process()?.as_raw_pid().to_string());
        if fs::read_link(place.join("exe")).ok()? != self.program {
            return None;
        }
        let text = fs::read_to_string(place.join("schedstat")).ok()?;
        Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
    }

    /// Sends SIGTERM; returns the exit code. `None`: it did not end in time.
    fn terminate(self) -> Option<i32> {
        self.end_by(Signal::TERM)
    }

    /// Sends a signal; returns the exit code. `None`: it did not end in time.
    fn end_by(mut self, signal: Signal) -> Option<i32> {
        let process = self.process().unwrap();
        kill_process(process, signal).unwrap();
        let (sent, limit) = (Instant::now(), Duration::from_secs(6) * patience());
        let mut ended = self.unshare.try_wait().unwrap();
        while ended.is_none() && sent.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(10));
            ended = self.unshare.try_wait().unwrap();
        }
        if ended.is_none() {
            let _ = kill_process(process, Signal::KILL);
            self.unshare.wait().unwrap();
        }
        ended.and_then(|status| status.code())
    }
}

#[test]
fn sigterm_ends_process_1_while_it_starts() {
    let stage = stage!("a");
    let first = First::start(&stage);
    // It listens before it loads its programs, which takes much longer.
    wait_until("it listens", || TcpStream::connect(first.listen).is_ok());
    assert_eq!(first.terminate(), Some(0), "a clean stop");
}

#[test]
fn sigterm_ends_process_1_from_its_first_milliseconds_on() {
    let stage = stage!("a");
    for extra in [0, 0, 0, 0, 2, 5, 10, 20] {
        let first = First::start(&stage);
        // An emulated machine takes longer to load a program.
        let after = LOADING * patience() + Duration::from_millis(extra);
        let end = Instant::now() + Duration::from_secs(60);
        // A sleep would be too long.
        while first.cpu().is_none_or(|cpu| cpu < after) {
            assert!(Instant::now() < end, "the program runs");
        }
        assert_eq!(first.terminate(), Some(0), "after {after:?} of CPU time");
    }
}

#[test]
fn a_signal_ends_process_1_cleanly_once_it_is_ready() {
    let stage = stage!("a");
    for signal in [Signal::TERM, Signal::INT] {
        let first = First::start(&stage);
        wait_until("it is ready", || get(first.listen, "/readyz", "*/*").is_some_and(|(status, _)| status == 200));
        let objects = Objects::of(first.process().unwrap().as_raw_nonzero().get().unsigned_abs());
        assert!(objects.count() > 20, "{objects:?}");
        assert_eq!(first.end_by(signal), Some(0), "{signal:?}: a clean stop");
        wait_until("the kernel has none of its objects", || objects.left().is_empty());
    }
}
