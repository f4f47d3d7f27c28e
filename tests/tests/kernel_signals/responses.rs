//! Response times against the clocks of the sockets' own ends.
//!
//! ```text
//! exchange   requests and answers with a clock at each step
//! accuracy   think times with and without loss: count, sum, quantiles, stages
//! protocols  what is no plain request and answer: streams, pushes, pipelining, half-closed sockets, TLS
//! busy       a part of the connections for all of them; ages of what waits
//! pace       a part of the exchanges of busy connections for all of them
//! pressure   the same near the memory limit
//! close_ups  cgroups that are exempt from that
//! ends       requests that nobody answers, short connections, gaps of observation
//! ```

mod accuracy;
mod busy;
mod close_ups;
mod ends;
mod exchange;
mod pace;
mod pressure;
mod protocols;
mod tls;
