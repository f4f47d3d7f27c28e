use super::*;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0xee];
    write(&mut out);
    assert_eq!(out.remove(0), 0xee, "what was there before stays");
    out
}

#[test]
fn varints_have_seven_bits_a_byte() {
    for (value, bytes) in [
        (0, vec![0]),
        (127, vec![0x7f]),
        (128, vec![0x80, 1]),
        (150, vec![0x96, 1]),
        (300, vec![0xac, 2]),
        (u64::MAX, [vec![0xffu8; 9], vec![1]].concat()),
    ] {
        assert_eq!(written(|out| varint(out, value)), bytes, "{value}");
    }
}

#[test]
fn small_signed_numbers_are_short() {
    let pairs = [(0, 0), (-1, 1), (1, 2), (-2, 3), (i64::MAX, u64::MAX - 1), (i64::MIN, u64::MAX)];
    for (value, unsigned) in pairs {
        assert_eq!(zigzag(value), unsigned, "{value}");
    }
    assert_eq!(written(|out| sint(out, 5, 3)), [0x28, 6]);
}

#[test]
fn fields_begin_with_number_and_wire_type() {
    assert_eq!(written(|out| uint(out, 1, 150)), [0x08, 0x96, 1]);
    assert_eq!(written(|out| string(out, 2, "testing")), *b"\x12\x07testing");
    assert_eq!(written(|out| double(out, 1, 1.0)), [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    // From 16 on a tag has two bytes.
    assert_eq!(written(|out| uint(out, 16, 1)), [0x80, 1, 1]);
}

#[test]
fn length_stands_before_a_message_however_long_both_are() {
    assert_eq!(written(|out| message(out, 3, |out| uint(out, 1, 150))), [0x1a, 3, 0x08, 0x96, 1]);
    assert_eq!(written(|out| message(out, 3, |_| ())), [0x1a, 0]);
    for length in [127usize, 128, 20_000] {
        let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let got = written(|out| delimited(out, |out| out.extend_from_slice(&bytes)));
        assert_eq!(got, [written(|out| varint(out, length as u64)), bytes].concat(), "{length}");
    }
}
