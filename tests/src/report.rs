//! The output of `netwhy-traffic`: one JSON object per line, one line per second, and a last one at the end.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Subcommand.
    pub program: String,
    /// Time since the start, s.
    pub seconds: f64,
    /// True on the last line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
    /// Port that is listened on. `None`: doesn't listen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Since the line before.
    pub interval: Counts,
    /// Since the start.
    pub total: Counts,
    /// Latency of requests since the line before; it includes the connect of a new connection. `None`: none ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Counts of one subcommand; zeros are left out of the JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Requests answered.
    #[serde(skip_serializing_if = "is_zero")]
    pub requests: u64,
    /// Connections opened or accepted.
    #[serde(skip_serializing_if = "is_zero")]
    pub connects: u64,
    /// Failures, by kind.
    #[serde(skip_serializing_if = "Failures::is_zero")]
    pub failures: Failures,
    /// Payload bytes written.
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_sent: u64,
    /// Payload bytes read.
    #[serde(skip_serializing_if = "is_zero")]
    pub bytes_received: u64,
    /// Frames passed on (`forward`).
    #[serde(skip_serializing_if = "is_zero")]
    pub frames: u64,
    /// Frames dropped on purpose (`forward --loss`).
    #[serde(skip_serializing_if = "is_zero")]
    pub frames_lost: u64,
    /// Frames that could not be passed on (`forward`).
    #[serde(skip_serializing_if = "is_zero")]
    pub frames_refused: u64,
}

/// Failed connects and requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failures {
    /// RST in answer to a SYN.
    #[serde(skip_serializing_if = "is_zero")]
    pub refused: u64,
    /// RST on an established connection, or closed by the peer within a request.
    #[serde(skip_serializing_if = "is_zero")]
    pub reset: u64,
    /// No answer in time.
    #[serde(skip_serializing_if = "is_zero")]
    pub timed_out: u64,
    /// No route, or no neighbour.
    #[serde(skip_serializing_if = "is_zero")]
    pub unreachable: u64,
    /// Anything else.
    #[serde(skip_serializing_if = "is_zero")]
    pub other: u64,
}

impl Failures {
    /// All kinds.
    pub const fn sum(&self) -> u64 {
        self.refused + self.reset + self.timed_out + self.unreachable + self.other
    }

    fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// Quantiles, µs; each within 1.6 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Lowest.
    pub min_us: u64,
    /// Median.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// Highest.
    pub max_us: u64,
}
