//! The Huffman code of HPACK (RFC 7541, appendix B). It is canonical, so that the lengths tell the codes: among codes of
//! one length the order is that of the symbols.

/// Bits of each byte's code, and of the end of a string.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30];
/// Longest code, bits.
const LONGEST: usize = 30;
/// The end of a string, which never appears in one.
const END: u16 = 256;

/// Symbols in the order of their codes.
const ORDER: [u16; LENGTHS.len()] = order();
/// Number of codes by length.
const COUNTS: [u32; LONGEST + 1] = counts();

const fn counts() -> [u32; LONGEST + 1] {
    let (mut counts, mut symbol) = ([0; LONGEST + 1], 0);
    while symbol < LENGTHS.len() {
        counts[LENGTHS[symbol] as usize] += 1;
        symbol += 1;
    }
    counts
}

const fn order() -> [u16; LENGTHS.len()] {
    let (mut order, mut next, mut length) = ([0; LENGTHS.len()], 0, 1);
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                order[next] = symbol as u16;
                next += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    order
}

/// Hands over the bytes of a coded string. `None`: it is no such string.
pub(super) fn decode(coded: &[u8], mut each: impl FnMut(u8)) -> Option<()> {
    // The code so far, its length, the first code of that length, and the number of shorter codes.
    let (mut code, mut length, mut first, mut shorter) = (0_u32, 0_usize, 0_u32, 0_u32);
    let mut is_padding = true;
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        (code, length, first) = (code << 1 | u32::from(bit), length + 1, first << 1);
        is_padding = is_padding && bit == 1;
        let count = *COUNTS.get(length)?;
        if code - first < count {
            let symbol = *ORDER.get((shorter + code - first) as usize)?;
            if symbol == END {
                return None;
            }
            each(symbol as u8);
            (code, length, first, shorter, is_padding) = (0, 0, 0, 0, true);
        } else {
            (first, shorter) = (first + count, shorter + count);
        }
    }
    // Fewer than eight bits are left: the first ones of the end.
    (length < 8 && is_padding).then_some(())
}

#[cfg(test)]
mod tests;
