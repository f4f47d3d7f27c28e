//! Entry points, one file per family of hooks. Each names the kernel function that calls it.

mod attempts;
mod connects;
mod dns;
mod drops;
mod listeners;
mod readers;
mod resets;
mod responses;
mod retransmits;
mod rtt;
mod sockets;
