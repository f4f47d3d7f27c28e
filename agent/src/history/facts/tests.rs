use super::*;

#[test]
fn absent_values_and_zeros_come_back_as_they_were() {
    let cpu = CpuStat { periods: 1, throttled_periods: 2, throttled_us: 3, usage_us: 4, limit_millicores: Some(0) };
    let pressure = Pressure { cpu_some_us: 1, io_full_us: 6, ..Pressure::default() };
    let whole = CgroupFacts {
        alive: true,
        oom_own: true,
        cpu: Some(cpu),
        usage_us: Some(0),
        cpu_weight: Some(100),
        memory_limit_hits: Some(7),
        pressure: Some(pressure),
        oom_kills: Some(0),
        ..CgroupFacts::default()
    };
    for facts in [CgroupFacts::default(), whole] {
        let mut words = Vec::new();
        facts.put(&mut words);
        assert_eq!(words.len(), CgroupFacts::WORDS);
        assert_eq!(CgroupFacts::parts().iter().map(|(_, n)| n).sum::<usize>(), CgroupFacts::WORDS);
        assert_eq!(CgroupFacts::take(&mut words.into_iter()), facts);
    }
}
