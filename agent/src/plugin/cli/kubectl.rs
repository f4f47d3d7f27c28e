//! Flags of kubectl, with its meaning: they override the kubeconfig.

use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Flags that override the context's cluster and user.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Flags of kubectl")]
pub struct Kubectl {
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER", hide_short_help = true)]
    pub as_user: Option<String>,
    /// Group to impersonate; can be repeated
    #[arg(long, global = true, value_name = "GROUP", hide_short_help = true)]
    pub as_group: Vec<String>,
    /// UID to impersonate
    #[arg(long, global = true, value_name = "UID", hide_short_help = true)]
    pub as_uid: Option<String>,
    /// Bearer token for the API server
    #[arg(long, global = true, value_name = "TOKEN", hide_short_help = true)]
    pub token: Option<String>,
    /// Address of the API server
    #[arg(
        short,
        long,
        global = true,
        value_name = "URL",
        hide_short_help = true,
        conflicts_with_all = ["contexts", "all_contexts"],
    )]
    pub server: Option<String>,
    /// Cluster of the kubeconfig
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        hide_short_help = true,
        conflicts_with_all = ["contexts", "all_contexts"],
    )]
    pub cluster: Option<String>,
    /// User of the kubeconfig
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub user: Option<String>,
    /// Certificates of the authorities that the API server's certificate must come from
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub certificate_authority: Option<PathBuf>,
    /// Client certificate
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub client_certificate: Option<PathBuf>,
    /// Key of the client certificate
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub client_key: Option<PathBuf>,
    /// Accept every certificate of the API server
    #[arg(
        long,
        global = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_name = "true|false",
        hide_short_help = true,
        conflicts_with = "certificate_authority",
    )]
    pub insecure_skip_tls_verify: Option<bool>,
    /// Name that the API server's certificate must have [default: the host of its URL]
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub tls_server_name: Option<String>,
}
