//! Differences between the systems that the plugin runs on: Linux, macOS and Windows. The agent runs on Linux alone.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(test)]
#[cfg(unix)]
mod tests;
