use super::*;

fn settings(edge_idle: u64) -> SourceSettings {
    SourceSettings {
        walk_min_interval: Duration::from_secs(1),
        walk_max_interval: Duration::from_secs(30),
        walk_cpu_share: 0.003,
        edge_idle: Duration::from_secs(edge_idle),
        rank_ports: Duration::from_secs(10),
    }
}

#[test]
fn rows_may_be_idle_for_ten_seconds_where_a_map_or_the_memory_limit_is_near() {
    let seconds = |edge_idle, used, level| settings(edge_idle).limit(Some(100), used, level).as_secs();
    assert_eq!(seconds(300, 89, MemoryLevel::Ok), 300);
    assert_eq!(seconds(300, 90, MemoryLevel::Ok), 10);
    assert_eq!(seconds(300, 0, MemoryLevel::Near), 10);
    assert_eq!(seconds(300, 0, MemoryLevel::Critical), 10);
    assert_eq!(seconds(5, 0, MemoryLevel::Near), 5, "what is shorter stays");
    assert_eq!(settings(300).limit(None, usize::MAX, MemoryLevel::Ok), Duration::from_secs(300), "no map is full");
}
