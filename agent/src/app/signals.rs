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
pub(super) struct Starting(Arc<AtomicBool>);

impl Starting {
    pub(super) fn begin() -> io::Result<Self> {
        let is_starting = Arc::new(AtomicBool::new(true));
        for number in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(number, i32::from(Exit::Ok.code()), Arc::clone(&is_starting))?;
        }
        Ok(Self(is_starting))
    }

    /// From now on `signals` receive them.
    pub(super) fn end(self, _: &Signals) {
        self.0.store(false, Ordering::SeqCst);
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
