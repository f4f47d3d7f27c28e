use super::*;

fn content(bytes: &[u8]) -> Content {
    let mut head = [0; HEAD];
    head[..bytes.len().min(HEAD)].copy_from_slice(&bytes[..bytes.len().min(HEAD)]);
    Head(head).content()
}

#[test]
fn hellos_of_every_tls_version_are_told_from_other_records() {
    assert_eq!(content(&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc]), Content::TlsHello);
    assert_eq!(content(&[22, 3, 3, 0, 122, 2, 0, 0, 118]), Content::TlsHello);
    // ClientKeyExchange of 1.2, ChangeCipherSpec, application data, alert.
    for first in [[22, 3, 3, 0, 70, 16], [20, 3, 3, 0, 1, 1], [23, 3, 3, 1, 0, 9], [21, 3, 3, 0, 2, 1]] {
        assert_eq!(content(&first), Content::Tls);
    }
}

#[test]
fn http2_is_known_by_its_preface_and_by_its_first_settings() {
    assert_eq!(content(b"PRI * HTTP/2.0\r\n"), Content::Http2Preface);
    assert_eq!(content(&[0, 0, 18, 4, 0, 0, 0, 0, 0]), Content::Http2Settings);
    assert_eq!(content(&[0, 0, 0, 4, 0, 0, 0, 0, 0]), Content::Http2Settings);
}

#[test]
fn other_protocols_are_neither() {
    let texts: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK",
        b"PRINT",
        b"*1\r\n$4\r\nPING",
        b"+OK\r\n",
        &[0x4a, 0, 0, 0, 10, b'8', b'.', b'0', 0],
        &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f, 0],
    ];
    for text in texts {
        assert_eq!(content(text), Content::Other, "{text:?}");
    }
}

#[test]
fn frames_about_the_connection_are_no_messages() {
    let frame = |kind| Head([0, 0, 8, kind, 0, 0, 0, 0, 1]).is_http2_message();
    assert_eq!((0..=9).filter(|kind| frame(*kind)).collect::<Vec<u8>>(), [0, 1, 9]);
}
