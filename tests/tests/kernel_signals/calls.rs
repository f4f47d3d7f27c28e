//! Methods, routes and statuses of HTTP calls, against what was really sent.
//!
//! ```text
//! scene      both ends' calls
//! sockets    shapes of HTTP over the test's own sockets
//! protocols  what is no HTTP, or no HTTP any more: no byte of it is copied
//! nginx      nginx, curl and wrk
//! grpc       a server and a client of gRPC
//! estimates  how many requests a sample stands for
//! shares     sampling that changes while connections live
//! secrets    what was sent beside method, path and status is nowhere
//! ```

mod estimates;
mod grpc;
mod nginx;
mod protocols;
mod scene;
mod secrets;
mod shares;
mod sockets;
