use super::*;

#[test]
fn pid_namespaces_below_that_of_procfs_are_counted_from_the_status() {
    assert_eq!(namespaces_below("Name:\tcat\nNSpid:\t18273\t2\nNSpgid:\t18273\t1\n"), Some(1));
    assert_eq!(namespaces_below("NSpid:\t18273\n"), Some(0));
    assert_eq!(namespaces_below("Name:\tcat\n"), None);
}

#[test]
fn the_memory_of_clients_includes_a_replay_where_the_past_is_recorded() {
    let without = memory::clients(&Config::default()).found;
    assert!(without.starts_with("at most ") && !without.contains("past"), "{without}");
    let text = "history: {folder: /h}\nlimits: {edges: 1024, cgroups: 64}";
    let with = memory::clients(&Config::parse(text, "test").unwrap()).found;
    // Half of an edge with response times, and of a cgroup.
    let mib = (1024 * (8_704 + 7_168) + 64 * (20 << 10)) / 2 / (1 << 20);
    assert!(with.ends_with(&format!("; {mib} MiB more while they ask about the past")), "{with}");
}

#[test]
fn kernel_memory_includes_the_tables_of_states_by_address() {
    assert_eq!(memory::tables(States::InStorage, 2), "");
    let states = States::ByAddress { rows: 1 << 17, has_turns: true };
    // 5.07 MiB of empty tables, and 50 MiB of rows of 400 bytes.
    assert_eq!(memory::tables(states, 2), "; 5 to 55 MiB more for the states of up to 131072 sockets");
}

#[test]
fn a_newer_kernel_is_advised_only_to_an_older_one() {
    assert_eq!(other_kernel("5.12", (5, 10)), "use Linux 5.12 or later");
    assert_eq!(other_kernel("6.12", (6, 1)), "use Linux 6.12 or later");
    let same = other_kernel("5.12", (6, 18));
    assert!(same.starts_with("use another build of the kernel") && !same.contains("or later"), "{same}");
}
