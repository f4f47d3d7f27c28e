use super::*;

#[test]
fn default_limits_stay_under_64_mib_at_128_cpus() {
    let limits = Limits { cgroups: 4096, edges: 16_384, drops: 4096, prefixes: 16_384 };
    let bytes = upper_bound(limits, 128);
    assert!(bytes <= 64 << 20, "{bytes}");
    assert!(upper_bound(limits, 2) <= bytes);
}

#[test]
fn states_by_address_take_a_row_each_and_tables_of_their_own() {
    let states = |rows, has_turns| States::ByAddress { rows, has_turns };
    let (with, without) = (states(ADDRESSES, true), states(ADDRESSES, false));
    // A slab object of 192 bytes each, as of a socket's turns in storage.
    assert_eq!((with.of_socket(), with.of_turns(), without.of_turns()), (200, TURN_STORAGE, 0));
    // 1 MiB of bits, 16 bytes of a bucket for each row, and 96 free elements of each CPU.
    let (bits, table, free) = (1 << 20, 16 << 17, 2 * 96 * 192);
    assert_eq!(without.empty(2), bits + table + free);
    assert_eq!(with.empty(2), bits + 2 * (table + free));
    assert_eq!(states(FEW_ADDRESSES, false).empty(2), bits + table / 2 + free);
    assert_eq!(with.full(2), with.empty(2) + (400 << 17));
    assert_eq!(
        (with.most(), with.rows(), without.rows()),
        (1 << 17, [1 << 17, 1 << 17, 1 << 17], [1 << 17, 1, 1 << 17])
    );
}

#[test]
fn states_in_storage_take_nothing_of_the_maps_by_address() {
    let states = States::default();
    assert_eq!((states.empty(128), states.full(128), states.rows()), (0, 0, [1; 3]));
    assert_eq!((states.of_socket(), states.of_turns(), states.most()), (SOCKET_STORAGE, TURN_STORAGE, usize::MAX));
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
