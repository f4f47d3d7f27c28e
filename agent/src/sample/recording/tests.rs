use super::*;
use crate::{
    calls::{Call, Code, Method, Protocol},
    names::Answer,
    sample::{CgroupFacts, HostSample, Signal},
};
use netwhy_abi::{
    CgroupStats, Counter, DnsStats, DropKey, EdgeKey, EdgeStats, Fill, OverflowKey, PeerClass, RunQueueStats,
};
use std::time::Duration;

fn snapshot() -> Snapshot {
    let mut row = EdgeStats { data_segs_out: 7, retransmits: [1, 2, 3, 4, 5, 6, 7], ..EdgeStats::ZERO };
    row.rtt.buckets[3] = 9;
    row.min_rtt_us.0[1] = 5 << 32 | 77;
    let mut cgroup = CgroupStats::ZERO;
    cgroup.durations[1].buckets[4] = 2;
    cgroup.accept_fill = Fill(5 << 32 | 7 << 16 | 77);
    let mut dns = DnsStats { answered: 3, unanswered: 1, ..DnsStats::ZERO };
    dns.durations.buckets[7] = 3;
    dns.durations.sum = 77;
    let mut snapshot = Snapshot {
        at: Duration::from_nanos(123_456_789),
        unix_ms: 1_700_000_000_000,
        hz: Some(250),
        counters: [1; Counter::ALL.len()],
        groups: vec![CgroupFacts { id: 42, path: Some("/a".into()), alive: true, ..CgroupFacts::default() }],
        host: Some(HostSample {
            counters: vec![(Signal::NicRxDropped, Some("eth0".into()), 9)],
            ..HostSample::default()
        }),
        answers: vec![Answer {
            cgroup: 42,
            name: "api.example.com".into(),
            addresses: vec![std::net::Ipv4Addr::new(203, 0, 113, 7).to_ipv6_mapped()],
            ttl_seconds: 60,
        }],
        ..Snapshot::default()
    };
    let tables = &mut snapshot.tables;
    let known = EdgeKey { port: 8080, role: 2, redirected: 1, netns: 4_026_531_840, ..EdgeKey::new(42, [1; 16]) };
    tables.edges.rows = vec![(EdgeKey::new(42, [1; 16]), row), (known, row)];
    tables.edges.gone = vec![EdgeKey::new(1, [2; 16]), EdgeKey { port: 1, ..known }];
    tables.overflow.rows = vec![(OverflowKey::new(42, PeerClass::SameZone), row)];
    tables.overflow.gone = vec![OverflowKey::new(1, PeerClass::InCluster)];
    tables.cgroups.rows = vec![(42, cgroup)];
    tables.cgroups.gone = vec![1];
    tables.drops.rows = vec![(DropKey { cgroup: 42, reason: 3, pad: 0 }, 11)];
    tables.drops.gone = vec![DropKey { cgroup: 1, reason: 2, pad: 0 }];
    tables.dns.rows = vec![(EdgeKey::new(42, [3; 16]), dns), (EdgeKey::new(43, [3; 16]), DnsStats::ZERO)];
    tables.dns.gone = vec![EdgeKey::new(1, [4; 16])];
    tables.run_queue.rows =
        vec![(42, RunQueueStats { buckets: dns.durations.buckets, sum: 12_345 }), (43, RunQueueStats::ZERO)];
    tables.run_queue.gone = vec![1];
    let code = Protocol::Grpc(Code::Undecoded);
    let grpc = Call { protocol: code, status: 0, us: None, ..call(known, "/shop.Cart/unknown") };
    let http2 = Call { protocol: Protocol::Http2, method: Method::Unknown, ..call(known, "unknown") };
    snapshot.calls = vec![call(known, "/orders/:id"), call(EdgeKey::new(42, [1; 16]), "*"), grpc, http2];
    snapshot
}

fn call(key: EdgeKey, route: &str) -> Call {
    Call {
        key,
        method: Method::Put,
        route: route.to_owned(),
        status: 201,
        protocol: Protocol::Http1,
        us: Some(1_234),
        weight: 16,
    }
}

fn recorded() -> Vec<u8> {
    let mut recorder = Recorder::begin(Vec::new(), "test", &Header::default()).unwrap();
    recorder.push(&snapshot()).unwrap();
    recorder.push(&snapshot()).unwrap();
    recorder.finish().unwrap()
}

fn read_all(input: impl BufRead) -> Result<Vec<Snapshot>, RecordingError> {
    let mut recording = Recording::read(input, "test")?;
    std::iter::from_fn(|| recording.next_snapshot().transpose()).collect()
}

#[test]
fn a_snapshot_comes_back_as_it_was() {
    let bytes = recorded();
    let mut recording = Recording::read(bytes.as_slice(), "test").unwrap();
    let first = recording.sample().unwrap().unwrap();
    assert_eq!(format!("{first:?}"), format!("{:?}", snapshot()));
    let second = recording.sample().unwrap().unwrap();
    assert_eq!(second.host, Some(HostSample::default()), "unchanged counters are left out");
    assert!(recording.sample().unwrap().is_none());
}

#[test]
fn a_recording_cut_off_anywhere_is_refused() {
    let bytes = recorded();
    for cut in 0..bytes.len() - 1 {
        let error = read_all(&bytes[..cut]).expect_err("cut off");
        let text = error.to_string();
        assert!(!text.contains('\n') && text.contains("record"), "{cut}: {text}");
    }
    let whole_lines = bytes.split(|b| *b == b'\n').take(2).collect::<Vec<_>>().join(&b'\n');
    let error = read_all(whole_lines.as_slice()).unwrap_err();
    assert!(matches!(error, RecordingError::Truncated { snapshots: 1, .. }), "{error}");
}

#[test]
fn time_that_runs_backwards_is_damage() {
    let mut recorder = Recorder::begin(Vec::new(), "test", &Header::default()).unwrap();
    for at in [5, 5, 7, 6] {
        recorder.push(&Snapshot { at: Duration::from_secs(at), ..Snapshot::default() }).unwrap();
    }
    let error = read_all(recorder.finish().unwrap().as_slice()).unwrap_err().to_string();
    assert!(error.contains("line 5: its time is before that of the snapshot before it"), "{error}");
}

#[test]
fn other_files_are_refused() {
    for text in ["", "hello\n", "{\"netwhy_recording\":99}\n", "{}\n"] {
        assert!(matches!(Recording::read(text.as_bytes(), "x"), Err(RecordingError::Header { .. })), "{text:?}");
    }
}

#[test]
fn a_later_format_is_named_whatever_its_first_line_has() {
    let later = "{\"netwhy_recording\":99,\"nodes\":{}}\n";
    let error = Recording::read(later.as_bytes(), "x").unwrap_err().to_string();
    assert!(error.starts_with("x is no netwhy recording of format 2 (it is format 99)"), "{error}");
}

/// The lines of a recording whose only snapshot is `change`d.
fn with(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let text = String::from_utf8(recorded()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut snapshot = serde_json::from_str(lines[1]).unwrap();
    change(&mut snapshot);
    format!("{}\n{snapshot}\n{{\"end\":1}}\n", lines[0]).into_bytes()
}

#[test]
fn what_the_reader_does_not_know_is_refused_by_name() {
    let of_row = with(|snapshot| snapshot["edges"][0][2]["echoes"] = 5.into());
    let of_snapshot = with(|snapshot| snapshot["echoes"] = 5.into());
    for (recording, what) in [
        (of_row, "line 2: edges: a EdgeStats has no field `echoes`"),
        (of_snapshot, "line 2: a snapshot has no field `echoes`"),
    ] {
        let error = read_all(recording.as_slice()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn hostile_names_are_shown_on_one_line_of_bounded_length() {
    let name = format!("a\nb\u{1b}[31m{}", "x".repeat(10_000));
    let error = read_all(with(|snapshot| snapshot[&name] = 5.into()).as_slice()).unwrap_err().to_string();
    assert!(error.contains("`a\\nb\\x1b[31mxxx") && error.len() < 500, "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn calls_that_the_kernel_side_can_not_have_seen_are_refused() {
    let route = with(|snapshot| snapshot["calls"][0]["route"] = "/a?secret".into());
    let status = with(|snapshot| snapshot["calls"][0]["status"] = 99.into());
    let edge = with(|snapshot| snapshot["calls"][0]["edge"] = serde_json::json!([1]));
    for (recording, what) in
        [(route, "a call has no route"), (status, "99 is no status of a call"), (edge, "a call is of no edge")]
    {
        let error = read_all(recording.as_slice()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn what_the_recording_does_not_know_is_zero() {
    let older = with(|snapshot| {
        let fields = snapshot["edges"][0][2].as_object_mut().unwrap();
        fields["retransmits"].as_array_mut().unwrap().truncate(2);
        fields.remove("data_segs_out");
        snapshot.as_object_mut().unwrap().remove("run_queue");
    });
    let snapshot = Recording::read(older.as_slice(), "test").unwrap().sample().unwrap().unwrap();
    let row = snapshot.tables.edges.rows[0].1;
    assert_eq!((row.data_segs_out, row.retransmits), (0, [1, 2, 0, 0, 0, 0, 0]));
    assert!(snapshot.tables.run_queue.rows.is_empty());
}

/// A first line, then `chunk` without end and without a line break.
fn endless(first: &[u8], chunk: u8) -> impl BufRead {
    std::io::BufReader::new(first.chain(std::io::repeat(chunk)))
}

#[test]
fn the_recorder_writes_no_line_that_is_refused_later() {
    let mut recorder = Recorder::begin(std::io::sink(), "test", &Header::default()).unwrap();
    let path = |n: usize| CgroupFacts { id: 1, path: Some("x".repeat(n)), alive: true, ..CgroupFacts::default() };
    let long = Snapshot { groups: vec![path(1 << 20); 64], ..Snapshot::default() };
    let error = recorder.push(&long).unwrap_err().to_string();
    assert_eq!(error, "recording test: a snapshot is longer than 64 MiB: lower limits.edges");
}

#[test]
fn a_line_without_end_is_one_error_that_names_it() {
    let recorded = recorded();
    let header = recorded.split_inclusive(|byte| *byte == b'\n').next().unwrap();
    for (first, line) in [(&b""[..], 1), (header, 2)] {
        let error = read_all(endless(first, b'1')).unwrap_err().to_string();
        assert!(error.starts_with(&format!("recording test, line {line}: it is longer than 64 MiB")), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn a_line_of_many_small_values_or_of_deep_nesting_is_refused() {
    let recorded = recorded();
    let header = recorded.split_inclusive(|byte| *byte == b'\n').next().unwrap();
    for (line, what) in [
        (b"1,".repeat(MAX_VALUES + 1), "line 2: it has more than 4194304 values"),
        (b"[".repeat(100_000), "line 2: it is no snapshot"),
        (b"{\"edges\":".repeat(50_000), "line 2: it is no snapshot"),
    ] {
        let file = [header, &line, b"\n{\"end\":1}\n"].concat();
        let error = read_all(file.as_slice()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn snapshots_are_read_one_at_a_time() {
    let recorded = recorded();
    let lines: Vec<&[u8]> = recorded.split_inclusive(|byte| *byte == b'\n').collect();
    // A first snapshot is there before a later line is read.
    let broken = [lines[0], lines[1], b"{}\n", lines[2]].concat();
    let mut recording = Recording::read(broken.as_slice(), "test").unwrap();
    assert!(recording.next_snapshot().unwrap().is_some());
    assert!(matches!(recording.next_snapshot(), Err(RecordingError::Line { line: 3, .. })));
    for (file, what) in [
        ([&recorded[..], b"x\n"].concat(), "line 5: there is more after the end mark"),
        ([lines[0], lines[1], lines[3]].concat(), "line 3: the end mark counts 2 snapshots, there are 1"),
    ] {
        let error = read_all(file.as_slice()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}
