use super::*;

const CONFIGURED: Limits = Limits { cgroups: 4096, edges: 16_384, drops: 4096, prefixes: 16_384 };
const MIB: u64 = 1 << 20;

#[test]
fn a_large_limit_leaves_the_configured_capacities() {
    assert_eq!(fit(CONFIGURED, None), CONFIGURED);
    assert_eq!(fit(CONFIGURED, Some(256 * MIB)), CONFIGURED);
}

#[test]
fn capacities_fall_with_the_limit_and_leave_most_of_it_free() {
    let mut last = CONFIGURED;
    for mib in [128, 96, 64, 32] {
        let limits = fit(CONFIGURED, Some(mib * MIB));
        assert!(limits.edges < last.edges && limits.cgroups < last.cgroups, "{limits:?}");
        let kernel = netwhy_abi::memory::upper_bound(Limits { prefixes: 64, ..limits }, 2) as u64;
        assert!(kernel < mib * MIB / 3, "{kernel} of {mib} MiB");
        last = limits;
    }
    assert_eq!(fit(CONFIGURED, Some(1)).edges, FEWEST.edges);
}
