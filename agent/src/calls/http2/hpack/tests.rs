use super::*;

fn path(fields: &Fields) -> Option<&str> {
    fields.path.as_ref().map(|path| path.route.as_ref())
}

#[test]
fn requests_of_the_specification_are_decoded() {
    // RFC 7541, C.4: three requests with the Huffman code.
    let mut decoder = Decoder::default();
    let first = [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
    let fields = decoder.decode(&first).unwrap();
    assert_eq!((fields.method, path(&fields), fields.has_unknown), (Some(Some(Method::Get)), Some("/"), false));
    let second = [0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf];
    assert!(!decoder.decode(&second).unwrap().has_unknown);
    let third = [
        0x82, 0x87, 0x85, 0xbf, 0x40, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x89, 0x25, 0xa8, 0x49,
        0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf,
    ];
    let fields = decoder.decode(&third).unwrap();
    assert_eq!((path(&fields), decoder.entries.len()), (Some("/index.html"), 3));
}

#[test]
fn answers_of_the_specification_are_decoded() {
    // RFC 7541, C.6.1, shortened: status 302 gets an entry, which a later answer refers to.
    let mut decoder = Decoder::default();
    let first = [0x48, 0x82, 0x64, 0x02, 0x58, 0x85, 0xae, 0xc3, 0x77, 0x1a, 0x4b];
    assert_eq!(decoder.decode(&first).unwrap().status, Some(302));
    assert_eq!(decoder.decode(&[0xbf]).unwrap().status, Some(302));
}

#[test]
fn entries_before_the_table_is_known_are_unknown_and_later_ones_are_not() {
    let mut decoder = Decoder::default();
    let fields = decoder.decode(&[0x83, 0xc0]).unwrap();
    assert_eq!((fields.method, path(&fields), fields.has_unknown), (Some(Some(Method::Post)), None, true));
    let fields = decoder.decode(&[0x44, 3, b'/', b'a', b'b', 0xc0]).unwrap();
    assert_eq!((path(&fields), fields.has_unknown), (Some("/ab"), true));
    assert_eq!(path(&decoder.decode(&[0xbe]).unwrap()), Some("/ab"));
    decoder.forget();
    assert!(decoder.decode(&[0xbe]).unwrap().has_unknown);
}

#[test]
fn a_literal_whose_name_is_unknown_is_unknown() {
    let mut decoder = Decoder::default();
    // Index 70, with and without an entry.
    assert!(decoder.decode(&[0x7f, 7, 1, b'5']).unwrap().has_unknown);
    assert!(decoder.decode(&[0x0f, 55, 1, b'5']).unwrap().has_unknown);
    assert_eq!(decoder.entries, [Entry::UNKNOWN]);
}

#[test]
fn the_table_is_bounded_and_keeps_no_value_of_other_headers() {
    let mut decoder = Decoder::default();
    for _ in 0..1_000 {
        decoder.decode(&[0x40, 1, b'a', 6, b's', b'e', b'c', b'r', b'e', b't']).unwrap();
    }
    assert_eq!(decoder.entries.len(), MOST_ENTRIES);
    assert!(decoder.entries.iter().all(|entry| entry.field == Field::Other));
    assert!(!format!("{decoder:?}").contains("secret"));
}

#[test]
fn the_paths_of_a_table_are_bounded() {
    let mut decoder = Decoder::default();
    for number in 0..100_u8 {
        let mut block = vec![0x44, 101, b'/'];
        block.extend([b'a' + number % 26; 100]);
        block[60] = b'/';
        decoder.decode(&block).unwrap();
    }
    let bytes = |entry: &Entry| if let Field::Path(path) = &entry.field { path.bytes() } else { 0 };
    let sum: usize = decoder.entries.iter().map(bytes).sum();
    assert!(sum > MOST_PATHS / 2 && sum <= MOST_PATHS, "{sum}");
    assert!(path(&decoder.decode(&[0xbe]).unwrap()).is_some(), "the newest is known");
}

#[test]
fn what_is_no_block_is_refused_and_makes_the_table_unknown() {
    let blocks: [&[u8]; 8] = [
        &[0x80],
        &[0x44],
        &[0x44, 5, b'/'],
        &[0x44, 0x81],
        &[0xff, 0x80, 0x80, 0x80, 0x80, 0x01],
        &[0x44, 0x81, 0x00],
        &[0x7f],
        &[0x40, 0x84, 0xff, 0xff, 0xff, 0xff, 0],
    ];
    for block in blocks {
        let mut decoder = Decoder::default();
        decoder.decode(&[0x44, 2, b'/', b'a']).unwrap();
        assert_eq!(decoder.decode(block), None, "{block:x?}");
        assert!(decoder.entries.is_empty(), "{block:x?}");
    }
}
