//! Response times against the clocks of the sockets' own ends.
//!
//! ```text
//! exchange   requests and answers with a clock at each step
//! accuracy   think times with and without loss: count, sum, quantiles, stages
//! protocols  what is no plain request and answer: streams, pushes, pipelining, half-closed sockets, TLS
//! ends       requests that nobody answers, short connections, gaps of observation
//! ```

mod accuracy;
mod ends;
mod exchange;
mod protocols;
mod tls;
