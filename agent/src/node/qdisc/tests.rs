use super::*;

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
    out.extend(kind.to_ne_bytes());
    out.extend(value);
    out.resize(aligned(out.len()), 0);
    out
}

fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut out = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
    out.extend(kind.to_ne_bytes());
    out.extend([0, 0]);
    out.extend(sequence.to_ne_bytes());
    out.extend([0; 4]);
    out.extend(body);
    out
}

fn tbf() -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_ne_bytes()).collect::<Vec<u8>>();
    let mut body = words(&[0, 7, 0x8001_0000, TC_H_ROOT, 2]);
    body.extend(attribute(TCA_KIND, b"tbf\0"));
    body.extend(attribute(2, &[0; 13]));
    let mut stats = attribute(TCA_STATS_BASIC, &words(&[1000, 0, 10, 0]));
    stats.extend(attribute(TCA_STATS_QUEUE, &words(&[3, 4500, 8, 1, 20])));
    body.extend(attribute(TCA_STATS2 | 0x8000, &stats));
    body
}

#[test]
fn a_dump_is_read_past_attributes_that_are_not_known() {
    let mut all = Vec::new();
    let mut bytes = message(RTM_NEWQDISC, 5, &tbf());
    bytes.extend(message(RTM_NEWQDISC, 4, &tbf()));
    bytes.extend(message(NLMSG_DONE, 5, &[0; 4]));
    assert!(take(&bytes, 5, &mut all).unwrap());
    let want = Qdisc {
        index: 7,
        is_root: true,
        is_ingress: false,
        kind: "tbf".into(),
        packets: 10,
        drops: 8,
        requeues: 1,
        overlimits: 20,
        backlog_bytes: 4500,
        backlog_packets: 3,
    };
    assert_eq!(all, [want], "the answer to an older request is none to this");
}

#[test]
fn what_is_cut_off_is_an_error_and_never_a_panic() {
    let whole = message(RTM_NEWQDISC, 5, &tbf());
    for cut in 1..whole.len() {
        assert!(take(&whole[..cut], 5, &mut Vec::new()).is_err(), "{cut}");
    }
    assert!(!take(&whole, 5, &mut Vec::new()).unwrap());
    let refused = message(NLMSG_ERROR, 5, &(-libc::EPERM).to_ne_bytes());
    let error = take(&refused, 5, &mut Vec::new()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
}

#[test]
fn this_machines_own_interfaces_are_listed() {
    let mut socket = QdiscSocket::open().unwrap();
    let all = socket.dump().unwrap();
    assert!(all.iter().any(|q| q.is_root && !q.kind.is_empty()), "{all:?}");
    assert_eq!(socket.dump().unwrap().len(), all.len(), "a second request has a whole answer of its own");
}
