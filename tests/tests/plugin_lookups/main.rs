//! The real `kubectl-netwhy` against real agents in the laboratory, a real API server, a real terminal, and faulty
//! servers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests may")]

mod changed;
mod close_ups;
mod cluster;
mod completion;
mod control_plane;
mod differences;
mod fleet;
mod map;
mod mcp;
mod past;
mod prometheus;
mod pods;
mod reach;
mod reach_servers;
mod respond;
mod services;
mod shop;
mod strange;
mod tools;
mod top;
mod ui;
mod waterfall;
