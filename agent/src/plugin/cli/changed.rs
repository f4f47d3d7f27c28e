//! Arguments of `changed`.

use super::{super::model::Target, When};
use clap::Args;

/// Arguments of `changed`.
#[derive(Args, Clone, Debug)]
pub struct Changed {
    /// KIND/NAME, with the kind pod, deploy, sts, ds, job, svc or node; or NAME
    #[arg(value_name = "TARGET")]
    pub target: Target,
    /// Changes before then: 03:12 (local time), 2026-01-31T03:12:00Z, or -40m
    #[arg(
        long,
        value_name = "TIME",
        value_parser = When::parse,
        allow_hyphen_values = true,
    )]
    pub at: Option<When>,
}
