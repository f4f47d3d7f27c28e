//! Reads the frames of one segment.

use super::{
    block::{Block, Blocks},
    codec::Damage,
    frame::Header,
    ring::{self, Name, Segment},
};
use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
};

/// The frames of a segment, in their order.
pub(super) struct Frames {
    pub(super) header: Header,
    blocks: Blocks<BufReader<File>>,
}

impl Frames {
    /// Opens a segment.
    ///
    /// # Errors
    /// When it is gone, damaged, or another version's.
    pub(super) fn open(folder: &Path, name: Name) -> Result<Self, Damage> {
        let gone = |error| Damage::new(format!("can't open it: {error}"));
        let (file, bytes) = find(folder, name).map_err(gone)?;
        let mut blocks = Blocks::open(BufReader::new(file), bytes)?;
        let header = blocks.next()?.ok_or_else(|| Damage::new("it has no header"))?;
        Ok(Self { header: Header::read(&header.text()?)?, blocks })
    }

    /// The next frame. `None`: there is no whole one any more.
    pub(super) fn next(&mut self) -> Option<Block> {
        // The newest frame may be on its way to the disk.
        self.blocks.next().ok().flatten()
    }
}

/// Opens a segment by its run and number: since it was listed, it may have been finished, and has another name.
fn find(folder: &Path, name: Name) -> io::Result<(File, u64)> {
    match ring::open(folder, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_same = |other: &Segment| (other.name.run, other.name.number) == (name.run, name.number);
            let now = ring::segments(folder)?.into_iter().find(is_same);
            now.map_or(Err(error), |segment| ring::open(folder, segment.name))
        }
        opened => opened,
    }
}
