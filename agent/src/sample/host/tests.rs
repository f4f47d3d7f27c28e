use super::*;

fn sample(index: u32, counters: &[(Signal, &str, u64)]) -> HostSample {
    let on = |name: &str| (!name.is_empty()).then(|| Arc::from(name));
    HostSample {
        devices: vec![Device { name: "eth0".into(), index, ..Device::default() }],
        counters: counters.iter().map(|(s, name, n)| (*s, on(name), *n)).collect(),
        ..HostSample::default()
    }
}

fn grown(ledger: &mut HostLedger, sample: &HostSample) -> Vec<u64> {
    ledger.take(sample).into_iter().map(|(_, n)| n).collect()
}

#[test]
fn counters_count_from_their_first_reading_and_never_fall() {
    let mut ledger = HostLedger::default();
    let of = |n| sample(2, &[(Signal::NicRxDropped, "eth0", n)]);
    assert_eq!(grown(&mut ledger, &of(1_000_000)), [0]);
    assert_eq!(grown(&mut ledger, &of(1_000_007)), [7]);
    assert_eq!(grown(&mut ledger, &of(3)), [0], "a reset is no growth");
    assert_eq!(grown(&mut ledger, &of(5)), [2]);
}

#[test]
fn another_device_under_the_same_name_begins_anew() {
    let mut ledger = HostLedger::default();
    let of = |index, n| sample(index, &[(Signal::NicRxDropped, "eth0", n)]);
    ledger.take(&of(2, 10));
    assert_eq!(grown(&mut ledger, &of(3, 5_000)), [0]);
    assert_eq!(grown(&mut ledger, &of(3, 5_001)), [1]);
}

#[test]
fn counters_of_32_bits_wrap_and_others_do_not() {
    let near = u64::from(u32::MAX) - 1;
    assert_eq!(Signal::QdiscDrops.growth(near, 3), 5);
    assert_eq!(Signal::QdiscDrops.growth(1000, 3), 0, "a reset");
    assert_eq!(Signal::NicRxDropped.growth(near, 3), 0);
}

#[test]
fn cpus_are_summed_up_and_named_only_where_something_was_dropped() {
    let mut ledger = HostLedger::default();
    let of = |a, b, dropped| {
        let processed = Signal::SoftnetProcessed;
        sample(1, &[(processed, "0", a), (processed, "1", b), (Signal::SoftnetDropped, "1", dropped)])
    };
    ledger.take(&of(10, 20, 0));
    let news = ledger.take(&of(11, 25, 4));
    let cpu1 = Some(Arc::from("1"));
    let want = [((Signal::SoftnetProcessed, None), 6), ((Signal::SoftnetDropped, None), 4)];
    assert_eq!(news[..2], want);
    assert_eq!(news[2..], [((Signal::SoftnetDropped, cpu1), 4)]);
    // A CPU that went offline takes nothing away.
    let gone = ledger.take(&sample(1, &[(Signal::SoftnetProcessed, "0", 12)]));
    assert_eq!(gone, [((Signal::SoftnetProcessed, None), 1)]);
}

#[test]
fn a_sample_comes_back_from_a_recording_as_it_was() {
    let mut before = sample(2, &[(Signal::ListenOverflows, "", 3), (Signal::QdiscDrops, "eth0", 4)]);
    before.gauges = vec![(Gauge::Cpus, None, 2)];
    before.states = BTreeMap::from([
        (Group::Pressure, State::Unsupported("no PSI".into())),
        (Group::Conntrack, State::Absent),
        (Group::Devices, State::Ok),
        (Group::Qdiscs, State::Broken("EPERM".into())),
    ]);
    let text = serde_json::to_string(&before).unwrap();
    assert_eq!(serde_json::from_str::<HostSample>(&text).unwrap(), before);
}

#[test]
fn labels_are_unique() {
    let mut labels: Vec<&str> = Signal::ALL.iter().map(|s| s.label()).collect();
    labels.extend(Gauge::ALL.iter().map(|g| g.label()));
    let all = labels.len();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), all);
}
