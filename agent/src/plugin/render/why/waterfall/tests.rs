use super::*;
use crate::api::HttpCalls;
use crate::plugin::{
    model::{
        testing::NOW_MS,
        waterfall::{
            tests::{callee, row as pod, times},
            waterfall,
        },
    },
    render::{Paint, View},
};

fn screen(waterfall: &Waterfall, width: usize) -> Text {
    let view = View { paint: Paint::PLAIN, wide: false, width, now_ms: NOW_MS };
    let mut out = Screen { view: &view, text: Text::default() };
    section(waterfall, &mut out);
    out.text
}

fn part(block: char, seconds: f64) -> Part {
    Part { block, label: String::new(), seconds, normally: None }
}

#[test]
fn bars_are_in_proportion_and_never_longer_than_their_width() {
    let parts = [part('a', 0.3), part('b', 0.001), part('c', 0.699)];
    assert_eq!(bar(&parts, 1.0, 10), "aaaccccccc");
    assert_eq!(bar(&parts, 10.0, 10), "c");
    assert_eq!(bar(&parts, 1000.0, 10), "c", "a short row has its longest part");
    for width in 1..40 {
        assert_eq!(bar(&parts, 1.0, width).chars().count(), width);
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let long = "n".repeat(300);
    let mut asks = callee(&long, 5_000.0);
    asks.times.unanswered = Some(12);
    asks.times.unanswered_for_seconds = Some(42.0);
    let server = Some(times(20.0, &[("unread", 0.1), ("application", 60.0)]));
    let made = waterfall(&[&pod(&long, "node-a", server, vec![asks])], &[], &[]);
    for width in [60, 80, 100, 200] {
        let text = screen(&made, width);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= width, "{widest} > {width}:\n{text}");
        assert!(text.contains("12 requests wait for an answer, some for 42.0 s"), "{text}");
    }
}

#[test]
fn shares_of_errors_stand_beside_the_times() {
    let mut server = times(20.0, &[("application", 60.0)]);
    let http =
        |grpc, error_share, normal_error_share| Some(HttpCalls { sampled: 50, grpc, error_share, normal_error_share });
    server.http = http(0, 0.25, Some(0.001));
    let mut asks = callee("api", 5.0);
    asks.times.http = http(50, 0.0, None);
    let mut both = callee("both", 5.0);
    both.times.http = http(49, 0.1, None);
    let text = screen(&waterfall(&[&pod("web", "node-a", Some(server), vec![asks, both])], &[], &[]), 200);
    assert!(text.contains("25 % HTTP errors (normally 0.10 %)"), "{text}");
    assert!(text.contains("· 0 % gRPC errors\n"), "{text}");
    assert!(text.contains("· 10 % HTTP and gRPC errors\n"), "{text}");
}

#[test]
fn of_many_rows_those_nearest_to_the_target_are_shown() {
    let asks = |names: &[&str]| names.iter().map(|name| callee(name, 5.0)).collect::<Vec<_>>();
    let web = pod("web", "node-a", None, asks(&["api", "z"]));
    let api = pod("api", "node-b", None, asks(&["a", "b", "c"]));
    let made = waterfall(&[&web], &[api], &[]);
    let names = |most: usize| -> Vec<String> {
        shown(&made.rows, most).iter().map(|row| row.callee.clone().unwrap_or_default()).collect()
    };
    assert_eq!(names(3), ["shop/api:8080", "shop/a:8080", "shop/z:8080"]);
    assert_eq!(names(9).len(), 5);
}

#[test]
fn without_rows_the_section_says_why() {
    let why = "response times are off on node-a: set signals.responses to on".to_owned();
    let text = screen(&Waterfall { rows: Vec::new(), missing: vec![why.clone()] }, 100);
    assert!(text.contains("WHERE THE TIME GOES") && text.contains(&why), "{text}");
    assert_eq!(&*screen(&Waterfall::default(), 100), "");
}
