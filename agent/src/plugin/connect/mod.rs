//! Connections to API servers as kubectl makes them.
//!
//! ```text
//! files ─► choice ─► client ─► dial ─► hop      kubeconfig and flags; TCP, proxies and TLS
//!                      ├─► tls ─► trust         certificates
//!                      └─► credentials ─► exec  tokens and credential plugins
//! proxy: which proxy, if any; web: requests to other servers
//! ```
//! kube's own client runs a credential plugin several times and without a time limit. It matches `NO_PROXY` with the
//! proxy's host, and refuses client certificates of X.509 version 1. So this module builds its own.

mod choice;
mod client;
mod credentials;
mod dial;
mod exec;
mod files;
mod hop;
mod proxy;
mod tls;
mod trust;
mod web;

pub(super) use choice::{choose, in_cluster};
pub(super) use client::client;
pub(super) use dial::DialError;
pub(super) use files::read;
pub(super) use web::{Asked, Reply, Web};
