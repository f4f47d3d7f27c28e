//! The table over the running kernel's cgroup tree.

use super::*;
use crate::cgroup::testing::{TestCgroup, real_mounts, remove_tree};
use rustix::fs::inotify::ReadFlags;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    time::{Duration, Instant},
};

/// The machine's mounts with a test cgroup as the subtree.
fn subtree(test: &str, name: &str) -> Option<(Mounts, TestCgroup)> {
    let mounts = real_mounts(test)?;
    let group = TestCgroup::new(&mounts, name);
    Some((Mounts { subtree: group.path().to_owned(), ..mounts }, group))
}

/// Waits for changes of the table until `done`.
fn wait_until(table: &CgroupTable, what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut seen = table.generation();
    while !done() {
        let left = deadline.checked_duration_since(Instant::now());
        let left = left.unwrap_or_else(|| panic!("{what}: {:?}, {:?}", table.live(), table.degraded()));
        seen = table.wait_newer(seen, left.min(Duration::from_millis(100)));
    }
}

fn live(table: &CgroupTable) -> Vec<String> {
    table.live().into_iter().map(|(_, path)| path).collect()
}

#[test]
fn existing_cgroups_are_named_at_open() {
    let Some((mounts, group)) = subtree("existing_cgroups_are_named_at_open", "open") else { return };
    let outer = group.child("outer");
    let inner = outer.child("inner");
    let table = CgroupTable::open(&mounts).unwrap();
    assert_eq!(table.degraded(), None);
    assert_eq!(live(&table), [group.path(), outer.path(), inner.path()]);
    assert_eq!(table.path(inner.id()), Some((inner.path().to_owned(), true)));
    assert_eq!(table.path(u64::MAX), None);
    let whole = CgroupTable::open(&Mounts { subtree: "/".into(), ..mounts }).unwrap();
    let root = fs::metadata(&whole.mount).unwrap().ino();
    assert_eq!(whole.path(root), Some(("/".to_owned(), true)));
    assert_eq!(whole.path(inner.id()), Some((inner.path().to_owned(), true)));
}

#[test]
fn cgroups_that_come_and_go_are_followed() {
    let Some((mounts, group)) = subtree("cgroups_that_come_and_go_are_followed", "follow") else { return };
    let table = CgroupTable::open(&mounts).unwrap();
    let before = table.generation();
    let outer = group.child("outer");
    let inner = outer.child("inner");
    wait_until(&table, "inner appears", || table.path(inner.id()).is_some());
    assert!(table.generation() > before);
    let (inner_id, inner_path, outer_id) = (inner.id(), inner.path().to_owned(), outer.id());
    drop(inner);
    drop(outer);
    wait_until(&table, "both go", || live(&table) == [group.path()]);
    assert_eq!(table.path(inner_id), Some((inner_path, false)));
    assert!(matches!(table.path(outer_id), Some((_, false))));
    assert_eq!(table.shared.lock().watch_count(), 1, "watches of removed cgroups go too");
    let quiet = table.generation();
    table.refresh();
    assert_eq!(table.generation(), quiet, "nothing changed");
}

#[test]
fn cgroups_that_live_for_50_ms_are_named_afterwards() {
    let Some((mounts, group)) = subtree("cgroups_that_live_for_50_ms_are_named_afterwards", "brief") else { return };
    let table = CgroupTable::open(&mounts).unwrap();
    // A machine that gives the table's thread no CPU for 50 ms says nothing about the table: then others are made.
    for attempt in 0..20 {
        let before = table.missed();
        let brief: Vec<_> = (0..20).map(|i| group.child(&format!("brief-{attempt}-{i}"))).collect();
        let names: Vec<(u64, String)> = brief.iter().map(|g| (g.id(), g.path().to_owned())).collect();
        // The lifetime is what is under test; nothing waits for the table.
        thread::sleep(Duration::from_millis(50));
        drop(brief);
        let missed = || table.missed().vanished - before.vanished;
        let named = || names.iter().filter(|(id, _)| matches!(table.path(*id), Some((_, false)))).count() as u64;
        wait_until(&table, "all went", || named() + missed() >= 20);
        if missed() == 0 {
            for (id, path) in names {
                assert_eq!(table.path(id), Some((path, false)));
            }
            assert_eq!(table.missed().overflows, 0);
            return;
        }
    }
    panic!("none of 20 attempts named all: {:?}", table.missed());
}

#[test]
fn children_made_before_the_watch_are_found() {
    let Some((mounts, group)) = subtree("children_made_before_the_watch_are_found", "nested") else { return };
    let table = CgroupTable::open(&mounts).unwrap();
    let mut ids = Vec::new();
    for i in 0..30 {
        // Deep trees in one go outrun the watcher, which must find the lower levels by listing.
        let deep = group.dir().join(format!("{i}/a/b/c"));
        fs::create_dir_all(&deep).unwrap();
        ids.push((fs::metadata(&deep).unwrap().ino(), format!("{}/{i}/a/b/c", group.path())));
    }
    wait_until(&table, "all levels", || ids.iter().all(|(id, _)| table.path(*id).is_some()));
    for (id, path) in &ids {
        assert_eq!(table.path(*id), Some((path.clone(), true)));
    }
    for i in 0..30 {
        remove_tree(&group.dir().join(i.to_string()));
    }
    wait_until(&table, "all gone", || live(&table) == [group.path()]);
}

#[test]
fn same_name_again_is_another_cgroup() {
    let Some((mounts, group)) = subtree("same_name_again_is_another_cgroup", "again") else { return };
    let table = CgroupTable::open(&mounts).unwrap();
    let mut last = 0;
    for _ in 0..50 {
        last = group.child("again").id();
    }
    let kept = group.child("again");
    wait_until(&table, "the last one lives", || matches!(table.path(kept.id()), Some((_, true))));
    wait_until(&table, "only it does", || live(&table) == [group.path(), kept.path()]);
    assert_ne!(last, kept.id());
    assert!(!matches!(table.path(last), Some((_, true))));
}

#[test]
fn without_inotify_refresh_rescans_and_says_why() {
    let Some((mounts, group)) = subtree("without_inotify_refresh_rescans_and_says_why", "scan") else { return };
    let table = CgroupTable::open_with(&mounts, Err("no inotify here".into())).unwrap();
    assert_eq!(table.degraded().as_deref(), Some("no inotify here"));
    let child = group.child("child");
    assert_eq!(table.path(child.id()), None);
    table.refresh();
    assert_eq!(table.path(child.id()), Some((child.path().to_owned(), true)));
    let id = child.id();
    drop(child);
    table.refresh();
    assert!(matches!(table.path(id), Some((_, false))));
}

#[test]
fn queue_overflow_rescans_at_once_and_is_counted() {
    let Some((_mounts, group)) = subtree("queue_overflow_rescans_at_once_and_is_counted", "overflow") else { return };
    let instance = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
    let mut tree = Tree::new(group.dir().to_owned(), Ok(Arc::new(instance)));
    tree.scan().unwrap();
    let gone = group.child("gone").id();
    let child = group.child("child");
    assert!(tree.roster.path(child.id()).is_none());
    tree.on_event(-1, ReadFlags::QUEUE_OVERFLOW, None);
    assert!(tree.roster.path(child.id()).is_some());
    assert!(tree.roster.path(gone).is_none());
    assert_eq!(tree.missed, Missed { vanished: 0, overflows: 1 });
    assert_eq!((tree.degraded(), tree.watch_count()), (None, 2));
}

#[test]
fn cgroup_that_vanished_before_its_event_is_counted() {
    let Some((_mounts, group)) = subtree("cgroup_that_vanished_before_its_event_is_counted", "vanish") else { return };
    let instance = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
    let mut tree = Tree::new(group.dir().to_owned(), Ok(Arc::new(instance)));
    tree.scan().unwrap();
    let wd = tree.roster.node(group.dir()).unwrap().wd.unwrap();
    tree.on_event(wd, ReadFlags::CREATE | ReadFlags::ISDIR, Some(OsStr::new("ghost")));
    tree.on_event(wd, ReadFlags::DELETE | ReadFlags::ISDIR, Some(OsStr::new("ghost")));
    assert_eq!(tree.missed, Missed { vanished: 1, overflows: 0 });
    assert_eq!(tree.generation, 1, "only the top was ever seen");
}

#[test]
fn broken_watch_degrades_to_rescans() {
    let Some((mounts, group)) = subtree("broken_watch_degrades_to_rescans", "broken") else { return };
    // A directory in place of an inotify instance: no watch can be added to it, and reading events fails.
    let wrong = Arc::new(fs::File::open(group.dir()).unwrap().into());
    let table = CgroupTable::open_with(&mounts, Ok(wrong)).unwrap();
    wait_until(&table, "the watch's end is told", || {
        table.degraded().is_some_and(|d| d.contains("the cgroup watch failed"))
    });
    let child = group.child("child");
    table.refresh();
    assert_eq!(table.path(child.id()), Some((child.path().to_owned(), true)));
}

#[test]
fn dropped_table_leaves_no_thread() {
    let Some((mounts, _group)) = subtree("dropped_table_leaves_no_thread", "drop") else { return };
    let table = CgroupTable::open(&mounts).unwrap();
    let shared = Arc::downgrade(&table.shared);
    drop(table);
    assert!(shared.upgrade().is_none(), "the thread held it");
}

#[test]
fn removed_subtree_is_noticed() {
    let Some((mounts, group)) = subtree("removed_subtree_is_noticed", "removed") else { return };
    let table = CgroupTable::open(&mounts).unwrap();
    let id = group.id();
    drop(group);
    table.refresh();
    assert!(matches!(table.path(id), Some((_, false))), "{:?}", table.path(id));
    assert!(matches!(CgroupTable::open(&mounts), Err(TableError::Scan { .. })));
}
