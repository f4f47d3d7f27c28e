//! The bytes of a frame.

use std::net::Ipv4Addr;

/// Length of the header that PACKET_VNET_HDR puts in front of a frame.
const VNET_HEADER: usize = 10;
const ETHERNET_HEADER: usize = 14;

/// Whether a frame's IPv4 source or destination is in one of the ranges.
pub(super) fn concerns(frame: &[u8], ranges: &[(u32, u32)]) -> bool {
    let Some(packet) = frame.get(VNET_HEADER + ETHERNET_HEADER..) else { return false };
    let ipv4 = frame[VNET_HEADER + 12..][..2] == [8, 0];
    let address = |at: usize| Some(u32::from_be_bytes(*packet.get(at..)?.first_chunk()?));
    let within = |address: u32| ranges.iter().any(|(range, mask)| address & mask == *range);
    ipv4 && [address(12), address(16)].into_iter().flatten().any(within)
}

/// Makes the checksum of a frame's payload wrong, so that the receiver drops it: flips the last bit of the frame, and
/// declares a checksum finished that the kernel left for later.
pub(super) fn corrupt(frame: &mut [u8]) {
    if let [flags, ..] = frame {
        // VIRTIO_NET_HDR_F_NEEDS_CSUM and …_DATA_VALID.
        *flags &= !3;
    }
    if frame.len() > VNET_HEADER + ETHERNET_HEADER
        && let Some(last) = frame.last_mut()
    {
        *last ^= 1;
    }
}

/// `10.0.2.0/24` as address and mask.
pub(super) fn range(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("{text:?} is no range: write one such as 10.0.2.0/24");
    let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
    let (address, bits): (Ipv4Addr, u32) = (address.parse().map_err(|_| wrong())?, bits.parse().map_err(|_| wrong())?);
    let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits).ok_or_else(wrong)?).unwrap_or(0);
    Ok((address.to_bits() & mask, mask))
}

#[cfg(test)]
mod tests;
