//! First bytes of sampled exchanges, as the programs left them in buffers.

use super::{ring::Ring, sys};
use crate::calls::Head;
use aya::{maps::Map, util::online_cpus};
use netwhy_abi::{HeadEvent, memory::head_buffer};
use std::{io, os::fd::AsFd as _};

/// The buffers of all CPUs.
pub(super) struct Heads {
    rings: Vec<Ring>,
}

impl Heads {
    /// Makes a buffer for each CPU.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(super) fn open(map: &Map) -> io::Result<Self> {
        let Map::PerfEventArray(data) = map else { return Err(io::Error::other("HEADS is no perf event array")) };
        let cpus = online_cpus().map_err(|(_, error)| error)?;
        let size = head_buffer(cpus.len());
        let open = |cpu: &u32| {
            let ring = Ring::open(*cpu, size)?;
            sys::set_fd(data.fd().as_fd(), *cpu, ring.fd())?;
            Ok(ring)
        };
        Ok(Self { rings: cpus.iter().map(open).collect::<io::Result<_>>()? })
    }

    /// Hands over the messages since the last call, those of one CPU in order.
    pub(super) fn read(&mut self, mut each: impl FnMut(&Head<'_>)) {
        for ring in &mut self.rings {
            ring.read(|raw| {
                if let Some(head) = head(raw) {
                    each(&head);
                }
            });
        }
    }
}

/// A message of an event.
fn head(raw: &[u8]) -> Option<Head<'_>> {
    let (event, bytes) = raw.split_at_checked(size_of::<HeadEvent>())?;
    // SAFETY: as many bytes as the struct has, and any bytes make one; they need not be aligned.
    let event = unsafe { event.as_ptr().cast::<HeadEvent>().read_unaligned() };
    let bytes = bytes.get(event.skip as usize..(event.length as usize).min(bytes.len()))?;
    Some(Head { event, bytes })
}
