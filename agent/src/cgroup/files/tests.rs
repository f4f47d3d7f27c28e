//! The reader over directories with the kernels' layouts, and over the running kernel.

use super::*;
use crate::cgroup::testing::{TestCgroup, real_mounts, remove_tree};
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A directory tree that is removed on drop.
struct Tree(PathBuf);

impl Tree {
    fn new(test: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("netwhy-test-{test}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }

    fn mounts(&self, v1: &[&str]) -> Mounts {
        let v1: BTreeMap<_, _> = v1.iter().map(|c| ((*c).to_owned(), self.0.join(c))).collect();
        Mounts { unified: self.0.join("v2"), subtree: "/".into(), v1 }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const STAT_V2: &str = "usage_usec 900\nuser_usec 1\nsystem_usec 1\nnr_periods 30\nnr_throttled 7\nthrottled_usec 8\n";
const STAT_V1: &str = "nr_periods 12\nnr_throttled 11\nthrottled_time 9000\n";
const STALL: &str = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=2\n";

#[test]
fn unified_mode_reads_v2_files() {
    let tree = Tree::new(
        "files-v2",
        &[
            ("v2/a/cpu.stat", STAT_V2),
            ("v2/a/cpu.max", "50000 100000\n"),
            ("v2/a/cpu.pressure", STALL),
            ("v2/a/memory.pressure", STALL),
            ("v2/a/io.pressure", STALL),
            ("v2/a/memory.events", "oom 4\noom_kill 3\n"),
            ("v2/cpu.stat", "usage_usec 900\n"),
        ],
    );
    let mut reader = Reader::new(&tree.mounts(&[]));
    let want =
        CpuStat { periods: 30, throttled_periods: 7, throttled_us: 8, usage_us: 900, limit_millicores: Some(500) };
    assert_eq!(reader.cpu("/a").unwrap(), Some(want));
    let pressure = reader.pressure("/a").unwrap().unwrap();
    assert_eq!((pressure.cpu_some_us, pressure.memory_full_us, pressure.io_some_us), (1, 2, 1));
    assert_eq!(reader.oom_kills("/a").unwrap(), Some(3));
    assert!(reader.oom_kills_include_descendants());
    // The root has no controller's files; what isn't there is None, not zero.
    assert_eq!(reader.cpu("/").unwrap(), None);
    assert_eq!(reader.pressure("/").unwrap(), None);
    assert_eq!(reader.oom_kills("/gone").unwrap(), None);
}

#[test]
fn hybrid_mode_reads_the_same_path_of_the_v1_hierarchies() {
    let tree = Tree::new(
        "files-v1",
        &[
            ("cpu/a/cpu.stat", STAT_V1),
            ("cpu/a/cpu.cfs_quota_us", "20000\n"),
            ("cpu/a/cpu.cfs_period_us", "100000\n"),
            ("cpuacct/a/cpuacct.usage", "5000000\n"),
            ("cpu/free/cpu.stat", STAT_V1),
            ("cpu/free/cpu.cfs_quota_us", "-1\n"),
            ("cpuacct/free/cpuacct.usage", "5000000\n"),
            ("memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
            ("v2/a/cpu.stat", "usage_usec 77\n"),
        ],
    );
    let mut reader = Reader::new(&tree.mounts(&["cpu", "cpuacct", "memory"]));
    let want =
        CpuStat { periods: 12, throttled_periods: 11, throttled_us: 9, usage_us: 5_000, limit_millicores: Some(200) };
    assert_eq!(reader.cpu("/a").unwrap(), Some(want));
    assert_eq!(reader.cpu("/free").unwrap(), Some(CpuStat { limit_millicores: None, ..want }));
    assert_eq!(reader.oom_kills("/a").unwrap(), Some(2));
    assert!(!reader.oom_kills_include_descendants());
    assert_eq!(reader.cpu("/absent").unwrap(), None);
    let mut without_cpuacct = Reader::new(&tree.mounts(&["cpu"]));
    assert_eq!(without_cpuacct.cpu("/a").unwrap().unwrap().usage_us, 77);
}

#[test]
fn throttling_is_seen_where_the_accounting_controller_lacks_the_cgroup() {
    let tree = Tree::new(
        "files-cpuacct",
        &[("cpu/a/cpu.stat", STAT_V1), ("cpuacct/other/cpuacct.usage", "1\n"), ("v2/a/cpu.stat", "usage_usec 77\n")],
    );
    let stat = Reader::new(&tree.mounts(&["cpu", "cpuacct"])).cpu("/a").unwrap().unwrap();
    assert_eq!((stat.throttled_periods, stat.usage_us), (11, 77));
}

#[test]
fn unparsable_file_is_an_error_that_names_it() {
    let tree = Tree::new("files-bad", &[("v2/a/cpu.stat", "usage_usec many\n"), ("v2/a/memory.events/x", "")]);
    let mut reader = Reader::new(&tree.mounts(&[]));
    let error = reader.cpu("/a").unwrap_err();
    assert!(matches!(error, FileError::Parse { .. }));
    assert!(error.to_string().contains("v2/a/cpu.stat: `many` is not a number"), "{error}");
    assert!(matches!(reader.oom_kills("/a"), Err(FileError::Read { .. })));
}

struct Busy(Child);

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn running_kernel_throttles_and_its_figures_are_read() {
    const TEST: &str = "running_kernel_throttles_and_its_figures_are_read";
    let Some(mounts) = real_mounts(TEST) else { return };
    let group = TestCgroup::new(&mounts, "files");
    let mut reader = Reader::new(&mounts);
    if group.dir().join("cpu.pressure").exists() {
        assert!(reader.pressure(group.path()).unwrap().is_some());
    }
    let Some(cpu) = mounts.v1.get("cpu") else {
        eprintln!("SKIP {TEST}: the v1 cpu controller is not mounted; its v2 twin needs rights over the root cgroup");
        return;
    };
    let below = group.path().trim_start_matches('/');
    assert_eq!(reader.cpu(group.path()).unwrap(), None, "no v1 twin yet");
    let twins = V1Twins(["cpu", "cpuacct"].into_iter().filter_map(|c| Some(mounts.v1.get(c)?.join(below))).collect());
    for dir in &twins.0 {
        fs::create_dir_all(dir).unwrap();
    }
    fs::write(cpu.join(below).join("cpu.cfs_period_us"), "10000").unwrap();
    fs::write(cpu.join(below).join("cpu.cfs_quota_us"), "1000").unwrap();
    // Taken first: on a busy machine the test may stand still between two steps.
    let start = Instant::now();
    let busy = Busy(Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap());
    for dir in &twins.0 {
        fs::write(dir.join("cgroup.procs"), busy.0.id().to_string()).unwrap();
    }
    let deadline = start + Duration::from_secs(60);
    // Periods may be counted as throttled some time before any throttled time is.
    let stat = loop {
        let stat = reader.cpu(group.path()).unwrap().unwrap();
        if stat.throttled_periods > 2 && stat.throttled_us > 1_000 && stat.usage_us > 0 {
            break stat;
        }
        assert!(Instant::now() < deadline, "not throttled: {stat:?}");
        std::thread::yield_now();
    };
    drop(busy);
    assert_eq!(stat.limit_millicores, Some(100));
    assert!(stat.periods >= stat.throttled_periods, "{stat:?}");
    // One runnable thread: more than the time that passed would be a wrong unit.
    let elapsed_us = start.elapsed().as_micros() as u64 + 100_000;
    assert!(stat.throttled_us + stat.usage_us <= elapsed_us, "{stat:?} in {elapsed_us} µs");
}

struct V1Twins(Vec<PathBuf>);

impl Drop for V1Twins {
    fn drop(&mut self) {
        self.0.iter().for_each(|dir| remove_tree(dir));
    }
}
