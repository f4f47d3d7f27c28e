//! Root-cause hints: what the window's numbers mean, who is at fault, and why nobody else is.
//!
//! ```text
//! NodeView ─ Memory (baselines, roles) ─► Context ─ families in fixed order ─► Finding ─ fold ─ hysteresis ─► api::Hint
//!                    ▲                        claims: an explained edge is left alone by later families │
//!                    └────────────── learns only from edges that nothing was found on ──────────────────┘
//! ```
//! Pure: time comes with the view, so that a recording replays to the same hints. A new cause is one row in [`RULES`]
//! and one branch in its family's judge; a new family is one variant of [`Family`].

mod baseline;
mod connect;
mod context;
mod cpu;
mod dns;
mod dns_memory;
mod docs;
mod edge_memory;
mod engine;
mod external;
mod finding;
mod host;
mod host_memory;
mod incidents;
mod latency;
mod limited;
mod loss;
mod own;
mod path;
mod ports;
mod pressure;
mod rule;
mod reader;
pub mod queries;
mod size;
mod stats;
mod status;
mod table;
#[cfg(test)]
mod testing;
mod thresholds;
mod tracks;
mod victims;
mod waiting;

pub use docs::hints_md;
pub use engine::Engine;
pub use rule::{Family, QueryTemplate, Rule};
pub use table::{RULES, effects, effects_at_callers};
pub use thresholds::Thresholds;
