//! One connection of a server: requests in, answers out.

use crate::{
    stats::{Stats, add},
    wire::{CHUNK, HEADER, MAX_MESSAGE, PADDING, RESPONSE_HEADER},
};
use anyhow::{Result, bail};
use rustix::io::Errno;
use std::{collections::VecDeque, os::fd::OwnedFd};

/// One connection.
pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    header: [u8; HEADER],
    /// Bytes of the current request so far.
    received: usize,
    /// Lengths of the answers not sent yet.
    pub(super) owed: VecDeque<usize>,
    /// Bytes of the first of them that are sent.
    sent: usize,
    /// Whether to close once nothing is owed.
    pub(super) closing: bool,
    /// Whether the socket took less than what is owed.
    pub(super) wants_out: bool,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            header: [0; HEADER],
            received: 0,
            owed: VecDeque::new(),
            sent: 0,
            closing: false,
            wants_out: false,
        }
    }

    /// Takes in bytes; `answer` is called with the second header word of every request that they complete.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut answer: impl FnMut(u32)) -> Result<()> {
        while !bytes.is_empty() {
            if self.received < HEADER {
                let n = bytes.len().min(HEADER - self.received);
                self.header[self.received..self.received + n].copy_from_slice(&bytes[..n]);
                self.received += n;
                bytes = &bytes[n..];
                if self.received < HEADER {
                    return Ok(());
                }
            }
            let [a, b, c, d, e, f, g, h] = self.header;
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            if !(HEADER..=MAX_MESSAGE).contains(&length) {
                bail!("a request of {length} bytes");
            }
            let n = bytes.len().min(length - self.received);
            self.received += n;
            bytes = &bytes[n..];
            if self.received == length {
                self.received = 0;
                answer(u32::from_be_bytes([e, f, g, h]));
            }
        }
        Ok(())
    }

    /// Sends what the socket takes now.
    pub(super) fn send(&mut self, scratch: &mut [u8], stats: &Stats) -> Result<(), Errno> {
        while let Some(&length) = self.owed.front() {
            let n = (length - self.sent).min(CHUNK);
            let bytes = if self.sent < RESPONSE_HEADER {
                scratch[..RESPONSE_HEADER].copy_from_slice(&(length as u32).to_be_bytes());
                &scratch[self.sent..self.sent + n.min(CHUNK - self.sent)]
            } else {
                &PADDING[..n]
            };
            match rustix::io::write(&self.socket, bytes) {
                Ok(n) => {
                    self.sent += n;
                    add(&stats.bytes_sent, n);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            }
            if self.sent == length {
                self.owed.pop_front();
                self.sent = 0;
            }
        }
        Ok(())
    }
}
