//! The agent in machines that look like Nodes, which `cargo xtask vm --machine NAME` boots. Each module's tests run in the
//! machine of its name only, and change it as they like: it ends with them.
//!
//! ```text
//! node       an agent over the whole machine, cgroups, and connections that are made in them
//! preflight  the report of `netwhy-agent preflight`
//! ```

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests may")]

mod hardened;
mod large;
mod lockdown;
mod node;
mod preflight;
mod systemd;
mod v1;
