//! SIGINT and SIGTERM.

use crate::config::Exit;
use tokio::signal::unix::SignalKind;

/// Waits for the first SIGINT or SIGTERM. A second one ends the process at once.
pub(super) async fn shutdown() {
    interrupted().await;
    tracing::info!("stopping");
    tokio::spawn(async {
        interrupted().await;
        std::process::exit(i32::from(Exit::Failure.code()));
    });
}

async fn interrupted() {
    tokio::select! {
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::terminate()) => {}
    }
}

async fn received(kind: SignalKind) {
    match tokio::signal::unix::signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => {
            tracing::error!(%error, "can't install a signal handler: stop the agent with SIGKILL");
            std::future::pending::<()>().await;
        }
    }
}
