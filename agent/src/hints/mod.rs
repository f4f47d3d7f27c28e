//! Root-cause hints: the cause of a Pod's symptoms, the culprit, and the evidence that acquits everybody else.
//!
//! ```text
//! NodeView ─► memory (what is normal) ─► context (one tick) ─► rules (families in fixed order) ─► finding
//!                ▲                          ▲ culprit (who)             │ claims: later families skip the edge
//!                │                                                      ▼
//!                └── learns only from edges without a finding ── engine (fold, hysteresis, incidents) ─► api::Hint
//! ```
//! Pure: time comes with the view, so that a recording replays to the same hints. Modules stand in the order of use;
//! none imports one below it. `docs/adding-a-rule.md` is the recipe for a new rule.

#![warn(clippy::too_many_arguments, clippy::too_many_lines)]

mod rule;
mod thresholds;
mod stats;
mod key;
mod memory;
mod context;
mod finding;
mod firing;
mod culprit;
mod rules;
mod table;
mod engine;
mod docs;
#[cfg(test)]
mod testing;

pub(crate) use culprit::suspects::{Trouble, kind_prior};
pub use docs::hints_md;
pub use engine::Engine;
pub use rule::{Family, QueryTemplate, Rule};
pub use rules::queries;
pub use table::{RULES, effects, effects_at_callers};
pub use thresholds::Thresholds;
