use super::*;
use crate::text::tests::{assert_safe, mark};

/// A text that would be a tag, an attribute or a script where it is not escaped.
pub(crate) fn markup() -> String {
    format!("</title></style></svg><script>alert(1)</script>\"' onload=alert(1) `&lt;javascript:alert(1){}", mark())
}

const TAGS: &str = "html head meta title style body main section header h1 h2 h3 p ul li dl dt dd table thead tbody tr th td \
                    span code svg g rect path text defs marker footer";

/// Panics unless a page asks for nothing, runs nothing, and has only these tags and passive attributes.
#[track_caller]
pub(crate) fn assert_passive(place: &str, page: &str) {
    assert_safe(place, page);
    assert!(page.starts_with("<!DOCTYPE html>\n") && page.ends_with("</html>\n"), "{place}");
    let policy =
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src &#39;sha256-";
    assert!(page.contains(policy), "{place}: {page}");
    assert_eq!(page.matches("<style>").count(), 1, "{place}");
    let (before, after) = page.split_once("<style>").unwrap();
    let (style, after) = after.split_once("</style>").unwrap();
    assert!(!style.contains(['<', '\\']) && !style.contains("url(") && !style.contains("@import"), "{place}");
    let mut open: Vec<&str> = Vec::new();
    for part in [before.strip_prefix("<!DOCTYPE html>").unwrap(), after] {
        for tag in part.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').unwrap_or_else(|| panic!("{place}: <{tag}"));
            assert!(!text.contains('>') && !text.contains('"'), "{place}: {text}");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{place}");
                continue;
            }
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            assert!(TAGS.split(' ').any(|known| known == name), "{place}: <{tag}>");
            if name != "meta" {
                open.push(name);
            }
            // name="value" name="value"
            for (at, piece) in attributes.split('"').enumerate().filter(|(at, piece)| at % 2 == 0 && !piece.is_empty())
            {
                let attribute = piece.trim().strip_suffix('=').unwrap_or_else(|| panic!("{place} {at}: <{tag}>"));
                assert!(!is_active(attribute), "{place}: <{tag}>");
            }
            let value = attributes.to_ascii_lowercase();
            assert!(!value.contains("javascript:") && !value.contains("expression("), "{place}: <{tag}>");
        }
    }
    assert!(open.is_empty(), "{place}: {open:?} are not closed");
}

#[test]
fn texts_and_values_from_outside_are_no_markup() {
    let mut body = Html::default();
    body.element("p", &[("class", &markup().replace("javascript:", "j:"))], &markup());
    let page = Html::page(&markup(), "p{color:red}", &body);
    assert_passive("page", &page);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onload="), "{page}");
    assert_eq!(escaped("a & b\x1b\n"), "a &amp; b\\x1b\\n");
}

#[test]
fn the_policy_has_the_digest_of_the_style() {
    // echo -n 'p{color:red}' | openssl dgst -sha256 -binary | base64
    let page = Html::page("t", "p{color:red}", &Html::default());
    assert!(page.contains("style-src &#39;sha256-p0bF+un5yUb9MBO6xRb8kPHlY2BdpHVtLiFkDrZPF64=&#39;"), "{page}");
}

#[test]
fn attributes_that_load_or_run_are_known() {
    assert!(["href", "xlink:href", "src", "onclick", "style"].into_iter().all(is_active));
    assert!(!["class", "viewBox", "d", "x", "content"].into_iter().any(is_active));
}
