//! The object of the kernel programs in this program.

use std::io::{self, Read as _};

/// What the build script made, as DEFLATE.
static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/netwhy-bpf.deflate"));

/// Unpacks the object. Its bytes begin where the allocator puts them: a multiple of 8, as the loader wants it.
///
/// # Errors
/// When it is damaged, and so is this program.
pub(super) fn object() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::DeflateDecoder::new(OBJECT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
