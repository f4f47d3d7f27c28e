//! Every report with hostile texts, in every format.

use super::super::*;
use crate::{
    api::FactRow,
    plugin::model::{
        changed::{Change, Changes, tests::report as changes},
        close_up::Requested,
        diagnose::{diagnose, tests::pods},
        differs::{Differs, Kind, Profile, Value, differs, differs_from, tests::row},
        forecast::tests as forecast,
        health::Fact,
        hints::{HintFilter, Hints},
        incidents::{Firing, Incidents, Named},
        map::{MapFacts, Names, ServiceMap, service_map, tests::facts as map_facts},
        matrix::matrix,
        nodes::{nodes, tests as node_tests},
        status,
        testing::{NOW_MS, hint, poisoned},
        topology::{Step, Topology},
        why::{Explanation, explain, tests as cases},
    },
    text::{
        html::tests::assert_passive,
        tests::{assert_safe, mark},
    },
};

const VIEW: View = View { paint: Paint::PLAIN, wide: false, width: 100, now_ms: NOW_MS };

fn silent() -> Vec<SilentAgent> {
    vec![SilentAgent { node: mark(), agent: mark(), why: mark() }]
}

/// Checks a report alone and beside another context, in every format, without and with colors.
fn assert_report_is_safe<R: Report>(name: &str, make: impl Fn() -> R) {
    let colours = View { paint: Paint::new(true, None), ..VIEW };
    let one = || vec![(None, make())];
    let two = || vec![(Some(mark()), make()), (Some("b".to_owned()), make())];
    for format in [Format::Table, Format::Wide, Format::Json, Format::Yaml, Format::Mermaid] {
        for reports in [one(), two()] {
            let text = write(&reports, format, &VIEW).unwrap();
            assert_safe(&format!("{name} {format:?}"), &text);
            assert!(text.contains("EVIL"), "{name} {format:?} has the text:\n{text}");
            // The codes of `Paint`; those of the text are no codes any more.
            let painted = write(&reports, format, &colours).unwrap();
            assert!(!painted.contains("\x1b[31mEVIL"), "{name} {format:?}");
            let codes = ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[90m"];
            let bare = codes.iter().fold(painted.to_string(), |text, code| text.replace(code, ""));
            assert_safe(&format!("{name} {format:?} in color"), &bare);
        }
    }
    for reports in [one(), two()] {
        match write(&reports, Format::Html, &VIEW) {
            Ok(page) => {
                assert_passive(name, &page);
                assert!(R::HTML && page.contains("EVIL"), "{name} has the text:\n{page}");
            }
            Err(refusal) => assert!(!R::HTML, "{name}: {refusal}"),
        }
    }
}

#[test]
fn a_close_up_is_safe() {
    let asked = || Requested { namespace: mark(), pod: mark(), node: mark(), until: Some(mark()) };
    assert_report_is_safe("watch-closer", asked);
}

#[test]
fn hints_are_safe() {
    let hints = || [hint("shop", "payment-1", "path_loss")].map(|hint| poisoned(&hint));
    assert_report_is_safe("hints", || Hints::new(hints(), &HintFilter::default(), 3, silent()));
    assert_safe("hints -w", &change_line(&hints()[0], &VIEW));
}

#[test]
fn incidents_are_safe() {
    let hostile = |cause: &str| {
        let names = [mark(), mark(), mark(), mark(), mark(), mark()];
        let [namespace, pod, workload, node, kind, blame] = names.each_ref().map(String::as_str);
        let cause = cause.to_owned() + &mark();
        let named = Named { namespace, pod, workload, node, cause: &cause, blame_kind: kind, blame };
        Firing { to: 1_000, ..Firing::named(&named) }
    };
    let make = || Incidents {
        between: [mark(), mark()],
        prometheus: Some(mark()),
        unknown: vec![Fact::new(mark(), mark())],
        not_answered: silent(),
        ..Incidents::group(vec![hostile("a"), hostile("b")], Default::default())
    };
    assert_eq!(make().chains.len(), 1);
    assert_report_is_safe("incidents", make);
}

#[test]
fn forecasts_are_safe() {
    let make = || {
        let mut report = forecast::filling();
        for item in &mut report.items {
            (item.resource, item.node, item.unit) = (mark(), mark(), mark());
        }
        for summary in &mut report.figures {
            (summary.resource, summary.fullest) = (mark(), Some(mark()));
        }
        for one in report.accept_queues.iter_mut().flat_map(|queues| &mut queues.pods) {
            (one.namespace, one.pod, one.node) = (mark(), mark(), mark());
        }
        (report.source, report.at) = (mark(), mark());
        (report.unknown, report.not_answered) = (vec![Fact::new(mark(), mark())], silent());
        report
    };
    assert_report_is_safe("forecast", make);
}

#[test]
fn nodes_and_pairs_are_safe() {
    let rows: Vec<_> = node_tests::cluster().iter().map(poisoned).collect();
    let names: Vec<String> = node_tests::names().into_iter().map(|name| name + &mark()).collect();
    assert_report_is_safe("nodes", || nodes(&rows, &[], &names, silent()));
    assert_report_is_safe("matrix", || matrix(&rows, 4, silent()));
}

#[test]
fn maps_are_safe() {
    let make = || -> ServiceMap {
        let facts = map_facts();
        let unknown = vec![Fact::new(mark(), mark())];
        let mut edges: Vec<_> = facts.edges.iter().map(poisoned).collect();
        // Their roles are a fixed set.
        edges.iter_mut().zip(&facts.edges).for_each(|(row, known)| row.role.clone_from(&known.role));
        let hints = facts.hints.iter().map(poisoned).collect();
        let namespace = Some(mark());
        service_map(MapFacts {
            edges,
            hints,
            namespace,
            names: Names::default(),
            unknown,
            not_answered: silent(),
            ..facts
        })
    };
    assert!(make().edges.iter().any(|edge| edge.directed));
    assert_report_is_safe("map", make);
}

#[test]
fn differences_are_safe() {
    let hostile = |name: &str, mtu: &str| {
        let mut profile = Profile::new(&(name.to_owned() + &mark()));
        let fact = |name: &str, value: &str| {
            row(&(name.to_owned() + &mark()), Some(&mark()), &(value.to_owned() + &mark()), None)
        };
        let unread = FactRow { value: None, state: mark(), why: Some(mark()), ..fact("rings", "") };
        profile.add_agent(&[fact("mtu", mtu), unread]);
        profile.add_object([(Kind::Label, mark(), Value::Text(mtu.to_owned() + &mark()))]);
        profile
    };
    let others = || (0..9).map(|n| hostile(&n.to_string(), "9000")).collect::<Vec<_>>();
    let report = || Differs { not_answered: silent(), ..differs(&hostile("x", "1500"), &others()) };
    assert!(!report().items.is_empty());
    assert_report_is_safe("diff", report);
    assert_report_is_safe("diff of two", || differs_from(&hostile("x", "1500"), &others()[1], &others()));
    assert_report_is_safe("why with differences", || Explanation {
        differs: Some(report()),
        ..explain(cases::healthy(), &cases::filter())
    });
    assert_report_is_safe("nodes with differences", || crate::plugin::model::nodes::Nodes {
        differs: vec![report()],
        ..nodes(&node_tests::cluster(), &[], &[], vec![])
    });
}

#[test]
fn changes_are_safe() {
    let hostile = |change: Change| Change {
        at: mark(),
        namespace: change.namespace + &mark(),
        object: change.object + &mark(),
        what: change.what + &mark(),
        ..change
    };
    let report = || {
        let items = changes().items.into_iter().map(hostile).collect();
        let unknown = vec![Fact::new(mark(), mark())];
        let (kind, namespace, name) = (mark(), mark(), mark());
        Changes {
            kind,
            namespace,
            name,
            from: mark(),
            until: mark(),
            items,
            unknown,
            left_off: 1,
            not_answered: silent(),
        }
    };
    assert_report_is_safe("changed", report);
    assert_report_is_safe("why with changes", || {
        // The diagram has the verdict alone.
        let mut case = explain(cases::healthy(), &cases::filter());
        case.name.push_str(&mark());
        Explanation { changed: Some(report()), ..case }
    });
}

#[test]
fn unhealthy_pods_are_safe() {
    let pods: Vec<_> = pods().into_iter().map(|(node, pod)| (node + &mark(), poisoned(&*pod).into())).collect();
    assert_report_is_safe("diagnose", || diagnose(&pods, &status::judge(&pods, NOW_MS), silent()));
}

#[test]
fn topologies_are_safe() {
    let step = |depth| Step {
        depth,
        kind: mark(),
        name: mark(),
        summary: mark(),
        owners: vec![mark(), mark()],
        finalizers: vec![mark()],
        ..Step::default()
    };
    let make = || Topology { steps: vec![step(0), step(1), step(1)], unknown: vec![mark()], not_answered: silent() };
    assert_report_is_safe("topology", make);
}

#[test]
fn explanations_are_safe() {
    let make = |mut facts: crate::plugin::model::why::Facts| -> Explanation {
        for pod in &mut facts.pods {
            for text in [&mut pod.namespace, &mut pod.name, &mut pod.node] {
                text.push_str(&mark());
            }
            pod.info = pod.info.as_deref().map(|info| poisoned(info).into());
            pod.row = pod.row.as_ref().map(poisoned);
        }
        for text in [&mut facts.kind, &mut facts.namespace, &mut facts.name] {
            text.push_str(&mark());
        }
        facts.hints = facts.hints.iter().map(poisoned).collect();
        facts.edges = facts.edges.iter().map(poisoned).collect();
        facts.callees = facts.callees.iter().map(poisoned).collect();
        facts.agents = facts.agents.iter().map(poisoned).collect();
        let fact = || vec![Fact::new(mark(), mark()); 9];
        (facts.related, facts.events, facts.unknown) = (fact(), fact(), fact());
        facts.not_answered = silent();
        explain(facts, &cases::filter())
    };
    assert_report_is_safe("why", || make(cases::loses()));
    assert_report_is_safe("why of a healthy Pod", || make(cases::healthy()));
    assert_report_is_safe("why of a slow peer", || make(cases::waits_for_throttled_peer()));
    assert_report_is_safe("why of a slow callee", || make(cases::waits_for_callees()));
    assert_report_is_safe("why of two Pods", || {
        let mut facts = cases::healthy();
        facts.pods.push(facts.pods[0].clone());
        make(facts)
    });
}
