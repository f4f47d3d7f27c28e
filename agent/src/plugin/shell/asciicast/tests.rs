use super::*;
use crate::text::tests::{assert_safe, mark};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

fn cast() -> Cast<Vec<u8>> {
    let command = ["sh".to_owned(), "-c".to_owned()];
    let head =
        Head { size: Size { columns: 132, rows: 43 }, begin: 1_767_225_600, command: &command, title: "shop/cart" };
    Cast::begin(Vec::new(), &head).unwrap()
}

fn lines(cast: Cast<Vec<u8>>) -> Vec<Value> {
    let text = String::from_utf8(cast.out).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_recording_has_a_header_and_an_event_per_line() {
    let mut cast = cast();
    cast.output(Duration::from_millis(250), b"$ ls\r\n").unwrap();
    cast.output(Duration::from_secs(1), b"").unwrap();
    cast.resized(Duration::from_secs(2), Size { columns: 80, rows: 24 }).unwrap();
    cast.end(Duration::from_secs(3)).unwrap();
    let head = json!({
        "version": 2, "width": 132, "height": 43, "timestamp": 1_767_225_600, "command": "sh -c", "title": "shop/cart"
    });
    assert_eq!(lines(cast), [head, json!([0.25, "o", "$ ls\r\n"]), json!([2.0, "r", "80x24"])]);
}

#[test]
fn characters_that_come_in_pieces_are_whole() {
    let text = "aé日🙂z";
    for piece in 1..text.len() {
        let mut cast = cast();
        for bytes in text.as_bytes().chunks(piece) {
            cast.output(Duration::ZERO, bytes).unwrap();
        }
        cast.end(Duration::ZERO).unwrap();
        let all: String = lines(cast)[1..].iter().map(|event| event[2].as_str().unwrap()).collect();
        assert_eq!(all, text, "pieces of {piece}");
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let mut cast = cast();
    cast.output(Duration::ZERO, b"\xff\xfea\x80\x80\x80\x80").unwrap();
    cast.output(Duration::ZERO, b"\xe6\x97").unwrap();
    cast.end(Duration::ZERO).unwrap();
    let events = lines(cast);
    assert_eq!(events[1][2], "\u{fffd}\u{fffd}a\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
    assert_eq!(events[2][2], "\u{fffd}");
}

#[test]
fn a_recording_can_be_shown_as_text() {
    let mut cast = cast();
    cast.output(Duration::ZERO, mark().as_bytes()).unwrap();
    let text = String::from_utf8(cast.out.clone()).unwrap();
    assert_safe("asciicast", &text);
    assert_eq!(lines(cast)[1][2], mark());
}

#[test]
fn a_file_is_new_and_its_owners_alone() {
    let folder = std::env::temp_dir().join(format!("netwhy-cast-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("a.cast");
    let head = Head { size: NO_TERMINAL, begin: 0, command: &[], title: "" };
    drop(create(&path, &head).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = create(&path, &head).err().unwrap();
    assert!(again.what.contains("can't record to") && again.remedy.contains("new file"), "{again}");
    std::fs::remove_dir_all(&folder).unwrap();
}
