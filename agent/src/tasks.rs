//! Named, supervised tasks: when one ends, the process ends.

use anyhow::Context as _;
use std::{future::Future, time::Duration};
use tokio::{
    sync::watch,
    task::{Id, JoinSet},
};

/// Stops every task that holds a [`Stopped`]. Dropping it does the same.
pub struct Stop(watch::Sender<bool>);

/// Tells a task when to stop.
#[derive(Clone)]
pub struct Stopped(watch::Receiver<bool>);

impl Stop {
    /// A connected pair.
    pub fn new() -> (Self, Stopped) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stopped(receiver))
    }

    /// Stops the tasks.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stopped {
    /// Waits until the task must stop.
    pub async fn wait(mut self) {
        // An error means that the sender was dropped, which is a stop too.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }

    /// Whether the task must stop.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

/// Tasks of this process.
#[derive(Default)]
pub struct Tasks {
    set: JoinSet<anyhow::Result<()>>,
    /// Those that have not ended.
    names: Vec<(Id, &'static str)>,
}

impl Tasks {
    /// Runs a future as a task.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let handle = self.set.spawn(task);
        self.names.push((handle.id(), name));
    }

    /// Runs a function on its own thread. It must check [`Stopped`] itself.
    pub fn spawn_blocking(&mut self, name: &'static str, task: impl FnOnce() -> anyhow::Result<()> + Send + 'static) {
        let handle = self.set.spawn_blocking(task);
        self.names.push((handle.id(), name));
    }

    /// Waits for `shutdown` or for the first task that ends. Then stops the others and waits for them, at most `grace`.
    ///
    /// # Errors
    /// The first task's failure. A task that ended too early or did not stop in time is a failure too.
    pub async fn supervise(
        mut self,
        stop: Stop,
        shutdown: impl Future<Output = ()>,
        grace: Duration,
    ) -> anyhow::Result<()> {
        let mut result = tokio::select! {
            () = shutdown => Ok(()),
            ended = self.set.join_next_with_id() => match ended {
                None => Ok(()),
                Some(ended) => {
                    let (name, outcome) = self.outcome(ended);
                    Err(outcome.err().unwrap_or_else(|| anyhow::anyhow!("it ended without a stop")).context(format!("task {name} ended")))
                }
            },
        };
        stop.stop();
        let drain = async {
            let mut first = Ok(());
            while let Some(ended) = self.set.join_next_with_id().await {
                let (name, outcome) = self.outcome(ended);
                if first.is_ok() {
                    first = outcome.with_context(|| format!("task {name} failed while stopping"));
                }
            }
            first
        };
        match tokio::time::timeout(grace, drain).await {
            Ok(drained) if result.is_ok() => result = drained,
            Ok(_) => {}
            Err(_) if result.is_ok() => {
                let names: Vec<&str> = self.names.iter().map(|(_, name)| *name).collect();
                result = Err(anyhow::anyhow!("tasks did not stop within {} s: {}", grace.as_secs(), names.join(", ")));
            }
            Err(_) => {}
        }
        result
    }

    fn outcome(
        &mut self,
        ended: Result<(Id, anyhow::Result<()>), tokio::task::JoinError>,
    ) -> (&'static str, anyhow::Result<()>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Err(anyhow::anyhow!("{error}"))),
        };
        let at = self.names.iter().position(|(own, _)| *own == id);
        (at.map_or("?", |at| self.names.swap_remove(at).1), outcome)
    }
}

#[cfg(test)]
mod tests;
