//! Sizes of the files, and the targets that they have.

use crate::artifact::program::Program;

/// Largest size of a program without symbols, bytes.
const PROGRAM: usize = 12_000_000;
/// Largest size of an image, compressed, bytes.
const IMAGE: usize = 15_000_000;

/// What has a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Program(Program),
    Image,
}

/// Reports a size above its target. `None`: it is within.
pub(super) fn too_large(what: What, bytes: usize) -> Option<String> {
    let (name, target) = match what {
        What::Program(program) => (program.name(), PROGRAM),
        What::Image => ("the image", IMAGE),
    };
    let megabytes = |bytes: usize| bytes as f64 / 1e6;
    (bytes > target)
        .then(|| format!("{name} has {:.1} MB, above the target of {:.0} MB", megabytes(bytes), megabytes(target)))
}

/// In the unit that fits.
pub(super) fn shown(bytes: usize) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

#[cfg(test)]
mod tests;
