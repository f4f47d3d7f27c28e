use super::*;
use crate::{
    plugin::{
        model::{
            changed::tests::report as changes,
            differs::{
                differs,
                tests::{odd_node, others},
            },
            hints::Hints,
            map::{MapFacts, Names, ServiceMap, service_map, tests as map_tests},
            matrix::{Matrix, matrix as pairs},
            nodes::tests as node_tests,
            testing::{NOW_MS, golden, peer_row, poisoned_with},
            why::{Facts, explain, tests as cases},
        },
        render::{Paint, write},
    },
    text::html::tests::{assert_passive, markup},
};

const PLAIN: View = View { paint: Paint::PLAIN, wide: false, width: 100, now_ms: NOW_MS };

#[track_caller]
fn page_of<R: Report>(name: &str, report: R) -> Text {
    let page = write(&[(None, report)], Format::Html, &PLAIN).unwrap();
    assert_passive(name, &page);
    page
}

#[track_caller]
fn assert_golden<R: Report>(name: &str, report: R) {
    golden(&format!("{name}.html"), &page_of(name, report));
}

#[test]
fn pages_of_why() {
    let mut loses = explain(cases::loses(), &cases::filter());
    loses.changed = Some(changes());
    loses.differs = Some(differs(&odd_node(), &others()));
    assert_golden("why-loss", loses);
    assert_golden("why-time", explain(cases::waits_for_callees(), &cases::filter()));
    assert_golden("why-peer", explain(cases::waits_for_throttled_peer(), &cases::filter()));
}

#[test]
fn pages_of_matrix_and_map() {
    assert_golden("matrix", pairs(&node_tests::cluster(), 4, vec![]));
    assert_golden("map", map_tests::map());
}

#[test]
fn a_page_has_what_stderr_says() {
    let silent = SilentAgent { node: "node-z".into(), agent: "netwhy/z".into(), why: "no answer within 5 s".into() };
    let page = page_of("matrix", pairs(&node_tests::cluster(), 4, vec![silent]));
    assert!(page.contains("Agents that did not answer") && page.contains("netwhy/z on node-z"), "{page}");
    assert!(page.contains("kubectl netwhy, 2026-01-01T00:00:12Z"), "{page}");
}

#[test]
fn several_contexts_are_sections_of_one_page() {
    let map = |name: &str| (Some(name.to_owned()), map_tests::map());
    let page = write(&[map("a"), map("b")], Format::Html, &PLAIN).unwrap();
    assert_passive("contexts", &page);
    assert!(page.contains("<title>netwhy: Service map of namespace shop in context a</title>"), "{page}");
    assert!(page.contains("<h1>Service map of namespace shop in context b</h1>"), "{page}");
}

#[test]
fn reports_without_a_page_refuse_it_and_pages_are_not_watched() {
    let refused = "this command has no HTML; use -o html with `why`, `matrix`, `map` or `incidents`, or another -o";
    for result in [
        check::<Hints>(Format::Html, false).map_err(|failure| failure.to_string()),
        write(&[(None, Hints::default())], Format::Html, &PLAIN).map(drop).map_err(|failure| failure.to_string()),
    ] {
        assert_eq!(result, Err(refused.to_owned()));
    }
    assert!(check::<Hints>(Format::Json, true).is_ok() && check::<Matrix>(Format::Html, false).is_ok());
    assert!(check::<Matrix>(Format::Html, true).unwrap_err().to_string().contains("omit -w"));
}

#[test]
fn markup_from_outside_is_text() {
    let text = markup();
    let silent = || vec![SilentAgent { node: markup(), agent: markup(), why: markup() }];
    let is_text = |page: &Text| page.contains("&lt;script&gt;alert(1)");
    let rows: Vec<_> = node_tests::cluster().iter().map(|row| poisoned_with(row, &text)).collect();
    assert!(is_text(&page_of("matrix", pairs(&rows, 4, silent()))));
    let facts = map_tests::facts();
    let mut edges: Vec<_> = facts.edges.iter().map(|row| poisoned_with(row, &text)).collect();
    edges.iter_mut().zip(&facts.edges).for_each(|(row, known)| row.role.clone_from(&known.role));
    let hints = facts.hints.iter().map(|hint| poisoned_with(hint, &text)).collect();
    let unknown = vec![Fact::new(markup(), markup())];
    let facts = MapFacts { edges, hints, unknown, names: Names::default(), not_answered: silent(), ..facts };
    assert!(is_text(&page_of("map", service_map(facts))));
    for mut case in [cases::loses(), cases::waits_for_callees(), cases::waits_for_throttled_peer()] {
        for pod in &mut case.pods {
            pod.row = pod.row.as_ref().map(|row| poisoned_with(row, &text));
        }
        let hints = case.hints.iter().map(|hint| poisoned_with(hint, &text)).collect();
        let callees = case.callees.iter().map(|row| poisoned_with(row, &text)).collect();
        let fact = || vec![Fact::new(markup(), markup())];
        let name = format!("{}{text}", case.name);
        let case = Facts { hints, callees, name, related: fact(), events: fact(), unknown: fact(), ..case };
        assert!(is_text(&page_of("why", explain(case, &cases::filter()))));
    }
    let mut case = explain(cases::loses(), &cases::filter());
    let mut changed = changes();
    changed.items.iter_mut().for_each(|item| item.what.clone_from(&text));
    case.changed = Some(changed);
    assert!(is_text(&page_of("why", case)));
}

/// The largest pictures, and none at all.
#[test]
fn pages_are_bounded() {
    assert!(page_of("no map", ServiceMap::default()).contains("No traffic in the window"));
    assert!(page_of("no matrix", Matrix::default()).contains("No traffic between Nodes"));
    let names: Vec<String> = (0..120).map(|n| format!("node-{n}")).collect();
    let all =
        names.iter().flat_map(|a| names.iter().filter(move |b| a != *b).map(move |b| peer_row(a, b, 1000, 1, 90)));
    let page = page_of("large matrix", pairs(&all.collect::<Vec<_>>(), 120, vec![]));
    assert!(page.contains("60 of 120 Nodes") && page.contains("Pairs, 50 of 14280"), "{}", page.len());
    assert!(page.len() < 2_000_000, "{}", page.len());
    let mut facts = map_tests::facts();
    let template = facts.edges[1].clone();
    for n in 0..2000_u32 {
        let mut row = template.clone();
        (row.subject.workload, row.subject.name) = (format!("Deployment/w{}", n % 400), format!("w{}-1", n % 400));
        row.peer_pod = Some(format!("shop/w{}-1", (n * 7 + 1) % 400));
        facts.edges.push(row);
    }
    let page = page_of("large map", service_map(facts));
    assert!(page.contains("more edges are not drawn"), "{}", page.len());
    assert!(page.len() < 500_000, "{}", page.len());
}

#[test]
fn lengths_have_no_needless_digits_and_names_are_clipped() {
    assert_eq!([px(12.0), px(12.25), px(-0.5)], ["12", "12.2", "-0.5"]);
    assert_eq!((clipped("abc", 3), clipped("abcd", 3)), ("abc".to_owned(), "ab…".to_owned()));
}
