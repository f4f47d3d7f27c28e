//! netwhy's laboratory: network namespaces as Nodes, cgroups as Pods, real TCP traffic between them, and real faults.
//!
//! ```text
//! lab::Lab ── lab::Net       one namespace per Node, joined by a bridge in a namespace of its own
//!          ├─ lab::Cgroups   <cgroup2 mount>/netwhy-lab-<pid>/<node>/<pod>
//!          └─ lab::Program   netwhy-traffic, started inside both; speaks one `report::Report` per line
//! lab::Shop = the standard small shop (3 Nodes, 7 Pods) · lab::Fault = what can be broken in it, and its healing
//! ```
//! Everything that a laboratory makes is named after its process and goes when it is dropped; what a killed process
//! left behind is swept by the next one. Machine-wide settings are never touched. All of it needs root.

pub mod browser;
pub mod built;
pub mod discovery;
pub mod faulty;
pub mod grpc;
pub mod helm;
pub mod histogram;
pub mod inbox;
pub mod kept;
pub mod kubernetes;
pub mod lab;
pub mod mcp;
pub mod ports;
pub mod prometheus;
pub mod report;
pub mod stop;
