use super::*;

#[test]
fn default_limits_stay_under_64_mib_at_128_cpus() {
    let limits = Limits { cgroups: 4096, edges: 16_384, drops: 4096, prefixes: 16_384 };
    let bytes = upper_bound(limits, 128);
    assert!(bytes <= 64 << 20, "{bytes}");
    assert!(upper_bound(limits, 2) <= bytes);
}

#[test]
fn states_by_address_take_no_more_than_the_budget_states_for_storage() {
    // The load of the chart's default limit.
    const SOCKETS: usize = 20_000;
    let (state, turn) = (element(8, SUBFLOW), element(8, size_of::<crate::Turn>()));
    assert_eq!((state, turn), (192, 192));
    let without = addresses(ADDRESSES, false, 2) + SOCKETS * state;
    assert!(without <= SOCKETS * SOCKET_STORAGE, "{without}");
    let with = addresses(ADDRESSES, true, 2) + SOCKETS * (state + turn);
    assert!(with <= SOCKETS * (SOCKET_STORAGE + TURN_STORAGE) + (1 << 20), "{with}");
}

#[test]
fn maps_take_less_while_fewer_rows_are_used() {
    let limits = Limits { cgroups: 4096, edges: 16_384, drops: 4096, prefixes: 16_384 };
    let of = |rows, name| {
        let mut found = None;
        each_map(rows, limits, 2, |map, bytes| found = found.or((map == name).then_some(bytes)));
        found.unwrap()
    };
    let few = Limits { edges: 1000, ..limits };
    // A row of an edge takes 1 KiB: 736 bytes of counters, the key and the header.
    assert_eq!(of(limits, "edges") - of(few, "edges"), (16_384 - 1000) * 1024);
    assert_eq!(of(limits, "cgroups"), of(few, "cgroups"));
    let more = Limits { edges: 1 << 20, ..limits };
    assert_eq!(of(more, "edges"), of(limits, "edges"), "a map holds no more than fits");
}
