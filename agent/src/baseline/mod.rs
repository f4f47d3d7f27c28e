//! Baselines: distributions that forget slowly, and the response times of edges and servers in normal times. Pure.
//!
//! Hints compare with them, and `/api/v1` shows them beside the window's values. Who calls [`ResponseBaseline::learn`]
//! decides which windows are normal.

mod distribution;
mod responses;

pub use distribution::Distribution;
pub use responses::{Lesson, NormalResponses, ResponseBaseline};
