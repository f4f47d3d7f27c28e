use super::*;
use crate::{
    plugin::{
        cli::Format,
        model::{
            health::Fact,
            incidents::{Firing, Named, tests::nights},
            testing::NOW_MS,
        },
        render::{Paint, View, write},
    },
    text::{
        Text,
        html::tests::{assert_passive, markup},
    },
};

const PLAIN: View = View { paint: Paint::PLAIN, wide: false, width: 100, now_ms: NOW_MS };

#[track_caller]
fn page(report: Incidents) -> Text {
    let page = write(&[(None, report)], Format::Html, &PLAIN).unwrap();
    assert_passive("incidents", &page);
    page
}

#[test]
fn a_page_has_the_screen_and_when_each_fired() {
    let page = page(nights());
    for part in [
        "<h1>Incidents from 2026-01-01T00:00:00Z to 2026-01-08T00:00:00Z</h1>",
        "of the flight recorders of 2 Nodes.",
        ">node_packet_loss (shop/Deployment/payment)</text>",
        ">01-01 00:00Z</text>",
        ">01-08 00:00Z</text>",
        "2026-01-06T03:10:00Z to 2026-01-06T03:30:00Z, fired 20m",
        "<td class=\"yellow\">daily about 03:06Z, 6 of 6 days</td>",
        "01-06 03:10Z  node_nic_drops (Node/node-b) → node_packet_loss (shop/Deployment/payment)</p>",
        "Times without a record",
    ] {
        assert!(page.contains(part), "no {part}\n{page}");
    }
    // Six nights of each of two, and an hour of the third.
    assert_eq!((page.matches("class=\"h3\"").count(), page.matches("class=\"h4\"").count()), (13, 0));
}

#[test]
fn what_still_fires_has_its_newest_bar_in_red() {
    let mut report = nights();
    report.items[0].lasts = true;
    let page = page(report);
    assert_eq!((page.matches("class=\"h3\"").count(), page.matches("class=\"h4\"").count()), (12, 1));
}

#[test]
fn nothing_has_no_picture() {
    let page = page(Incidents::default());
    assert!(page.contains("Nothing fired in that time.") && !page.contains("<svg"), "{page}");
}

#[test]
fn bars_are_within_the_time_and_wide_enough_to_see() {
    let occurrence = |from: &str, to: &str| Occurrence { from: from.into(), to: to.into(), seconds: 1.0 };
    let at = |stamp: &str| millis(stamp).unwrap();
    let range = (at("2026-01-01T00:00:00Z"), at("2026-01-05T00:00:00Z"));
    let day = |from: &str, to: &str| place(&occurrence(from, to), range);
    assert_eq!(day("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"), Some((TIME / 4.0, TIME / 4.0)));
    assert_eq!(day("2025-12-01T00:00:00Z", "2026-02-01T00:00:00Z"), Some((0.0, TIME)), "longer than the time");
    assert_eq!(day("2026-01-05T00:00:00Z", "2026-01-05T00:00:00Z"), Some((TIME - NARROWEST, NARROWEST)));
    assert_eq!(day("", "2026-01-05T00:00:00Z"), None);
}

#[test]
fn markup_from_outside_is_text() {
    let names: [String; 6] = std::array::from_fn(|_| markup());
    let [namespace, pod, workload, node, blame_kind, blame] = names.each_ref().map(String::as_str);
    let cause = markup();
    let named = Named { namespace, pod, workload, node, cause: &cause, blame_kind, blame };
    let firing = Firing { to: 1_000, ..Firing::named(&named) };
    let range = (Timestamp::UNIX_EPOCH, "2026-01-01T00:00:00Z".parse().unwrap());
    let report = Incidents {
        prometheus: Some(markup()),
        unknown: vec![Fact::new(markup(), markup())],
        ..Incidents::group(vec![firing], range)
    };
    let page = page(report);
    assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("<svg"), "{page}");
}

#[test]
fn a_page_is_bounded() {
    let firings = (0..250_i64).flat_map(|n| (0..60).map(move |time| (n, time))).map(|(n, time)| {
        let (pod, workload) = (format!("w{n}-1"), format!("Deployment/w{n}"));
        let named = Named {
            namespace: "shop",
            pod: &pod,
            workload: &workload,
            node: "node-a",
            cause: "path_loss",
            blame_kind: "pod",
            blame: "",
        };
        let from = time * 3_600_000;
        Firing { from, to: from + 60_000, ..Firing::named(&named) }
    });
    let range = (Timestamp::UNIX_EPOCH, "1970-01-04T00:00:00Z".parse().unwrap());
    let page = page(Incidents::group(firings.collect(), range));
    assert!(page.contains("40 of 250 incidents, the most frequent") && page.contains("200 of 250 incidents; -o json"));
    assert!(page.len() < 1_000_000, "{}", page.len());
}
