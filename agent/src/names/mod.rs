//! Names that Pods look up: answers of DNS servers, from the bytes that the kernel programs copied.
//!
//! Whoever answers a Pod writes them. Of an answer the question's name stays, its addresses and their lifetime.

use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest name, bytes (RFC 1035 2.3.4, without the root).
pub const MAX_NAME: usize = 253;
/// Records of an answer that are read, at most.
pub const MAX_RECORDS: usize = 16;

/// Longest label of a name, bytes.
const MAX_LABEL: usize = 63;
/// Types and class of records (RFC 1035 3.2.2, RFC 3596 2.1).
const A: u16 = 1;
const AAAA: u16 = 28;
const IN: u16 = 1;
/// Flags of the header: an answer to a standard query, without error.
const FLAGS: u16 = 0xf80f;
const ANSWER: u16 = 0x8000;

/// The addresses of a name, as its server told them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// cgroup that asked.
    pub cgroup: u64,
    /// The name that was asked for, in lower case. Aliases (CNAME) in the answer don't change it.
    pub name: String,
    /// Its addresses, IPv4 as IPv4-mapped: one to [`MAX_RECORDS`].
    pub addresses: Vec<Ipv6Addr>,
    /// How long they may be kept, s: the shortest time of their records.
    pub ttl_seconds: u32,
}

impl Answer {
    /// Of a DNS message, which may be cut off. `None`: it has no address of a host's name.
    pub fn read(cgroup: u64, message: &[u8]) -> Option<Self> {
        let mut reader = Reader { rest: message };
        reader.take(2)?;
        let (flags, questions, records) = (reader.u16()?, reader.u16()?, reader.u16()?);
        reader.take(4)?;
        if flags & FLAGS != ANSWER || questions != 1 {
            return None;
        }
        let name = reader.host_name()?;
        // Its type: the records have their own.
        reader.u16()?;
        if reader.u16()? != IN {
            return None;
        }
        let mut answer = Self { cgroup, name, addresses: Vec::new(), ttl_seconds: u32::MAX };
        for _ in 0..usize::from(records).min(MAX_RECORDS) {
            // The rest was cut off.
            let Some((address, ttl)) = reader.record() else { break };
            if let Some(address) = address.filter(|address| !address.to_canonical().is_unspecified()) {
                answer.addresses.push(address);
                answer.ttl_seconds = answer.ttl_seconds.min(ttl);
            }
        }
        (!answer.addresses.is_empty()).then_some(answer)
    }

    /// Whether it is within its bounds, wherever it comes from.
    pub fn is_valid(&self) -> bool {
        let is_label = |label: &str| !label.is_empty() && label.len() <= MAX_LABEL && label.bytes().all(is_of_host);
        let is_name = self.name.len() <= MAX_NAME && self.name.split('.').all(is_label);
        is_name && (1..=MAX_RECORDS).contains(&self.addresses.len())
    }
}

/// Whether a byte may be in a host's name (RFC 1123 2.1), or in that of a service.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The rest of a message.
struct Reader<'m> {
    rest: &'m [u8],
}

impl<'m> Reader<'m> {
    fn take(&mut self, bytes: usize) -> Option<&'m [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The question's name: the message's first, which refers to no other. `None`: it is no host's.
    fn host_name(&mut self) -> Option<String> {
        let mut name = String::new();
        loop {
            let [length] = self.array()?;
            let length = usize::from(length);
            if length == 0 {
                break;
            }
            if length > MAX_LABEL {
                return None;
            }
            let label = self.take(length)?;
            if !label.iter().all(|byte| is_of_host(*byte)) {
                return None;
            }
            if !name.is_empty() {
                name.push('.');
            }
            name.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
            if name.len() > MAX_NAME {
                return None;
            }
        }
        (!name.is_empty()).then_some(name)
    }

    /// Skips a record's name. References to other names (RFC 1035 4.1.4) are not followed.
    fn skip_name(&mut self) -> Option<()> {
        loop {
            let [length] = self.array()?;
            match length {
                0 => return Some(()),
                1..=63 => {
                    self.take(length.into())?;
                }
                0xc0.. => return self.take(1).map(|_| ()),
                _ => return None,
            }
        }
    }

    /// A record's address and its lifetime, s. No address: it is of another type.
    fn record(&mut self) -> Option<(Option<Ipv6Addr>, u32)> {
        self.skip_name()?;
        let (kind, class) = (self.u16()?, self.u16()?);
        let ttl = u32::from_be_bytes(self.array()?);
        let length = self.u16()?;
        let data = self.take(length.into())?;
        let address = match (kind, class) {
            (A, IN) => <[u8; 4]>::try_from(data).ok().map(|four| Ipv4Addr::from(four).to_ipv6_mapped()),
            (AAAA, IN) => <[u8; 16]>::try_from(data).ok().map(Ipv6Addr::from),
            _ => None,
        };
        Some((address, ttl))
    }
}

/// Reads a message as the agent does.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn fuzz(data: &[u8]) {
    if let Some(answer) = Answer::read(1, data) {
        assert!(answer.is_valid() && answer.name == answer.name.to_ascii_lowercase(), "{answer:?}");
    }
}

#[cfg(test)]
mod tests;
