use super::*;
use futures::io::{BufReader, Cursor};

/// The lines of a stream that is read in pieces of so many bytes: text and bytes left off.
async fn read(bytes: &[u8], piece: usize) -> Vec<(String, u64)> {
    let mut lines = Lines::new(BufReader::with_capacity(piece, Cursor::new(bytes)));
    let mut out = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        out.push((line.text, line.left_off));
    }
    out
}

#[tokio::test]
async fn lines_do_not_depend_on_the_pieces_that_they_come_in() {
    let bytes = b"2026-01-01T00:00:00Z one\n\n2026-01-01T00:00:01Z two\r\nrest";
    for piece in [1, 3, 7, 1000] {
        let texts: Vec<String> = read(bytes, piece).await.into_iter().map(|(text, _)| text).collect();
        assert_eq!(texts, ["one", "", "two", "rest"], "{piece}");
    }
    assert!(read(b"", 10).await.is_empty());
}

#[tokio::test]
async fn a_long_line_is_cut_and_the_next_one_is_whole() {
    let mut bytes = vec![b'x'; MAX_LINE + 100];
    bytes.extend_from_slice(b"\nnext\n");
    bytes.extend(vec![b'y'; MAX_LINE]);
    for piece in [100, MAX_LINE, 1 << 20] {
        let lines = read(&bytes, piece).await;
        let shape: Vec<(usize, u64)> = lines.iter().map(|(text, left_off)| (text.len(), *left_off)).collect();
        assert_eq!(shape, [(MAX_LINE, 100), (4, 0), (MAX_LINE, 0)], "{piece}");
    }
}
