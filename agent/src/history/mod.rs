//! The flight recorder: a bounded ring of what the agent saw and said, on disk, and its replay.
//!
//! ```text
//! tick ─► encoder ─ frames ─► block (compressed, checked) ─► ring (folder of segments)
//!                                                              │
//! http, plugin ◄─ past: the same pipeline, hints as they were ◄┴─ coverage: what is missing, and why
//! ```
//! A frame is one moment as the change since the frame before: rows of the kernel's maps, control files, Pods, peers and
//! hints. The first frame of a segment has everything, so a segment can be read by itself. Frames are some ticks apart:
//! counters are cumulative, so nothing that was counted between them is lost.

mod block;
mod codec;
mod coverage;
mod decoder;
mod encoder;
mod facts;
mod frame;
mod past;
#[cfg(target_os = "linux")]
mod prepare;
mod reading;
mod recorder;
mod ring;
mod table;
#[cfg(test)]
pub(crate) mod testing;

pub use encoder::Names;
pub use past::{Past, PastError};
#[cfg(target_os = "linux")]
pub use prepare::{check, prepare};
pub use recorder::{Recorder, Settings, Writer, recorder};

#[cfg(test)]
mod tests;
