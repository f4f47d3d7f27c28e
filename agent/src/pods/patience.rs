//! How long an API server is waited for, and how often it is asked again.

use std::time::Duration;

/// Time limits towards the API server. The default is made for clusters with thousands of agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A connection attempt fails after this long.
    pub connect: Duration,
    /// A list that shows no progress for this long is begun anew.
    pub list: Duration,
    /// The API server is asked to end a watch after this many seconds, and it is resumed then: a connection that died
    /// silently is found out soon after. At 5,000 agents and the default that is 42 requests per second and resource.
    pub watch_seconds: u32,
    /// A watch that follows the one before it sooner than this waits as if that one had failed: a server, or a proxy
    /// before it, that ends every watch at once is not asked without a pause.
    pub brief: Duration,
    /// Wait after a first failure; it doubles with each further one, and up to as much again is added at random.
    pub first_wait: Duration,
    /// Longest wait before that random part.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            list: Duration::from_secs(60),
            watch_seconds: 120,
            brief: Duration::from_secs(5),
            first_wait: Duration::from_millis(800),
            longest_wait: Duration::from_secs(30),
        }
    }
}
