//! SIGINT and SIGTERM.

use crate::config::Exit;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// While the agent starts, a signal ends the process at once. Without a handler, process 1 of a container would lose it
/// (pid_namespaces(7)). Nothing needs cleaning up: the kernel detaches the programs of a process that ends.
pub struct Starting {
    is_starting: Arc<AtomicBool>,
    /// Whether a signal has its default effect.
    is_default: Arc<AtomicBool>,
}

impl Starting {
    /// Handles the signals from now on. It is the first thing that the program does.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn begin() -> io::Result<Self> {
        let this = Self { is_starting: Arc::new(AtomicBool::new(true)), is_default: Arc::default() };
        for number in [SIGINT, SIGTERM] {
            flag::register_conditional_default(number, Arc::clone(&this.is_default))?;
            let code = i32::from(Exit::Ok.code());
            flag::register_conditional_shutdown(number, code, Arc::clone(&this.is_starting))?;
        }
        Ok(this)
    }

    /// For commands that run to their end: from now on a signal ends the process as if nothing handled it.
    pub fn stop_handling(&self) {
        self.is_default.store(true, Ordering::SeqCst);
    }

    /// From now on `signals` receive them.
    pub(super) fn end(self, _: &Signals) {
        self.is_starting.store(false, Ordering::SeqCst);
    }
}

/// Signals that stop the agent in an orderly way.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Receives signals from now on. It needs a runtime.
    pub(super) fn receive() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the first signal. A second one ends the process at once.
    pub(super) async fn shutdown(mut self) {
        self.next().await;
        tracing::info!("stopping");
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(i32::from(Exit::Failure.code()));
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
