use super::*;

#[test]
fn default_limits_stay_under_64_mib_at_128_cpus() {
    let limits = Limits { cgroups: 4096, edges: 16_384, drops: 4096, prefixes: 16_384 };
    let bytes = upper_bound(limits, 128);
    assert!(bytes <= 64 << 20, "{bytes}");
    assert!(upper_bound(limits, 2) <= bytes);
}
