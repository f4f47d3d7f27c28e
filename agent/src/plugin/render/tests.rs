//! Every report in every format, compared with files.

mod hostile;

use super::*;
use crate::api::Gap;
use crate::plugin::model::{
    changed::{self, tests::report as changes},
    close_up::Requested,
    diagnose::{diagnose, tests::pods},
    differs::{
        differs, differs_from,
        tests::{odd_node, others},
    },
    forecast::tests as forecast,
    hints::{HintFilter, Hints, MissingTime},
    incidents::{Incidents, tests as incidents},
    map::tests::map,
    matrix::matrix,
    nodes::{nodes, tests as node_tests},
    status,
    testing::{NOW_MS, golden, hint},
    topology::tests::topology,
    why::{Facts, explain, tests as cases},
};

const PLAIN: View = View { paint: Paint::PLAIN, wide: false, width: 100, now_ms: NOW_MS };

/// All formats of a report in one file each.
fn formats<R: Report>(name: &str, report: R) {
    let reports = [(None, report)];
    for (format, ending) in [
        (Format::Table, "txt"),
        (Format::Wide, "wide.txt"),
        (Format::Json, "json"),
        (Format::Yaml, "yaml"),
        (Format::Mermaid, "mermaid"),
    ] {
        let text = write(&reports, format, &PLAIN).unwrap();
        assert!(!text.contains('\x1b') && text.ends_with('\n') && !text.contains(" \n"), "{name} {ending}:\n{text}");
        golden(&format!("{name}.{ending}"), &text);
    }
}

fn hints() -> Hints {
    let mut resolved = hint("shop", "cart-2", "peer_slow");
    resolved.state = crate::api::HintState::Resolved;
    let filter = HintFilter { namespace: None, since: Some(std::time::Duration::from_secs(600)), now_ms: NOW_MS };
    Hints::new([resolved, hint("shop", "payment-1", "path_loss")], &filter, 3, vec![])
}

#[test]
fn why_in_every_format() {
    formats("why-peer", explain(cases::waits_for_throttled_peer(), &cases::filter()));
    formats("why-loss", explain(cases::loses(), &cases::filter()));
    formats("why-well", explain(cases::healthy(), &cases::filter()));
    formats("why-time", explain(cases::waits_for_callees(), &cases::filter()));
}

#[test]
fn why_of_the_past_in_every_format() {
    let facts = Facts { at: Some("2025-12-31T23:59:00Z".to_owned()), ..cases::loses() };
    formats("why-past", explain(facts, &cases::filter()));
}

#[test]
fn hints_in_every_format() {
    formats("hints", hints());
}

#[test]
fn hints_of_the_past_in_every_format() {
    let time = ["2025-12-31T23:00:00Z", "2026-01-01T01:00:00Z"].map(|time| time.parse().unwrap());
    let mut resolved = hint("shop", "cart-2", "peer_slow");
    resolved.state = crate::api::HintState::Resolved;
    resolved.last_seen = "2026-01-01T00:14:00Z".to_owned();
    let gap =
        Gap { from: "2025-12-31T23:10:00Z".into(), to: "2025-12-31T23:25:00Z".into(), why: "no agent ran".into() };
    let missing = vec![MissingTime { node: "node-a".into(), gap }];
    let of_time = |items| Hints::of_time(items, time.into(), 3, vec![], missing.clone());
    formats("hints-past", of_time(vec![resolved, hint("shop", "payment-1", "path_loss")]));
    let none = of_time(vec![]).text(&PLAIN);
    assert_eq!(&*none, "No recorded hints on 3 Nodes in that time; some of it is not recorded.\n");
    let quiet = Hints::of_time(vec![], time.into(), 3, vec![], vec![]).text(&PLAIN);
    assert_eq!(&*quiet, "No hints fired on 3 Nodes in that time.\n");
}

#[test]
fn incidents_in_every_format() {
    formats("incidents", incidents::nights());
    let quiet = Incidents { between: ["a".into(), "b".into()], agents: 1, ..Incidents::default() };
    assert_eq!(
        &*quiet.text(&PLAIN),
        "Nothing fired in that time.\n\nFrom a to b, of the flight recorders of 1 Node.\n"
    );
}

#[test]
fn forecasts_in_every_format() {
    formats("forecast", forecast::filling());
}

#[test]
fn a_close_up_in_every_format() {
    let until = Some("2026-01-02T03:14:05Z".to_owned());
    let asked = Requested { namespace: "shop".into(), pod: "cart-1".into(), node: "node-a".into(), until };
    let text = write(&[(None, asked.clone())], Format::Table, &PLAIN).unwrap();
    assert!(text.starts_with("Pod shop/cart-1 on node-a is exempt from sampling until 2026-01-02T03:14:05Z"), "{text}");
    formats("watch-closer", asked);
}

#[test]
fn nodes_and_matrix_in_every_format() {
    let rows = node_tests::cluster();
    formats("nodes", nodes(&rows, &[], &node_tests::names(), vec![]));
    formats("matrix", matrix(&rows, 4, vec![]));
}

#[test]
fn the_map_in_every_format() {
    formats("map", map());
    let none =
        crate::plugin::model::map::ServiceMap { agents: 3, namespace: Some("shop".into()), ..Default::default() };
    assert_eq!(&*none.text(&PLAIN), "No traffic of namespace shop in the window on 3 Nodes.\n");
}

#[test]
fn differences_in_every_format() {
    formats("diff", differs(&odd_node(), &others()));
    formats("diff-pair", differs_from(&odd_node(), &others()[1], &others()));
    assert_eq!(
        &*differs(&others()[0], &others()).text(&PLAIN),
        "node-0 among 38 Nodes that are well\nNo known fact is odd.\n"
    );
}

/// Of three Nodes beside the blamed one, as its agents name them.
#[test]
fn a_blamed_node_has_a_section_in_why_and_nodes() {
    let mut case = explain(cases::loses(), &cases::filter());
    case.differs = Some(differs(&odd_node(), &others()));
    formats("why-differs", case);
    let mut list = nodes(&node_tests::cluster(), &[], &node_tests::names(), vec![]);
    list.differs = vec![differs(&odd_node(), &others())];
    golden("nodes-differs.txt", &list.text(&PLAIN));
}

#[test]
fn changes_in_every_format() {
    formats("changed", changes());
    let none = changed::changes(
        &changed::Focus::new("Node", "", "node-a"),
        changed::Window::before(NOW_MS, 60_000),
        changed::Found::default(),
    );
    golden("changed-none.txt", &none.text(&PLAIN));
}

#[test]
fn what_changed_before_has_a_section_in_why() {
    let mut case = explain(cases::loses(), &cases::filter());
    case.changed = Some(changes());
    formats("why-changed", case);
}

#[test]
fn nodes_where_troubled_pods_gather_have_a_section_in_diagnose() {
    let pods = pods();
    let mut report = diagnose(&pods, &status::judge(&pods, NOW_MS), vec![]);
    report.differs = vec![differs(&odd_node(), &others())];
    golden("diagnose-differs.txt", &report.text(&PLAIN));
}

#[test]
fn diagnose_in_every_format() {
    let pods = pods();
    formats("diagnose", diagnose(&pods, &status::judge(&pods, NOW_MS), vec![]));
}

#[test]
fn topology_in_every_format() {
    formats("topology", topology());
}

#[test]
fn several_contexts_stand_side_by_side() {
    let both =
        |format| write(&[(Some("a".to_owned()), hints()), (Some("b".to_owned()), hints())], format, &PLAIN).unwrap();
    golden("contexts.txt", &both(Format::Table));
    let json: serde_json::Value = serde_json::from_str(&both(Format::Json)).unwrap();
    assert_eq!((json[0]["context"].as_str(), json[1]["items"].as_array().unwrap().len()), (Some("a"), 2));
    let wells = [Some("a"), Some("b")].map(|c| (c.map(str::to_owned), explain(cases::healthy(), &cases::filter())));
    assert!(write(&wells, Format::Table, &PLAIN).unwrap().contains("── context b ──"));
}

#[test]
fn colour_changes_no_column() {
    let colour = View { paint: Paint::new(true, None), ..PLAIN };
    let plain = |text: &str| {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\x1b') {
            out.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        out + rest
    };
    let report = hints();
    assert_ne!(report.text(&colour), report.text(&PLAIN));
    assert_eq!(plain(&report.text(&colour)), &*report.text(&PLAIN));
    let rows = matrix(&node_tests::cluster(), 4, vec![]);
    assert_eq!(plain(&rows.text(&colour)), &*rows.text(&PLAIN));
}

#[test]
fn an_empty_list_names_the_agents_without_an_answer() {
    let none = |silent: usize| {
        let silent =
            vec![crate::plugin::model::SilentAgent { node: "n".into(), agent: "a".into(), why: "w".into() }; silent];
        Hints::new([], &HintFilter::default(), 3, silent).text(&PLAIN)
    };
    assert_eq!(&*none(0), "No hints on 3 Nodes.\n");
    assert!(none(2).contains("2 agents did not answer"));
}

#[test]
fn lines_break_between_words_and_ages_look_like_kubectl() {
    assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
    assert_eq!([1_000, 119_000, 120_000, 7_200_000, 172_800_000].map(age), ["1s", "119s", "2m", "2h", "2d"]);
}
