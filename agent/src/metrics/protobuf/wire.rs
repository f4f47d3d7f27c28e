//! The wire format of protobuf: tags, varints, fixed numbers, and what has a length before it.

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const DELIMITED: u32 = 2;

/// Seven bits a byte, the lowest first.
pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Signed numbers so that small ones are short: 0, -1, 1, -2 are 0, 1, 2, 3.
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(out, u64::from((field << 3) | wire_type));
}

/// A field of type `uint32`, `uint64`, `int64` (not negative), or an enum's.
pub(super) fn uint(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, VARINT);
    varint(out, value);
}

/// A field of type `sint32` or `sint64`.
pub(super) fn sint(out: &mut Vec<u8>, field: u32, value: i64) {
    uint(out, field, zigzag(value));
}

/// A field of type `double`.
pub(super) fn double(out: &mut Vec<u8>, field: u32, value: f64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A field of type `string`.
pub(super) fn string(out: &mut Vec<u8>, field: u32, text: &str) {
    tag(out, field, DELIMITED);
    varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A field that is a message, or packed numbers.
pub(super) fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, DELIMITED);
    delimited(out, write);
}

/// Puts the length of what is written before it. The length's own length is known afterwards only, so it is written
/// last and moved.
pub(super) fn delimited<T>(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let begin = out.len();
    let result = write(out);
    let end = out.len();
    varint(out, (end - begin) as u64);
    let prefix = out.len() - end;
    out[begin..].rotate_right(prefix);
    result
}

#[cfg(test)]
mod tests;
