//! The flight recorder: its status, and what it has.

use serde::{Deserialize, Serialize};

/// Status of the flight recorder. Counters are cumulative since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryStats {
    /// Why nothing is recorded now. `None`: it records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Most bytes of all segments: `history.max_mib`.
    pub max_bytes: u64,
    /// Segments in the folder.
    pub segments: u64,
    /// Wall clock of the oldest frame, ms since the Unix epoch. `None`: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_unix_ms: Option<u64>,
    /// Frames written.
    pub frames: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Time that frames took to be compressed and written, s.
    pub seconds: f64,
    /// Frames that could not be written.
    pub lost_frames: u64,
    /// Segments without a readable frame that a start found and removed.
    pub lost_segments: u64,
}

/// `/api/v1/history`: what the flight recorder has of a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// This Node.
    pub node: String,
    /// Recorded times, oldest first, RFC 3339.
    pub spans: Vec<Span>,
    /// Times in the range of which nothing is known, with the reason.
    pub gaps: Vec<Gap>,
}

/// A recorded time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First frame, RFC 3339.
    pub from: String,
    /// Last frame, RFC 3339.
    pub to: String,
}

/// A time of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// Its begin, RFC 3339.
    pub from: String,
    /// Its end, RFC 3339.
    pub to: String,
    /// Why.
    pub why: String,
}
