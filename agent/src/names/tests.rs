use super::*;

/// A name as a message has it.
fn labels(name: &str) -> Vec<u8> {
    let labels =
        name.split('.').flat_map(|label| [&[u8::try_from(label.len()).unwrap()][..], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

/// A record of the question's name.
fn record(kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    [&[0xc0, 12][..], &kind.to_be_bytes(), &IN.to_be_bytes(), &ttl.to_be_bytes(), &length, data].concat()
}

fn message(flags: u16, name: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
    let counts = [1, u16::try_from(records.len()).unwrap(), 0, 0].map(u16::to_be_bytes).concat();
    let question = [name, &A.to_be_bytes(), &IN.to_be_bytes()].concat();
    [&[7, 7][..], &flags.to_be_bytes(), &counts, &question, &records.concat()].concat()
}

/// An answer without error, recursion available.
const OK: u16 = 0x8180;
const CNAME: u16 = 5;

fn four(last: u8) -> Vec<u8> {
    vec![203, 0, 113, last]
}

fn mapped(last: u8) -> Ipv6Addr {
    Ipv4Addr::new(203, 0, 113, last).to_ipv6_mapped()
}

#[test]
fn the_asked_name_has_the_addresses_at_the_end_of_its_aliases() {
    let six = Ipv6Addr::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    let records = [
        record(CNAME, 5, &labels("edge.cdn.example.net")),
        record(A, 60, &four(7)),
        record(A, 30, &four(8)),
        record(AAAA, 90, &six.octets()),
    ];
    let answer = Answer::read(3, &message(OK, &labels("API.Example.com"), &records)).unwrap();
    let addresses = vec![mapped(7), mapped(8), six];
    // The alias has no address: its time is not theirs.
    assert_eq!(answer, Answer { cgroup: 3, name: "api.example.com".into(), addresses, ttl_seconds: 30 });
    assert!(answer.is_valid());
}

#[test]
fn an_answer_that_is_cut_off_has_the_addresses_before_the_cut() {
    let all = message(OK, &labels("a.b"), &[record(A, 1, &four(7)), record(A, 1, &four(8))]);
    for length in 0..all.len() {
        let addresses = Answer::read(1, &all[..length]).map_or(0, |answer| answer.addresses.len());
        // The header, the question, and one record.
        assert_eq!(addresses, usize::from(length >= 12 + 9 + 16), "{length} of {}", all.len());
    }
}

#[test]
fn questions_errors_and_answers_without_addresses_have_none() {
    let (name, records) = (labels("a.b"), [record(A, 1, &four(7))]);
    assert!(Answer::read(1, &message(OK, &name, &records)).is_some());
    for flags in [0x0100, OK | 3, OK | 2, OK | 0x2800] {
        assert_eq!(Answer::read(1, &message(flags, &name, &records)), None, "{flags:x}");
    }
    assert_eq!(Answer::read(1, &message(OK, &name, &[])), None);
    assert_eq!(Answer::read(1, &message(OK, &name, &[record(CNAME, 1, &labels("c"))])), None);
    assert_eq!(Answer::read(1, &message(OK, &name, &[record(A, 1, &[0; 4]), record(A, 1, &[1; 5])])), None);
}

#[test]
fn names_that_are_no_hosts_are_left_out() {
    let read = |name: &[u8]| Answer::read(1, &message(OK, name, &[record(A, 1, &four(7))]));
    assert!(read(&labels("_sip._tcp.example.com")).is_some());
    assert!(read(&labels(&vec!["a".repeat(62); 4].join("."))).is_some());
    let long = labels(&vec!["a".repeat(63); 4].join("."));
    // A reference to itself, a label that goes on behind the message, the root, and what would drive a terminal.
    let bad: [&[u8]; 6] = [&[0xc0, 12], &[63, b'a'], &[0], &[2, 0x1b, b'[', 0], &[3, b'a', b'.', b'b', 0], &long];
    for name in bad {
        assert_eq!(read(name), None, "{name:?}");
    }
}

#[test]
fn records_are_bounded() {
    let records: Vec<_> = (0..40).map(|last| record(A, 1, &four(last))).collect();
    let answer = Answer::read(1, &message(OK, &labels("a.b"), &records)).unwrap();
    assert_eq!(answer.addresses.len(), MAX_RECORDS);
}

#[test]
fn answers_of_others_are_checked() {
    let good = Answer { cgroup: 1, name: "a.b".into(), addresses: vec![mapped(7)], ttl_seconds: 1 };
    assert!(good.is_valid());
    for name in ["", "a..b", "a b", "\u{1b}[2J", &"a".repeat(64), &vec!["a".repeat(63); 4].join(".")] {
        assert!(!Answer { name: name.into(), ..good.clone() }.is_valid(), "{name:?}");
    }
    for addresses in [vec![], vec![mapped(7); MAX_RECORDS + 1]] {
        assert!(!Answer { addresses, ..good.clone() }.is_valid());
    }
}
