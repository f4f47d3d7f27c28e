use super::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::{
    fs::{self, File},
    time::{Duration, Instant},
};

/// Most time that the test may wait.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_memory_file_that_hangs_makes_the_use_old_and_delays_nobody() {
    let root = std::env::temp_dir().join(format!("netwhy-timely-limit-{}", std::process::id()));
    let (own, process) = (root.join("cg/agent"), root.join("proc/self"));
    fs::create_dir_all(&own).unwrap();
    fs::create_dir_all(&process).unwrap();
    let mount = root.join("cg");
    let mountinfo = format!("30 20 0:26 / {} rw - cgroup2 cgroup2 rw\n", mount.display());
    fs::write(process.join("mountinfo"), mountinfo).unwrap();
    fs::write(process.join("cgroup"), "0::/agent\n").unwrap();
    fs::write(own.join("memory.max"), "1000\n").unwrap();
    let used = own.join("memory.current");
    fs::write(&used, "400\n").unwrap();
    let mut limit = TimelyLimit::new(Limit::find(&root.join("proc")));
    let of = |bytes| (Reading { limit: Some(1000), used: Some(bytes) }, LimitSource::CgroupV2);
    assert_eq!(limit.read(None), of(400));

    fs::remove_file(&used).unwrap();
    mknodat(CWD, &used, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let begun = Instant::now();
    for _ in 0..30 {
        assert_eq!(limit.read(None), of(400), "the last known");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "30 readings took {:?}", begun.elapsed());

    // The end of the hang: somebody writes.
    let writer = File::options().write(true).open(&used).unwrap();
    fs::remove_file(&used).unwrap();
    fs::write(&used, "500\n").unwrap();
    drop(writer);
    while limit.read(None) != of(500) {
        assert!(begun.elapsed() < PATIENCE);
    }
    fs::remove_dir_all(&root).unwrap();
}
