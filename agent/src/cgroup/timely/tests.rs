use super::*;
use crate::cgroup::{CgroupTable, Mounts, Reader};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    time::Instant,
};

/// Most time that a whole test may wait.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_cgroup_file_that_hangs_makes_the_facts_old_and_delays_nobody() {
    let root = std::env::temp_dir().join(format!("netwhy-timely-{}", std::process::id()));
    fs::create_dir_all(root.join("a")).unwrap();
    let stat = root.join("a/cpu.stat");
    fs::write(&stat, "usage_usec 900\n").unwrap();
    let mounts = Mounts { unified: root.clone(), subtree: "/".into(), v1: BTreeMap::new() };
    let reader = || {
        let table = CgroupTable::open(&mounts).unwrap();
        let pace = FactsPace { every: Duration::ZERO, budget: PATIENCE, is_on: true };
        FactsReader::new(table, Reader::new(&mounts), pace)
    };
    let mut facts = TimelyFacts::new(reader());
    let age = facts.handle().age;
    assert_eq!(age.get(), None);
    let usage = |facts: &[CgroupFacts]| facts.iter().find(|f| f.path.as_deref() == Some("/a")).and_then(|f| f.usage_us);
    assert_eq!(usage(&facts.read(Duration::from_secs(1), &[])), Some(900));
    assert_eq!(age.get(), Some(Duration::ZERO));

    fs::remove_file(&stat).unwrap();
    mknodat(CWD, &stat, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let begun = Instant::now();
    for second in 2..=30 {
        assert_eq!(usage(&facts.read(Duration::from_secs(second), &[])), Some(900), "the last known");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "29 ticks took {:?}", begun.elapsed());
    assert_eq!(age.get(), Some(Duration::from_secs(29)));

    // The end of the hang: somebody writes.
    let writer = File::options().write(true).open(&stat).unwrap();
    fs::remove_file(&stat).unwrap();
    fs::write(&stat, "usage_usec 950\n").unwrap();
    drop(writer);
    while usage(&facts.read(Duration::from_secs(31), &[])) != Some(950) {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert_eq!(age.get(), Some(Duration::ZERO));
    fs::remove_dir_all(&root).unwrap();
}

#[test]
fn files_that_are_turned_off_are_not_known_and_later_read_at_once() {
    let root = std::env::temp_dir().join(format!("netwhy-files-{}", std::process::id()));
    fs::create_dir_all(root.join("a")).unwrap();
    let write = |us: u64| fs::write(root.join("a/cpu.stat"), format!("usage_usec {us}\n")).unwrap();
    let mounts = Mounts { unified: root.clone(), subtree: "/".into(), v1: BTreeMap::new() };
    let pace = |is_on| FactsPace { every: Duration::from_secs(3_600), budget: PATIENCE, is_on };
    let mut reader = FactsReader::new(CgroupTable::open(&mounts).unwrap(), Reader::new(&mounts), pace(true));
    let mut usage = |second, is_on| {
        reader.set_pace(pace(is_on));
        let facts = reader.read(Duration::from_secs(second), &[]);
        facts.iter().find(|facts| facts.path.as_deref() == Some("/a")).expect("the cgroup stays").usage_us
    };
    write(900);
    assert_eq!(usage(1, true), Some(900));
    write(950);
    assert_eq!(usage(2, true), Some(900), "not yet");
    assert_eq!(usage(3, false), None);
    assert_eq!(usage(4, true), Some(950));
    fs::remove_dir_all(&root).unwrap();
}
