use super::*;
use crate::{
    plugin::model::testing::{NOW_MS, golden},
    text::tests::{assert_safe, mark},
};

const PLAIN: View = View { paint: Paint::PLAIN, wide: false, width: 100, now_ms: NOW_MS };

fn source(pod: &str, container: &str, role: Role) -> Source {
    Source {
        context: None,
        namespace: "shop".into(),
        pod: pod.into(),
        container: container.into(),
        node: "node-a".into(),
        role,
        previous: false,
    }
}

fn line(time: &str, text: &str, left_off: u64) -> Line {
    Line { time: time.parse().ok(), text: text.into(), left_off }
}

fn lines() -> Vec<(Source, Line)> {
    let cart = source("cart-6b8f", "app", Role::Target);
    let db = |container| source("db-0", container, Role::Culprit);
    vec![
        (cart.clone(), line("2026-01-01T00:00:01.5Z", "GET /cart 200", 0)),
        (Source { previous: true, ..db("app") }, line("2026-01-01T00:00:02.123456789Z", "panic: out of memory", 0)),
        (db("proxy"), line("2026-01-01T00:00:03Z", "upstream reset", 12)),
        (cart, line("", "unable to retrieve container logs", 0)),
        (db("app"), line("2026-01-01T00:00:04Z", "", 0)),
    ]
}

fn shown(lines: &[(Source, Line)], format: Format, view: &View) -> String {
    let sources: Vec<Source> = lines.iter().map(|(source, _)| source.clone()).collect();
    let logs = LogView::new(&sources, format, view).unwrap();
    let texts = lines.iter().enumerate().map(|(ix, (source, line))| logs.line(ix, source, line).unwrap().to_string());
    texts.collect()
}

#[test]
fn lines_in_every_format() {
    for (format, ending) in
        [(Format::Table, "txt"), (Format::Wide, "wide.txt"), (Format::Json, "json"), (Format::Yaml, "yaml")]
    {
        golden(&format!("logs.{ending}"), &shown(&lines(), format, &PLAIN));
    }
    let refused = LogView::new(&[], Format::Mermaid, &PLAIN).unwrap_err();
    assert!(refused.what.contains("no diagram") && !refused.remedy.is_empty(), "{refused}");
}

#[test]
fn names_are_as_short_as_the_others_allow() {
    let one = [(source("cart", "app", Role::Target), line("2026-01-01T00:00:01Z", "x", 0))];
    assert_eq!(shown(&one, Format::Table, &PLAIN), "2026-01-01T00:00:01.000Z  cart  x\n");
    let mut two = [one[0].clone(), one[0].clone()];
    two[1].0.namespace = "db".into();
    two[0].0.context = Some("prod".into());
    let text = shown(&two, Format::Table, &PLAIN);
    assert!(text.contains("prod: shop/cart  x") && text.contains("  db/cart          x"), "{text}");
}

#[test]
fn each_pod_has_a_color_of_its_own() {
    let view = View { paint: Paint::new(true, None), ..PLAIN };
    let text = shown(&lines(), Format::Table, &view);
    let codes: Vec<&str> =
        text.lines().map(|line| line.split("\x1b[").nth(3).unwrap().split('m').next().unwrap()).collect();
    assert_eq!(codes, ["36", "35", "35", "36", "35"], "{text}");
    let bare = ["\x1b[36m", "\x1b[35m", "\x1b[90m", "\x1b[0m"].iter().fold(text, |text, code| text.replace(code, ""));
    assert_eq!(bare.replace(' ', ""), shown(&lines(), Format::Table, &PLAIN).replace(' ', ""));
}

#[test]
fn hostile_lines_and_names_are_escaped() {
    let mut source = source(&mark(), &mark(), Role::Culprit);
    (source.namespace, source.node, source.context) = (mark(), mark(), Some(mark()));
    let all = [(source, line("2026-01-01T00:00:01Z", &mark(), 3))];
    for format in [Format::Table, Format::Wide, Format::Json, Format::Yaml] {
        let text = shown(&all, format, &PLAIN);
        assert!(text.contains("EVIL"));
        assert_safe(&format!("logs {format:?}"), &text);
        if format == Format::Json {
            assert_eq!(text.lines().count(), 1);
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["message"], mark());
        }
    }
}
