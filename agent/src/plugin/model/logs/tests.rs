use super::*;
use crate::{
    api::{Ended, Why},
    plugin::model::{
        testing::{NOW_MS, container, pod_info},
        why::{explain, tests as cases},
    },
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn line(time: &str, text: &str) -> Line {
    Line { time: (!time.is_empty()).then(|| at(&format!("2026-01-01T00:00:{time}Z"))), text: text.into(), left_off: 0 }
}

fn wanted(begin_ms: i64) -> Wanted {
    let begin = Timestamp::from_millisecond(begin_ms).unwrap();
    Wanted { begin, container: None, previous: false, follow: false }
}

/// `container` or `container-` for its previous run.
fn named(sources: &[Source]) -> Vec<String> {
    sources.iter().map(|one| format!("{}{}", one.container, if one.previous { "-" } else { "" })).collect()
}

#[test]
fn a_line_is_its_time_and_its_text() {
    let read = |text: &str| {
        let line = Line::read(text.as_bytes(), 0);
        (line.time.map(|time| time.to_string()), line.text)
    };
    let stamp = "2026-01-01T00:00:01.123456789Z";
    assert_eq!(read(&format!("{stamp} a  b ")), (Some(stamp.into()), "a  b ".into()));
    assert_eq!(read(&format!("{stamp} a\r")), (Some(stamp.into()), "a".into()));
    assert_eq!(read(stamp), (Some(stamp.into()), String::new()));
    assert_eq!(read(&format!("{stamp} ")), (Some(stamp.into()), String::new()));
    assert_eq!(read("2026-01-01T01:00:00+01:00 x").0.unwrap(), "2026-01-01T00:00:00Z");
    assert_eq!(read("unable to retrieve container logs"), (None, "unable to retrieve container logs".into()));
    assert_eq!(read(""), (None, String::new()));
    assert_eq!(Line::read(b"2026-01-01T00:00:00Z \xff\x1b", 7).text, "\u{fffd}\x1b");
}

#[test]
fn lines_begin_before_the_onset_or_as_asked_for() {
    let now = Timestamp::from_millisecond(NOW_MS).unwrap();
    let case = explain(cases::loses(), &cases::filter());
    let onset: Timestamp = case.verdict.since.as_deref().unwrap().parse().unwrap();
    assert_eq!(begin(None, Some(&case), now), onset - SignedDuration::from_secs(30));
    assert_eq!(begin(Some(Duration::from_secs(60)), Some(&case), now), now - SignedDuration::from_secs(60));
    let well = explain(cases::healthy(), &cases::filter());
    for case in [None, Some(&well)] {
        assert_eq!(begin(None, case, now), now - SignedDuration::from_secs(300));
    }
    assert_eq!(begin(Some(Duration::MAX), None, now), Timestamp::UNIX_EPOCH);
}

#[test]
fn a_container_that_restarted_within_the_time_has_two_runs() {
    let mut pod = pod_info("shop", "cart-1");
    let mut waits = container("crashes", ContainerState::Waiting(Why::default()));
    let mut again = container("again", ContainerState::Running { since_ms: Some(NOW_MS) });
    let last = |ago: i64| Some(Ended { at_ms: Some(NOW_MS - ago), ..Ended::default() });
    (waits.last, again.last) = (last(900_000), last(60_000));
    let new = container("new", ContainerState::Waiting(Why::default()));
    pod.containers.extend([waits, again, new]);
    let sources = |wanted: &Wanted| named(&wanted.sources(&pod, "node-a", Role::Target, None));
    let since = |ago: i64| wanted(NOW_MS - ago);
    assert_eq!(sources(&since(300_000)), ["app", "crashes-", "again-", "again"]);
    assert_eq!(sources(&since(30_000)), ["app", "crashes-", "again"]);
    assert_eq!(sources(&Wanted { previous: true, ..since(30_000) }), ["app", "crashes-", "again-", "again"]);
    let follow = Wanted { follow: true, ..since(30_000) };
    assert_eq!(sources(&follow), ["app", "crashes-", "crashes", "again", "new"]);
    assert_eq!(sources(&Wanted { container: Some("again".into()), ..since(30_000) }), ["again"]);
    let asked = Wanted { previous: true, ..since(30_000) };
    let all = asked.sources(&pod, "node-a", Role::Target, Some("prod"));
    assert_eq!(all.iter().map(|one| asked.begin_of(one).is_none()).collect::<Vec<_>>(), [false, true, true, false]);
    assert_eq!((all[0].context.as_deref(), all[0].node.as_str()), (Some("prod"), "node-a"));
}

#[test]
fn the_culprits_logs_come_first_when_there_are_too_many() {
    let roles = |n: usize| (0..n).map(|ix| (ix, if ix == 70 { Role::Culprit } else { Role::Target })).collect();
    let (kept, more) = bounded(roles(80), |(_, role)| *role);
    assert_eq!((kept.len(), more, kept[0].0, kept[1].0), (MAX_SOURCES, 80 - MAX_SOURCES, 70, 0));
    assert_eq!(bounded(roles(3), |(_, role)| *role).1, 0);
}

/// The order of the lines of these sources, each of which has its next line at once.
fn merged(sources: &[&[Line]]) -> Vec<String> {
    let mut merge = Merge::new(sources.len(), None);
    let mut next = vec![0; sources.len()];
    let mut out = Vec::new();
    loop {
        for (ix, lines) in sources.iter().enumerate().filter(|(ix, _)| merge.wants(*ix)).collect::<Vec<_>>() {
            match lines.get(next[ix]) {
                Some(line) => merge.offer(ix, line.clone(), Duration::ZERO),
                None => merge.end(ix),
            }
            next[ix] += 1;
        }
        match merge.take(Duration::ZERO) {
            Taken::Line(_, line) => out.push(line.text),
            Taken::Wait(_) => {}
            Taken::End => return out,
        }
    }
}

#[test]
fn lines_of_all_sources_are_in_the_order_of_time() {
    let a = [line("01", "a1"), line("03", "a3"), line("05.5", "a5")];
    let b = [line("02", "b2"), line("03", "b3"), line("05.25", "b5"), line("06", "b6")];
    assert_eq!(merged(&[&a, &b, &[]]), ["a1", "b2", "a3", "b3", "b5", "a5", "b6"], "of equal times, the first source");
    assert_eq!(merged(&[]), [""; 0]);
    assert_eq!(merged(&[&[], &[]]), [""; 0]);
}

#[test]
fn the_order_within_a_source_stays_and_a_line_without_a_time_follows_its_predecessor() {
    let back = [line("04", "a4"), line("02", "a2"), line("", "a?"), line("06", "a6")];
    let b = [line("03", "b3"), line("05", "b5")];
    assert_eq!(merged(&[&back, &b]), ["b3", "a4", "a2", "a?", "b5", "a6"]);
}

#[test]
fn a_missing_line_is_waited_for_but_not_for_ever_while_following() {
    let ms = Duration::from_millis;
    let mut ever = Merge::new(2, None);
    ever.offer(0, line("01", "a"), ms(0));
    assert_eq!(ever.take(ms(1_000_000)), Taken::Wait(None));
    ever.end(1);
    assert!(matches!(ever.take(ms(1_000_000)), Taken::Line(0, _)));

    let mut follows = Merge::new(2, Some(ms(700)));
    assert_eq!(follows.take(ms(0)), Taken::Wait(None));
    follows.offer(0, line("05", "a"), ms(100));
    assert_eq!(follows.take(ms(300)), Taken::Wait(Some(ms(500))));
    follows.offer(1, line("04", "b"), ms(400));
    assert!(matches!(follows.take(ms(400)), Taken::Line(1, _)));
    assert_eq!(follows.take(ms(799)), Taken::Wait(Some(ms(1))));
    assert!(matches!(follows.take(ms(800)), Taken::Line(0, _)));
    assert!(follows.wants(0) && follows.wants(1));
    assert_eq!(follows.take(ms(800)), Taken::Wait(None));
}

#[test]
fn the_introduction_names_the_culprit_or_says_that_it_has_no_log() {
    let peer = introduction(&explain(cases::waits_for_throttled_peer(), &cases::filter())).unwrap();
    assert!(peer.contains("at fault: ") && peer.contains("! marks shop/"), "{peer}");
    let node = introduction(&explain(cases::loses(), &cases::filter())).unwrap();
    assert!(node.contains("it is no Pod"), "{node}");
    assert_eq!(introduction(&explain(cases::healthy(), &cases::filter())), None);
}

#[test]
fn without_a_log_the_failure_is_that_of_the_first() {
    let all = [Failure::new("a: forbidden", "ask"), Failure::new("b", "")];
    assert_eq!(nothing_to_read("pod/x", &all[..1]), all[0]);
    assert_eq!(nothing_to_read("pod/x", &all).to_string(), "none of 2 logs can be read; the first: a: forbidden; ask");
    assert!(nothing_to_read("pod/x", &[]).what.contains("pod/x has no container"));
}
