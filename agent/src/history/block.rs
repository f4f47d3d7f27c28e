//! Blocks of a segment file: compressed, with length, time and checksum, so that a torn end is recognised.
//!
//! The file is [`MAGIC`], then blocks: the header, and one per frame. A block is the length of its data, the length of
//! the text, the wall clock in ms, the CRC-32 of these three and the data, and the data (raw DEFLATE). Integers are
//! little-endian.

use super::codec::Damage;
use flate2::{Compression, Crc, read::DeflateDecoder, write::DeflateEncoder};
use std::io::{self, Read, Write as _};

/// First bytes of a segment.
pub(super) const MAGIC: &[u8; 8] = b"netwhyH\x01";
/// Bytes before a block's data.
const PREFIX: usize = 20;
/// Longest text of a block. A frame of 65,536 edges has 20 MB.
const MAX_TEXT: usize = 64 << 20;

/// A block whose checksum is right.
#[derive(Debug)]
pub(super) struct Block {
    /// Wall clock, ms since the Unix epoch.
    pub(super) unix_ms: u64,
    /// Bytes in the file.
    pub(super) bytes: u64,
    text: usize,
    data: Vec<u8>,
}

fn checksum(prefix: &[u8], data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(prefix);
    crc.update(data);
    crc.sum()
}

/// The bytes of a block.
///
/// # Errors
/// When the text is too long.
pub(super) fn block(unix_ms: u64, text: &[u8]) -> io::Result<Vec<u8>> {
    if text.len() > MAX_TEXT {
        return Err(io::Error::other("a frame is longer than 64 MiB: lower limits.edges"));
    }
    let mut out = DeflateEncoder::new(vec![0; PREFIX], Compression::default());
    out.write_all(text)?;
    let mut out = out.finish()?;
    let (prefix, data) = out.split_at_mut(PREFIX);
    prefix[..4].copy_from_slice(&(data.len() as u32).to_le_bytes());
    prefix[4..8].copy_from_slice(&(text.len() as u32).to_le_bytes());
    prefix[8..16].copy_from_slice(&unix_ms.to_le_bytes());
    let sum = checksum(&prefix[..16], data);
    prefix[16..].copy_from_slice(&sum.to_le_bytes());
    Ok(out)
}

impl Block {
    /// The text.
    ///
    /// # Errors
    /// When the data is not what the checksum was made of.
    pub(super) fn text(&self) -> Result<Vec<u8>, Damage> {
        let mut text = Vec::new();
        let read = DeflateDecoder::new(self.data.as_slice()).take(self.text as u64 + 1).read_to_end(&mut text);
        match read {
            Ok(length) if length == self.text => Ok(text),
            _ => Err(Damage::new("a block can't be decompressed")),
        }
    }
}

/// Reads the blocks of a segment.
#[derive(Debug)]
pub(super) struct Blocks<R> {
    input: R,
    /// Bytes of the file that were not read yet.
    left: u64,
}

impl<R: Read> Blocks<R> {
    /// Begins to read a segment of this many bytes.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn open(mut input: R, bytes: u64) -> Result<Self, Damage> {
        let mut magic = [0; MAGIC.len()];
        match input.read_exact(&mut magic) {
            Ok(()) if magic == *MAGIC => Ok(Self { input, left: bytes.saturating_sub(MAGIC.len() as u64) }),
            _ => Err(Damage::new("it is no history")),
        }
    }

    /// The next block. `None`: the segment ends here.
    ///
    /// # Errors
    /// When the rest is torn or damaged.
    pub(super) fn next(&mut self) -> Result<Option<Block>, Damage> {
        if self.left == 0 {
            return Ok(None);
        }
        let torn = || Damage::new("it ends within a block");
        let mut prefix = [0; PREFIX];
        self.input.read_exact(&mut prefix).map_err(|_| torn())?;
        let word = |at: usize| u32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]);
        let (length, text, sum) = (word(0) as usize, word(4) as usize, word(16));
        let bytes = (PREFIX + length) as u64;
        if bytes > self.left || text > MAX_TEXT {
            return Err(torn());
        }
        let mut data = vec![0; length];
        self.input.read_exact(&mut data).map_err(|_| torn())?;
        if checksum(&prefix[..16], &data) != sum {
            return Err(Damage::new("a block's checksum is wrong"));
        }
        self.left -= bytes;
        let unix_ms = u64::from(word(8)) | u64::from(word(12)) << 32;
        Ok(Some(Block { unix_ms, bytes, text, data }))
    }
}

#[cfg(test)]
mod tests;
