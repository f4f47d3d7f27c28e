//! Arguments of `incidents` and `forecast`.

use super::When;
use clap::Args;
use std::time::Duration;

/// Arguments of `incidents`.
#[derive(Args, Clone, Debug)]
pub struct Incidents {
    /// End of the range that --since begins: 5h (ago), 03:12 (local time), or 2026-01-31T03:12:00Z
    #[arg(long, value_name = "TIME", value_parser = When::parse, allow_hyphen_values = true)]
    pub until: Option<When>,
}

/// Arguments of `forecast`.
#[derive(Args, Clone, Debug)]
pub struct Forecast {
    /// How far to look ahead, such as 24h or 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = super::since)]
    pub within: Duration,
}
