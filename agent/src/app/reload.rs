//! Applies a changed configuration file.

use super::settings::metrics_options;
use crate::{
    config::{
        Config, ConfigFile, ReloadCounters, Reloaded,
        cli::{Cli, effective},
        reload,
    },
    metrics::MetricsOptions,
    tasks::Stopped,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{sync::watch, task::spawn_blocking};

/// Time between two reads of the configuration file.
const INTERVAL: Duration = Duration::from_secs(2);

/// The task that applies changes of the configuration file.
pub(super) struct Reload {
    pub(super) cli: Cli,
    /// `None`: there is no file.
    pub(super) file: Option<ConfigFile>,
    /// The configuration that the agent started with.
    pub(super) started: Arc<Config>,
    pub(super) config: watch::Sender<Arc<Config>>,
    pub(super) options: watch::Sender<MetricsOptions>,
    pub(super) counters: Arc<ReloadCounters>,
}

impl Reload {
    /// Reads the file every two seconds until stopped. Without a file, it only keeps both channels open.
    pub(super) async fn run(mut self, stopped: Stopped) -> anyhow::Result<()> {
        let mut stop = std::pin::pin!(stopped.wait());
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep(INTERVAL) => {}
            }
            let Some(file) = self.file.take() else { continue };
            // A file system that hangs delays this task alone, and not its stop.
            let (file, changed) = tokio::select! {
                () = &mut stop => return Ok(()),
                read = spawn_blocking(move || read(file)) => read?,
            };
            self.file = Some(file);
            match changed {
                None => {}
                Some(Ok(file)) => self.apply(file),
                Some(Err(errors)) => {
                    self.counters.failed.fetch_add(1, Ordering::Relaxed);
                    for line in errors.lines() {
                        tracing::error!("the configuration is unchanged: {line}");
                    }
                }
            }
        }
    }

    fn apply(&self, file: Config) {
        let new = effective(&self.cli, file);
        let Reloaded { config: new, restart } = reload(&self.started, &new);
        if !restart.is_empty() {
            tracing::warn!(keys = restart.join(", "), "configuration: these changes need a restart");
        }
        self.options.send_replace(metrics_options(&new));
        self.config.send_replace(Arc::new(new));
        self.counters.ok.fetch_add(1, Ordering::Relaxed);
        tracing::info!("the changed configuration applies");
    }
}

fn read(mut file: ConfigFile) -> (ConfigFile, Option<Result<Config, String>>) {
    let changed = file.changed();
    (file, changed)
}

#[cfg(test)]
mod tests;
