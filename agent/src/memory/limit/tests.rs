use super::*;

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netwhy-limit-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A procfs whose process is in this cgroup of a mount in the scratch directory.
    fn procfs(&self, mount: &str, fs_type: &str, cgroup: &str) -> PathBuf {
        let mount = self.0.join(mount);
        let options = if fs_type == "cgroup" { "rw,memory" } else { "rw" };
        self.write(
            "proc/self/mountinfo",
            &format!("30 20 0:26 / {} rw - {fs_type} {fs_type} {options}\n", mount.display()),
        );
        self.write("proc/self/cgroup", cgroup);
        self.write("proc/meminfo", "MemTotal:       16384 kB\nMemFree:        1 kB\n");
        self.0.join("proc")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_lowest_limit_of_the_ancestors_holds() {
    let scratch = Scratch::new("v2");
    let procfs = scratch.procfs("cg", "cgroup2", "0::/pod/agent\n");
    scratch.write("cg/pod/agent/memory.current", "700000\n");
    scratch.write("cg/pod/agent/memory.max", "max\n");
    scratch.write("cg/pod/agent/memory.high", "1500000\n");
    scratch.write("cg/pod/agent/memory.stat", "anon 1\ninactive_file 200000\n");
    scratch.write("cg/pod/memory.max", "1000000\n");
    let limit = Limit::find(&procfs);
    let reading = limit.read(None);
    assert_eq!(reading, Reading { limit: Some(1_000_000), used: Some(500_000) });
    assert_eq!(limit.source(reading), LimitSource::CgroupV2);
    // A limit that changes is seen with the next reading.
    scratch.write("cg/pod/memory.max", "max\n");
    assert_eq!(limit.read(None).limit, Some(1_500_000));
}

#[test]
fn page_cache_counts_as_used_while_there_is_room() {
    let scratch = Scratch::new("low");
    let procfs = scratch.procfs("cg", "cgroup2", "0::/agent\n");
    scratch.write("cg/agent/memory.current", "500000\n");
    scratch.write("cg/agent/memory.max", "1000000\n");
    scratch.write("cg/agent/memory.stat", "inactive_file 200000\n");
    assert_eq!(Limit::find(&procfs).read(None).used, Some(500_000));
}

#[test]
fn page_cache_that_nobody_maps_is_free_on_either_list_and_shared_memory_is_not() {
    let scratch = Scratch::new("lists");
    let procfs = scratch.procfs("cg", "cgroup2", "0::/agent\n");
    scratch.write("cg/agent/memory.current", "900000\n");
    scratch.write("cg/agent/memory.max", "1000000\n");
    let used = |mapped: u64| {
        let lists = "inactive_file 100000\nactive_file 150000\nworkingset_activate_file 7\n";
        let files = format!("file 300000\nshmem 50000\nfile_mapped {mapped}\n");
        scratch.write("cg/agent/memory.stat", &format!("anon 400000\n{files}{lists}"));
        Limit::find(&procfs).read(None).used
    };
    assert_eq!(used(0), Some(650_000));
    assert_eq!(used(60_000), Some(710_000));
    assert_eq!(used(400_000), Some(800_000), "more than the active list");
}

#[test]
fn slab_that_the_kernel_takes_back_is_free_and_other_slab_is_not() {
    let scratch = Scratch::new("slab");
    let procfs = scratch.procfs("cg", "cgroup2", "0::/agent\n");
    scratch.write("cg/agent/memory.current", "900000\n");
    scratch.write("cg/agent/memory.max", "1000000\n");
    let slab = "slab_reclaimable 250000\nslab_unreclaimable 300000\nslab 550000\n";
    scratch.write("cg/agent/memory.stat", &format!("inactive_file 50000\n{slab}"));
    assert_eq!(Limit::find(&procfs).read(None).used, Some(600_000));
}

#[test]
fn the_memory_controller_of_v1_is_read() {
    let scratch = Scratch::new("v1");
    let procfs = scratch.procfs("memory", "cgroup", "5:cpu:/x\n4:memory:/agent\n0::/\n");
    scratch.write("memory/agent/memory.usage_in_bytes", "900\n");
    scratch.write("memory/agent/memory.limit_in_bytes", "1000\n");
    let lists = "total_inactive_file 200\ntotal_active_file 150\n";
    scratch.write("memory/agent/memory.stat", &format!("inactive_file 1\ntotal_mapped_file 50\n{lists}"));
    let limit = Limit::find(&procfs);
    let reading = limit.read(None);
    assert_eq!(reading, Reading { limit: Some(1000), used: Some(600) });
    assert_eq!(limit.source(reading), LimitSource::CgroupV1);
}

#[test]
fn without_a_limit_the_machine_is_the_limit() {
    let scratch = Scratch::new("machine");
    let procfs = scratch.procfs("cg", "cgroup2", "0::/agent\n");
    let machine = Reading { limit: Some(16 << 20), used: Some(7) };
    let limit = Limit::find(&procfs);
    assert_eq!(limit.read(Some(7)), machine, "no controller");
    assert_eq!(limit.source(machine), LimitSource::Machine);
    // v1 writes "no limit" as a number above any memory.
    let procfs = scratch.procfs("memory", "cgroup", "4:memory:/agent\n");
    scratch.write("memory/agent/memory.usage_in_bytes", "7\n");
    scratch.write("memory/agent/memory.limit_in_bytes", "9223372036854771712\n");
    let limit = Limit::find(&procfs);
    assert_eq!(limit.read(None), machine);
    assert_eq!(limit.source(machine), LimitSource::Machine);
    assert_eq!(Limit::find(Path::new("/nonexistent")).read(None), Reading::default());
}
