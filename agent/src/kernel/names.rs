//! DNS answers with addresses, as the program left them in a ring buffer.

use crate::names::Answer;
use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use netwhy_abi::{AnswerEvent, dns::ANSWERS_BYTES};
use std::{io, mem::offset_of};

/// The ring. It wakes nobody: the tick reads it.
pub(super) struct Names {
    ring: RingBuf<MapData>,
}

impl Names {
    /// Takes over the programs' ring.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(super) fn open(ebpf: &mut Ebpf) -> io::Result<Self> {
        let map = ebpf.take_map("ANSWERS").ok_or_else(|| io::Error::other("the object has no map ANSWERS"))?;
        Ok(Self { ring: RingBuf::try_from(map).map_err(io::Error::other)? })
    }

    /// The answers since the last call: those that the ring holds, however many come meanwhile.
    pub(super) fn read(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for _ in 0..ANSWERS_BYTES / size_of::<AnswerEvent>() {
            let Some(event) = self.ring.next() else { break };
            answers.extend(answer(&event));
        }
        answers
    }
}

/// The answer of an event. `None`: it has no address of a host's name.
fn answer(event: &[u8]) -> Option<Answer> {
    let cgroup = event.get(offset_of!(AnswerEvent, cgroup)..)?.first_chunk()?;
    let length = u32::from_ne_bytes(*event.get(offset_of!(AnswerEvent, length)..)?.first_chunk()?);
    let message = event.get(offset_of!(AnswerEvent, bytes)..)?.get(..length as usize)?;
    Answer::read(u64::from_ne_bytes(*cgroup), message)
}

#[cfg(test)]
mod tests;
