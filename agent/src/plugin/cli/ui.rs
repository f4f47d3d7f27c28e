//! Flags of `ui`.

use clap::Args;

/// The page and its listener.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct Ui {
    /// Port on loopback; 0: any free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// Print the URL and open no browser
    #[arg(long)]
    pub no_browser: bool,
}
