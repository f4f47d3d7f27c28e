use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, lookups, verdict},
    state::DnsView,
};
use netwhy_abi::DnsCode;

const SERVER: &str = "10.96.0.10";

/// Lookups answered in 2 ms, by code.
fn answers(pod: &str, codes: &[(DnsCode, u64)]) -> DnsView {
    let all = codes.iter().map(|(_, n)| n).sum();
    let mut row = lookups(pod, SERVER, &[(2_000, all)], 0);
    codes.iter().for_each(|(code, n)| row.window.codes[*code as usize] = *n);
    row
}

fn case(rows: Vec<DnsView>) -> Case {
    let pods: Vec<String> = rows.iter().map(|row| row.server.subject.name.clone()).collect();
    let pods: Vec<&str> = pods.iter().map(String::as_str).collect();
    Case { dns: rows, ..Case::mesh(&pods, &["10.0.0.7"]) }
}

#[test]
fn errors_that_come_at_once_are_counted_by_code() {
    let normal = case(vec![answers("cart", &[(DnsCode::NoError, 100)])]);
    let bad = case(vec![answers("cart", &[(DnsCode::NoError, 60), (DnsCode::ServFail, 40)])]);
    let hint = Run::warm(&normal).expect_one(&bad);
    assert_eq!(verdict(&hint), ("dns_errors", BlameKind::PeerPod, SERVER));
    assert!(hint.summary.contains("40 of 100 lookups of cart with an error: 40 SERVFAIL"), "{}", hint.summary);
    let refused = case(vec![answers("cart", &[(DnsCode::NoError, 60), (DnsCode::Refused, 40)])]);
    assert_eq!(Run::warm(&normal).expect_one(&refused).cause, "dns_errors");
}

#[test]
fn a_few_errors_are_silent_and_usual_ones_become_the_baseline() {
    let normal = case(vec![answers("cart", &[(DnsCode::NoError, 100)])]);
    let some = |n| case(vec![answers("cart", &[(DnsCode::NoError, 100 - n), (DnsCode::ServFail, n)])]);
    Run::warm(&normal).expect_silence(5, &some(8));
    Run::warm(&normal).expect_one(&some(12));
    let mut run = Run::warm(&normal);
    run.ticks(600, &some(8));
    run.expect_silence(5, &some(16));
}

/// Four of five lookups of a search list with five domains end so in normal times.
#[test]
fn names_of_a_search_list_that_do_not_exist_are_normal() {
    let normal = case(vec![answers("cart", &[(DnsCode::NoError, 20), (DnsCode::NxDomain, 80)])]);
    Run::warm(&normal).expect_silence(20, &normal);
    // More lookups, and as many names found.
    let more = case(vec![answers("cart", &[(DnsCode::NoError, 20), (DnsCode::NxDomain, 400)])]);
    Run::warm(&normal).expect_silence(5, &more);
}

#[test]
fn names_that_were_found_and_exist_no_more_are_an_error() {
    let normal = case(vec![answers("cart", &[(DnsCode::NoError, 100)])]);
    let gone = case(vec![answers("cart", &[(DnsCode::NoError, 30), (DnsCode::NxDomain, 70)])]);
    let hint = Run::warm(&normal).expect_one(&gone);
    assert_eq!(hint.cause, "dns_errors");
    assert!(hint.summary.contains("70 NXDOMAIN"), "{}", hint.summary);
}

/// A busy Node sees the codes of 1 answer in 8.
#[test]
fn codes_of_a_part_of_the_answers_stand_for_all() {
    let normal = case(vec![answers("cart", &[(DnsCode::NoError, 400), (DnsCode::NxDomain, 400)])]);
    let part = |found, absent| {
        let mut row = answers("cart", &[(DnsCode::NoError, 400), (DnsCode::NxDomain, 400)]);
        row.window.codes[DnsCode::NoError as usize] = found;
        row.window.codes[DnsCode::NxDomain as usize] = absent;
        case(vec![row])
    };
    Run::warm(&normal).expect_silence(20, &part(50, 50));
    let hint = Run::warm(&normal).expect_one(&part(15, 85));
    assert!(hint.summary.contains("85 of 100 lookups"), "{}", hint.summary);
}

#[test]
fn without_codes_nothing_is_said() {
    let normal = case(vec![lookups("cart", SERVER, &[(2_000, 100)], 0)]);
    Run::warm(&normal).expect_silence(20, &normal);
}
