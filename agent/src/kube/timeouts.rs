//! Time limits and backoff towards the API server.

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;

/// Time limits and backoff. The defaults suit clusters with thousands of agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Longest connection attempt.
    pub connect: Duration,
    /// A list without progress for this long is started again.
    pub list: Duration,
    /// The API server ends a watch after this many seconds, and the agent resumes it. A connection that died silently
    /// is noticed soon after. With 5,000 agents the default makes 42 requests per second and resource.
    pub watch_seconds: u32,
    /// A watch that lasted less than this counts as a failure for the backoff. It protects a server, or a proxy before
    /// it, that ends every watch at once.
    pub min_watch: Duration,
    /// Backoff after a first failure. It doubles with each further failure. Jitter adds up to as much again.
    pub first_backoff: Duration,
    /// Longest backoff before jitter.
    pub max_backoff: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            list: Duration::from_secs(60),
            watch_seconds: 120,
            min_watch: Duration::from_secs(5),
            first_backoff: Duration::from_millis(800),
            max_backoff: Duration::from_secs(30),
        }
    }
}

impl Timeouts {
    /// A fresh exponential backoff with jitter. It never ends.
    pub(super) fn backoff(&self) -> ExponentialBackoff {
        let waits = ExponentialBuilder::new().with_min_delay(self.first_backoff).with_max_delay(self.max_backoff);
        waits.with_factor(2.0).with_jitter().without_max_times().build()
    }
}
