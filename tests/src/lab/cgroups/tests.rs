use super::*;

#[test]
fn hybrid_and_unified_layouts_are_told_apart() {
    let hybrid = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                      cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0\n\
                      cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
                      cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
    let found = Mounts::parse(hybrid);
    assert_eq!(found.v2.as_deref(), Some(Path::new("/sys/fs/cgroup/unified")));
    assert_eq!(found.v1_cpu.as_deref(), Some(Path::new("/sys/fs/cgroup/cpu,cpuacct")));
    assert_eq!(found.v1_memory.as_deref(), Some(Path::new("/sys/fs/cgroup/memory")));
    assert_eq!(found.v1_blkio, None);
    let unified = Mounts::parse("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
    assert_eq!(unified.v2.as_deref(), Some(Path::new("/sys/fs/cgroup")));
    assert_eq!(unified.v1_cpu, None);
}

#[test]
fn nothing_but_a_laboratorys_own_cgroup_is_ever_removed() {
    let dir = std::env::temp_dir().join(format!("netwhy-not-a-lab-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    assert!(!remove(&dir));
    assert!(dir.exists());
    fs::remove_dir(&dir).unwrap();
}
