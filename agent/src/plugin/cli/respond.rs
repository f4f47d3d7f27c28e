//! Flags of `respond`.

use clap::{Args, ValueEnum, ValueHint};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Flags of `respond`.
#[derive(Args, Clone, Debug)]
pub struct Respond {
    /// Address of the webhook, with /livez and /metrics
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9813")]
    pub listen: SocketAddr,
    /// File with the bearer token that Alertmanager sends; without it everybody who reaches the address may post
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// File with the URL that gets the verdicts
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "alertmanagers")]
    pub post_url_file: Option<PathBuf>,
    /// Format of the verdicts
    #[arg(long, value_enum, default_value_t = Style::Text, value_name = "FORMAT")]
    pub format: Style,
    /// File with the JSON to post, with placeholders such as {{verdict}} in its texts; needs --format json
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "post_url_file")]
    pub template: Option<PathBuf>,
    /// URL of an Alertmanager whose alerts get the verdict as annotation; once for each replica
    #[arg(long = "alertmanager", value_name = "URL", id = "alertmanagers")]
    pub alertmanagers: Vec<String>,
    /// File with the authorities of https servers, in PEM [default: this machine's]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Most look-ups a minute; further alerts wait
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub max_per_minute: u16,
    /// Answer an alert that keeps firing again after this time
    #[arg(long, value_name = "TIME", default_value = "4h", value_parser = super::since)]
    pub again_after: Duration,
    /// Post only verdicts that name a cause
    #[arg(long)]
    pub only_causes: bool,
}

/// Formats of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// Plain text
    Text,
    /// Blocks for an incoming webhook of Slack
    Slack,
    /// JSON, or that of --template
    Json,
}
