use super::{super::is_route, *};

fn of(path: &str) -> String {
    let route = template(path.as_bytes(), false);
    assert!(is_route(&route), "{route:?}");
    route
}

#[test]
fn words_stay_and_identifiers_go() {
    for (path, route) in [
        ("/", "/"),
        ("", "/"),
        ("/cart", "/cart"),
        ("/cart/", "/cart"),
        ("/api/v1/users/123", "/api/v1/users/:id"),
        ("/users/7/orders/8", "/users/:id/orders/:id"),
        ("/blob/d41d8cd98f00b204e9800998ecf8427e", "/blob/:id"),
        ("/commit/9daeafb9864c", "/commit/:id"),
        ("/item/3f2504e0-4f89-11d3-9a0c-0305e82c3301/price", "/item/:id/price"),
        ("/item-4711.json", "/item-:id.json"),
        ("/order12345", "/order:id"),
        ("/oauth2/token", "/oauth2/token"),
        ("/2024-11-29/report", "/:id/report"),
        ("/a1b2c3d4", "/:id"),
        ("/x9y8z7", "/:id"),
        ("/mail/jane@example.org", "/mail/:id"),
        ("/name/J%C3%BCrgen", "/name/:id"),
        ("/feed/decade", "/feed/decade"),
        ("/v1/jobs:cancel", "/v1/jobs:cancel"),
        ("/static/app.min.js?v=3", "/static/app.min.js"),
        ("/session;jsessionid=secret/next", "/session"),
        ("http://shop:80/cart#top", "/cart"),
        ("http://shop", "/"),
        ("/redirect/http://evil/x", "/redirect/http:/evil/x"),
    ] {
        assert_eq!(of(path), route, "{path}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    assert_eq!(of("/a/b/c/d/e/f/g/h"), "/a/b/c/d/e/f/~");
    assert_eq!(of(&format!("/{}", "a".repeat(LONG_WORD + 1))), "/:id");
    let long = "/a-quite-long-segment-of-many-words";
    assert!(of(&long.repeat(6)).ends_with(REST));
    assert!(of(&"/x".repeat(10_000)).len() <= MAX_ROUTE);
}

#[test]
fn a_path_that_is_cut_loses_its_last_segment() {
    assert_eq!(template(b"/a/secre", true), "/a/~");
    assert_eq!(template(b"/a/", true), "/a/~");
    assert_eq!(template(b"/a?tok", true), "/a");
    assert_eq!(template(b"secre", true), "/~");
}

#[test]
fn any_bytes_make_a_plain_template() {
    for byte in 0..=u8::MAX {
        for path in [vec![b'/', byte, byte], vec![byte], vec![byte; 300]] {
            let route = template(&path, false);
            assert!(is_route(&route), "{path:?} became {route:?}");
        }
    }
}
