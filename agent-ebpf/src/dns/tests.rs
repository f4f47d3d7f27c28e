use super::*;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

#[test]
fn connected_socket_that_is_read_with_addresses_ends_at_its_last_reply() {
    let mut glibc = Exchange::connected(S);
    glibc.reply(S + 3 * MS);
    glibc.reply(S + 8 * MS);
    assert_eq!(glibc.end(S + 9 * MS, true), Outcome::Answered(8 * MS));
    assert_eq!(Exchange::connected(S).end(11 * S, false), Outcome::Unanswered);
}

#[test]
fn connected_socket_that_is_read_without_addresses_ends_when_it_closes() {
    let go = Exchange::connected(S);
    assert_eq!(go.end(S + 4 * MS, true), Outcome::Answered(4 * MS));
    assert_eq!(go.end(S + 20 * MS, false), Outcome::Unanswered, "given up early");
    assert_eq!(go.end(13 * S, true), Outcome::Unknown, "kept for many lookups");
}

#[test]
fn unconnected_socket_counts_what_it_asks() {
    let mut musl = Exchange::sent(S);
    assert_eq!(musl.query(S), None);
    musl.reply(S + 2 * MS);
    musl.reply(S + 5 * MS);
    assert_eq!(musl.end(S + 5 * MS, true), Outcome::Answered(5 * MS));
    // The next lookup on the same socket ends this one.
    assert_eq!(musl.query(9 * S), Some(Outcome::Answered(5 * MS)));
    musl.reply(9 * S + MS);
    assert_eq!(musl.end(9 * S + 2 * MS, true), Outcome::Answered(MS));
}

#[test]
fn one_lost_answer_of_two_shows_as_the_wait_that_it_causes() {
    // Asked again after 2.5 s, and answered then.
    let mut late = Exchange::sent(0);
    late.query(0);
    late.reply(MS);
    assert_eq!(late.query(2500 * MS), None);
    late.reply(2501 * MS);
    assert_eq!(late.end(2502 * MS, true), Outcome::SecondLate(2501 * MS));
    // Never answered.
    let mut never = Exchange::connected(0);
    never.reply(MS);
    assert_eq!(never.end(5 * S, true), Outcome::SecondMissing);
    assert_eq!(Exchange::connected(0).end(5 * S, false), Outcome::Unanswered, "no answer at all");
}

#[test]
fn several_servers_asked_at_once_need_one_answer_each() {
    let mut musl = Exchange::sent(0);
    for _ in 0..5 {
        musl.query(0);
    }
    musl.reply(MS);
    musl.reply(2 * MS);
    assert_eq!(musl.end(3 * MS, true), Outcome::Answered(2 * MS));
}

#[test]
fn forwarders_tell_no_lookup_times() {
    let mut forwarder = Exchange::sent(0);
    for i in 0..1000 {
        assert_eq!(forwarder.query(i), None);
    }
    assert_eq!(forwarder.end(S, true), Outcome::Unknown);
    let mut kept = Exchange::connected(0);
    kept.reply(MS);
    kept.reply(40 * S);
    assert_eq!(kept.end(41 * S, true), Outcome::Unknown);
}

#[test]
fn a_query_long_after_one_that_was_never_answered_begins_anew() {
    let mut socket = Exchange::sent(0);
    assert_eq!(socket.query(31 * S), Some(Outcome::Unanswered));
    socket.reply(31 * S + MS);
    assert_eq!(socket.end(31 * S + MS, true), Outcome::Answered(MS));
}

#[test]
fn a_share_of_neighbouring_sockets_is_observed() {
    assert!((0..1_000).all(|cookie| is_lookup_observed(cookie, 1)));
    // Also where only every second, fourth … socket is a resolver's.
    for stride in [1, 2, 3, 4, 16, 4096] {
        let observed = (0..16_000).filter(|n| is_lookup_observed(n * stride, DNS_SHARE)).count();
        assert!((800..1_200).contains(&observed), "{observed} of 16,000, stride {stride}");
    }
}

#[test]
fn answers_that_cpus_note_at_the_same_time_keep_their_codes() {
    let worst = |codes: u32| DnsCode::ALL.into_iter().rev().find(|code| has_code(codes, *code as usize));
    assert_eq!(worst(0), None);
    for one in DnsCode::ALL {
        for other in DnsCode::ALL {
            // Both read the codes before either adds.
            let codes = code_to_add(0, one) + code_to_add(0, other);
            assert_eq!(worst(codes), Some(one.max(other)));
            assert_eq!((code_to_add(codes, one), code_to_add(codes, other)), (0, 0), "noted once");
        }
        // As many CPUs as an answer may be noted by at a time.
        let codes: u32 = (0..63).map(|_| code_to_add(0, one)).sum();
        assert!(DnsCode::ALL.into_iter().all(|code| has_code(codes, code as usize) == (code == one)));
    }
}

#[test]
fn only_answers_without_error_that_have_records_are_copied() {
    let header = |flags: u8, code: u8, records: u16| {
        let [high, low] = records.to_be_bytes();
        has_records([7, 7, flags, code, 0, 1, high, low])
    };
    assert!(header(0x81, 0x80, 1) && header(0x85, 0x00, 256), "the lower half is the code");
    assert!(!header(0x01, 0x00, 1), "a question");
    assert!(!header(0x81, 0x83, 1) && !header(0x81, 0x82, 1), "an error");
    assert!(!header(0x81, 0x80, 0), "no record");
}
