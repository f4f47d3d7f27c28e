use super::*;

#[test]
fn idle_time_is_in_hundredths() {
    assert_eq!(idle_us("12345.67 23456.78\n"), Ok(23_456_780_000));
    assert!(idle_us("12345.67\n").is_err());
    assert!(idle_us("1.1 2.5\n").is_err(), "tenths would be taken for hundredths");
}

#[test]
fn cpu_lists_have_ranges_and_single_cpus() {
    assert_eq!(cpus("0-1\n"), Ok(2));
    assert_eq!(cpus("0\n"), Ok(1));
    assert_eq!(cpus("0-3,8,10-11\n"), Ok(7));
    assert!(cpus("\n").is_err());
}

#[test]
fn softnet_rows_are_hexadecimal_and_carry_their_cpus_number() {
    // 6.18; CPU 1 is off.
    let text =
        "047091fd 0000000a 00000024 0 0 0 0 0 0 0 0 0 00000000 0 0\n04806c5e 0 1 0 0 0 0 0 0 0 0 0 00000002 0 0\n";
    let rows = softnet(text).unwrap();
    assert_eq!(rows[0], SoftnetCpu { cpu: 0, processed: 0x0470_91fd, dropped: 10, squeezed: 36 });
    assert_eq!((rows[1].cpu, rows[1].squeezed), (2, 1));
    // 5.10 has no CPU column.
    assert_eq!(softnet("1 2 3 0 0 0 0 0 0 0 0\n4 5 6 0 0 0 0 0 0 0 0\n").unwrap()[1].cpu, 1);
    assert!(softnet("1 2\n").is_err());
}

#[test]
fn conntrack_columns_go_by_name_and_entries_are_not_summed() {
    // 5.10 calls the second column `searched`, 6.18 `clashres`.
    let head = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error\n";
    let row = "0000001f 0 0 0 0 0 0 0 0 00000002 00000003 00000004 0\n";
    let sums = conntrack(&format!("{head}{row}{row}")).unwrap();
    assert_eq!(sums, Conntrack { entries: 0x1f, insert_failed: 4, drop: 6, early_drop: 8 });
    assert_eq!(conntrack("entries found\n").unwrap_err(), "no column `insert_failed`");
    assert!(conntrack(&format!("{head}1 2\n")).is_err());
}

#[test]
fn counters_are_found_by_name_in_their_group_and_unknown_ones_are_left_out() {
    let text = "TcpExt: SyncookiesSent ListenOverflows New\nTcpExt: 5 7 9\nIpExt: ListenOverflows\nIpExt: 99\n";
    let wanted = [Signal::ListenOverflows, Signal::SynCookies, Signal::ActiveOpens];
    assert_eq!(mib(text, &wanted).unwrap(), [(Signal::SynCookies, 5), (Signal::ListenOverflows, 7)]);
    // A signed value of another counter is nobody's business.
    let text = "Tcp: MaxConn ActiveOpens\nTcp: -1 4\n";
    assert_eq!(mib(text, &wanted).unwrap(), [(Signal::ActiveOpens, 4)]);
    assert!(mib("Tcp: ActiveOpens\nUdp: 4\n", &wanted).is_err());
}

#[test]
fn sockstat_tells_sockets_and_pages() {
    let text = "sockets: used 12\nTCP: inuse 1 orphan 0 tw 2 alloc 1 mem 264\nUDP: inuse 0 mem 0\n";
    assert_eq!(sockstat(text), Ok(Sockstat { in_use: 1, time_wait: 2, pages: 264 }));
    assert!(sockstat("UDP: inuse 0 mem 0\n").is_err());
    assert_eq!(sockstat("TCP: inuse 1 tw 2 mem").unwrap_err(), "no `mem`");
}

#[test]
fn lines_of_several_numbers() {
    assert_eq!(several("287832\t383779\t575664\n"), Ok([287_832, 383_779, 575_664]));
    assert!(several::<2>("1\n").is_err());
    assert!(single("max\n").is_err());
}

#[test]
fn routes_tell_ways_out_from_routes_to_single_pods() {
    let v4 = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
              eth0 00000000 010011AC 0003 0 0 0 00000000 0 0 0\n\
              eth1 00004D0A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n\
              cali1 0A00F40A 00000000 0005 0 0 0 FFFFFFFF 0 0 0\n";
    let zero = "0".repeat(32);
    let v6 = format!(
        "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth2\n\
         fe800000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 cali2\n\
         {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n"
    );
    let mut routes = Routes::default();
    routes.add_v4(v4);
    routes.add_v6(&v6);
    assert_eq!(routes, Routes { default: vec!["eth0".into(), "eth2".into()], networks: vec!["eth1".into()] });
}

#[test]
fn device_names_may_hold_a_dot_and_stand_close_to_their_colon() {
    let text = "Inter-|   Receive\n face |bytes\n  eth0.5:  1 2\n    lo: 3 4\n";
    assert_eq!(device_names(text), ["eth0.5", "lo"]);
}

#[test]
fn this_machines_own_files_are_understood() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert!(idle_us(&read("/proc/uptime")).unwrap() > 0);
    assert!(softnet(&read("/proc/net/softnet_stat")).unwrap().iter().any(|row| row.processed > 0));
    assert!(cpus(&read("/sys/devices/system/cpu/online")).unwrap() > 0);
    sockstat(&read("/proc/net/sockstat")).unwrap();
    let wanted: Vec<Signal> = Signal::ALL.iter().copied().filter(|s| s.source().starts_with("Tcp")).collect();
    let mut found = mib(&read("/proc/net/netstat"), &wanted).unwrap();
    found.extend(mib(&read("/proc/net/snmp"), &wanted).unwrap());
    // All of them exist since 5.10.
    for signal in wanted {
        assert!(found.iter().any(|(s, _)| *s == signal), "{} is not in this kernel", signal.source());
    }
    assert!(device_names(&read("/proc/net/dev")).contains(&"lo"));
}

#[test]
fn counters_of_one_device_go_by_its_whole_name() {
    let head = "Inter-|   Receive\n face |bytes\n";
    let text =
        format!("{head}  eth0.5: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  eth0:100 10 1 2 0 3 0 0 200 20 4 5 0 0 0 0\n");
    let values = device_counters(&text, "eth0").unwrap().unwrap().map(|(_, n)| n);
    assert_eq!(values, [10, 1, 2, 20, 4, 5]);
    assert_eq!(device_counters(&text, "eth1"), Ok(None));
    assert!(device_counters(&format!("{head} eth0: 1 2\n"), "eth0").is_err());
}

#[test]
fn what_bonds_and_vlans_stand_on() {
    let bond = "Bonding Mode: fault-tolerance\nCurrently Active Slave: eth0\n\nSlave Interface: eth0\nMII Status: up\n\nSlave Interface: eth1\n";
    assert_eq!(slaves(bond).collect::<Vec<_>>(), ["eth0", "eth1"]);
    let vlans =
        "VLAN Dev name    | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\neth0.5         | 5  | eth0\n";
    assert_eq!(vlan_parent(vlans, "eth0.5"), Some("eth0"));
    assert_eq!(vlan_parent(vlans, "eth0"), None);
}

#[test]
fn a_named_value_and_a_chosen_word_are_found_or_missing() {
    let text = "processor\t: 0\nmodel name\t:  EPYC: 7B13 \nempty :\n";
    assert_eq!(line_value(text, "model name"), Some("EPYC: 7B13".to_owned()));
    assert_eq!((line_value(text, "model"), line_value(text, "empty")), (None, None));
    assert_eq!(chosen("always [madvise] never"), Some("madvise".to_owned()));
    assert_eq!((chosen("always never"), chosen("[]")), (None, None));
}
