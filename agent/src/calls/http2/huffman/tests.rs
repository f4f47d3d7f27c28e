use super::*;

fn text(coded: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    decode(coded, |byte| bytes.push(byte))?;
    Some(String::from_utf8(bytes).unwrap())
}

#[test]
fn the_code_is_complete() {
    // Kraft's sum: no bits are unused.
    let sum: u64 = LENGTHS.iter().map(|length| 1 << (LONGEST - usize::from(*length))).sum();
    assert_eq!(sum, 1 << LONGEST);
}

#[test]
fn examples_of_the_specification_are_decoded() {
    // RFC 7541, C.4 and C.6.
    let examples: [(&[u8], &str); 5] = [
        (&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff], "www.example.com"),
        (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
        (&[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f], "custom-key"),
        (&[0x64, 0x02], "302"),
        (&[0xae, 0xc3, 0x77, 0x1a, 0x4b], "private"),
    ];
    for (coded, expected) in examples {
        assert_eq!(text(coded).as_deref(), Some(expected));
    }
    assert_eq!(text(&[]).as_deref(), Some(""));
}

#[test]
fn wrong_padding_and_the_end_of_a_string_are_refused() {
    // `302` with zeros behind it, or with eight bits.
    assert_eq!(text(&[0x64, 0x02, 0xff]), None);
    assert_eq!(text(&[0xae, 0xc3, 0x77, 0x1a, 0x4a]).as_deref(), None);
    assert_eq!(text(&[0xff, 0xff, 0xff, 0xff]), None);
}
