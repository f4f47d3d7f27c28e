//! SIGINT and SIGTERM as a flag that a program looks at, so that destructors run before it ends.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io::{self, PipeReader},
    os::fd::{IntoRawFd, RawFd},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    time::{Duration, Instant},
};

static REQUESTED: AtomicBool = AtomicBool::new(false);
static WAKE: AtomicI32 = AtomicI32::new(-1);
static WOKEN: OnceLock<PipeReader> = OnceLock::new();

/// First signal: raise the flag and wake sleepers. Second: end at once with the shell's code for an interruption.
extern "C" fn on_signal(signal: libc::c_int) {
    if REQUESTED.swap(true, Ordering::Relaxed) {
        // SAFETY: _exit is async-signal-safe.
        unsafe { libc::_exit(128 + signal) };
    }
    wake();
}

fn wake() {
    let fd: RawFd = WAKE.load(Ordering::Relaxed);
    // SAFETY: write is async-signal-safe; the descriptor was leaked by `install`, so it stays open (-1, before that, is
    // refused); the buffer is static.
    unsafe { libc::write(fd, c"!".as_ptr().cast(), 1) };
}

/// From now on SIGINT and SIGTERM no longer end the process but raise the flag. Calling it again does nothing.
pub fn install() -> io::Result<()> {
    if WOKEN.get().is_some() {
        return Ok(());
    }
    let (reader, writer) = io::pipe()?;
    if WOKEN.set(reader).is_err() {
        return Ok(());
    }
    WAKE.store(writer.into_raw_fd(), Ordering::Relaxed);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: an all-zero sigaction is valid; the handler only does async-signal-safe things.
        let rc = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as *const () as libc::sighandler_t;
            libc::sigaction(signal, &action, std::ptr::null_mut())
        };
        if rc != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Raises the flag without a signal.
pub fn request() {
    if REQUESTED.swap(true, Ordering::Relaxed) {
        return;
    }
    wake();
}

/// Whether one of them came.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Sleeps until `duration` is over or a stop is requested; true when it is.
pub fn sleep(duration: Duration) -> bool {
    let end = Instant::now() + duration;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if requested() || left.is_zero() {
            return requested();
        }
        match WOKEN.get() {
            Some(pipe) => {
                let timeout = Timespec::try_from(left).ok();
                // Nobody reads the byte: the pipe stays readable and wakes every sleeper. Errors (EINTR) just loop.
                let _ = poll(&mut [PollFd::new(pipe, PollFlags::IN)], timeout.as_ref());
            }
            None => std::thread::sleep(left),
        }
    }
}
