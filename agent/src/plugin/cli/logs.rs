//! Arguments of `logs`.

use super::super::model::Target;
use clap::Args;

/// Arguments of `logs`.
#[derive(Args, Clone, Debug)]
pub struct LogsArgs {
    /// KIND/NAME, with the kind pod, deploy, sts, ds, job, svc or node; or NAME
    #[arg(value_name = "TARGET")]
    pub target: Target,
    /// Only containers of this name
    #[arg(short, long, value_name = "NAME")]
    pub container: Option<String>,
    /// Print new lines as they come, also those of restarted containers
    #[arg(short, long)]
    pub follow: bool,
    /// Newest lines of each container [default: all since --since, 10000 at most without it]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub tail: Option<u32>,
    /// Also the previous run of each container, however old; that of a container that restarted within the time is
    /// shown anyway
    #[arg(short, long)]
    pub previous: bool,
    /// Only the target, without the culprit's Pods: asks no agent
    #[arg(long)]
    pub no_culprit: bool,
}
