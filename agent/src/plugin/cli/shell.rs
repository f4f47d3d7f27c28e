//! Arguments of `shell`.

use super::{super::model::Target, since};
use clap::{Args, ValueHint};
use std::{path::PathBuf, time::Duration};

/// Arguments of `shell`.
#[derive(Args, Clone, Debug)]
pub struct ShellArgs {
    /// pod/NAME, or NAME
    #[arg(value_name = "POD")]
    pub target: Target,
    /// Container [default: the Pod's annotation kubectl.kubernetes.io/default-container, else its first]
    #[arg(short, long, value_name = "NAME")]
    pub container: Option<String>,
    /// No terminal in the container, even where there is one here
    #[arg(long)]
    pub no_tty: bool,
    /// Do not read stdin
    #[arg(long)]
    pub no_stdin: bool,
    /// End after so long without a key, such as 15m; without a terminal, without input and output
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub idle_timeout: Option<Duration>,
    /// End after so long, such as 1h
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub max_time: Option<Duration>,
    /// Record what is shown to a new file, as asciicast v2
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub record: Option<PathBuf>,
    /// Command and its arguments [default: bash, else sh]
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}
