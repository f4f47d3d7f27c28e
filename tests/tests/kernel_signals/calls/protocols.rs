//! Traffic that is no HTTP, or no HTTP any more: no byte of it is copied.

use super::scene::{Scene, ask, tell};
use crate::{
    socket::Pair,
    stage::{needs, stage},
};
use netwhy_abi::Role;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Bytes that the kernel copied into the buffers, as text: what user space saw before it read anything into it.
fn copied(scene: &mut Scene<'_>) -> Vec<String> {
    let mut copied = Vec::new();
    scene.watch.source.loaded_mut().read_heads(|head| copied.push(String::from_utf8_lossy(head.bytes).into_owned()));
    copied
}

#[test]
fn other_protocols_are_looked_at_and_not_copied() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = Pair::open(&stage, &scene.client, &listener, to);
    for _ in 0..5 {
        ask(&mut pair, "*2\r\n$3\r\nGET\r\n$6\r\nsecret\r\n", "$9\r\ntop-secret\r\n");
    }
    pair.finish();
    assert_eq!(copied(&mut scene), [""; 0]);
    scene.read();
    for role in Role::ALL {
        let (sampled, readable) = scene.looked_at(role);
        assert!(sampled >= 4 && readable == 0, "{sampled} {readable}");
        assert!(scene.calls(role).is_empty());
    }
}

#[test]
fn nothing_is_copied_after_a_switch_of_protocols() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    ask(&mut pair, "GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", switch);
    for _ in 0..10 {
        ask(&mut pair, "\u{1}\u{20}secret of the client, long enough", "\u{1}\u{20}secret of the server, long enough");
    }
    pair.finish();
    let copied = copied(&mut scene);
    assert_eq!(copied.len(), 4, "the request and the answer at both ends: {copied:?}");
    assert!(copied.iter().all(|text| !text.contains("secret")), "{copied:?}");
}

#[test]
fn nothing_but_the_first_bytes_of_http_is_copied() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    let padding = "x".repeat(300);
    tell(
        &mut pair.client,
        &mut pair.server,
        format!("GET /a HTTP/1.1\r\nPadding: {padding}\r\nCookie: secret\r\n\r\n"),
    );
    tell(
        &mut pair.server,
        &mut pair.client,
        format!("HTTP/1.1 200 OK\r\nPadding: {padding}\r\nCookie: secret\r\n\r\n"),
    );
    ask(&mut pair, "GET /b HTTP/1.1\r\n\r\n", OK);
    pair.finish();
    let copied = copied(&mut scene);
    assert!(copied.len() >= 4, "{copied:?}");
    assert!(copied.iter().all(|text| text.len() <= 256 && !text.contains("secret")), "{copied:?}");
    assert!(copied.iter().filter(|text| text.starts_with("HTTP")).all(|text| text.len() <= 64), "{copied:?}");
}
