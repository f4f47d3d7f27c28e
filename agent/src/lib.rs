//! netwhy's node agent as a library; modules stand in the order in which data flows through them.
//!
//! ```text
//! procfs, sysfs, netlink → node ┐
//! sampled first bytes → calls ┐
//! DNS answers → names ┐
//! kernel maps → kernel → sample::Snapshot → sample::Ledger/Frame → join(cgroup names) → state::NodeView → hints
//!               (or replay)   cumulative      differences, windows      pure                               pure
//! NodeView → metrics (at scrape time) ┐
//! NodeView → responses (/api/v1) ─────┴→ http → plugin (`kubectl netwhy`, of many Nodes) → people
//! edges of many Nodes → blame → people                      pure
//! API server → kube → pods, peers → join
//! NodeView.hints → publish → kube → Events and a Node condition, when switched on
//! ```
//! `text` escapes everything from outside on its way to people. `api` has the types of every JSON answer. `deadline`
//! makes reads that may hang on threads of their own. `system` has what differs between Linux, macOS and Windows. These
//! four import no other room. `clock` is the kernel programs' clock. `app` starts the tasks, `tick` is the writer of the
//! view.
//!
//! `calls`, `names`, `sample`, `baseline`, `join`, `hints`, `blame`, `pipeline` and `responses` read no clock, no file and no
//! environment: they get it as arguments, so that a recording replays to the same answer. Only `pods`, `peers`, `publish` and
//! `plugin` speak to an API server; `kube` is their connection. It also asks for `http` whose tokens may read what.

// Only `text` writes to stdout and stderr, escaped.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]
#![warn(clippy::too_many_arguments, clippy::too_many_lines)]
// Some of what the plugin's rooms offer serves rooms that only Linux has.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

pub mod text;
mod system;
mod clock;
pub mod api;
pub mod deadline;
pub mod config;
pub mod btf;
pub mod calls;
pub mod names;
#[cfg(all(feature = "ebpf", target_os = "linux"))]
pub mod kernel;
pub mod cgroup;
#[cfg(target_os = "linux")]
pub mod memory;
#[cfg(target_os = "linux")]
pub mod node;
pub mod kube;
pub mod peers;
pub mod pods;
pub mod sample;
pub mod close_up;
pub mod baseline;
pub mod join;
pub mod state;
pub mod hints;
pub mod blame;
pub mod pipeline;
pub mod history;
#[cfg(all(feature = "ebpf", target_os = "linux"))]
pub mod tick;
pub mod metrics;
pub mod dashboards;
pub mod responses;
pub mod http;
#[cfg(target_os = "linux")]
pub mod budget;
pub mod publish;
pub mod plugin;
pub mod tasks;
#[cfg(all(feature = "ebpf", target_os = "linux"))]
pub mod privileges;
#[cfg(all(feature = "ebpf", target_os = "linux"))]
pub mod app;
#[cfg(all(feature = "ebpf", target_os = "linux"))]
pub mod preflight;
pub mod replay;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
