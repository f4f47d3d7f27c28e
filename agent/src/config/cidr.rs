//! Address ranges.

use netwhy_abi::PeerPrefix;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An address range such as `10.0.0.0/8` or `fd00::/8`. Every bit after the prefix is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Cidr {
    /// An IPv4 range, for constants. The bits after `length` (0 … 32) must be zero.
    pub(super) const fn v4(octets: [u8; 4], length: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::from_octets(octets)), length }
    }

    /// An IPv6 range of `head` followed by zeros, for constants; `length` is at most 16.
    pub(super) const fn v6(head: u16, length: u8) -> Self {
        Self { address: IpAddr::V6(Ipv6Addr::new(head, 0, 0, 0, 0, 0, 0, 0)), length }
    }

    /// First address of the range.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Prefix length: 0 … 32 for IPv4, 0 … 128 for IPv6.
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// The range in the format of the kernel's prefix map: IPv4 as IPv4-mapped IPv6.
    pub fn prefix(&self) -> PeerPrefix {
        match self.address {
            IpAddr::V4(a) => PeerPrefix { prefix_len: u32::from(self.length) + 96, addr: a.to_ipv6_mapped().octets() },
            IpAddr::V6(a) => PeerPrefix { prefix_len: u32::from(self.length), addr: a.octets() },
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl FromStr for Cidr {
    type Err = String;

    /// Accepts `ADDRESS/LENGTH`; the error contains the remedy. An IPv4-mapped range (`::ffff:10.0.0.0/104`) becomes an
    /// IPv4 range.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((address, length)) = text.split_once('/') else {
            return Err(match text.parse::<IpAddr>() {
                Ok(a) => {
                    format!("\"{text}\" is an address, not a range: write {a}/{} for this address alone", width(a))
                }
                Err(_) => format!("\"{text}\" is not an address range: write one such as 10.0.0.0/8 or fd00::/8"),
            });
        };
        let address: IpAddr = address.parse().map_err(|_| {
            format!("\"{address}\" in \"{text}\" is not an IP address: write a range such as 10.0.0.0/8 or fd00::/8")
        })?;
        let digits = !length.is_empty() && length.len() <= 3 && length.bytes().all(|b| b.is_ascii_digit());
        let length = length.parse::<u8>().ok().filter(|l| digits && *l <= width(address)).ok_or_else(|| {
            format!("\"{length}\" in \"{text}\" is not a prefix length: give one between 0 and {}", width(address))
        })?;
        let network = network(address, length);
        if network != address {
            return Err(format!("\"{text}\" has bits set after its prefix: did you mean {network}/{length}?"));
        }
        Ok(match address {
            IpAddr::V6(a) if length >= 96 => match a.to_ipv4_mapped() {
                Some(a) => Self { address: IpAddr::V4(a), length: length - 96 },
                None => Self { address, length },
            },
            _ => Self { address, length },
        })
    }
}

/// Length of an address in bits.
const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// `address` with all bits after the first `length` set to zero.
fn network(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask))
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests;
