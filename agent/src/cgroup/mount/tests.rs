use super::*;
use crate::cgroup::testing::{TestCgroup, real_mounts};

const V2: &str = "\
25 30 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
35 25 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";
const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:1 master:2 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

#[test]
fn unified_mode_has_no_v1_mounts() {
    let mounts = Mounts::parse(V2).unwrap();
    assert_eq!((mounts.unified.to_str(), mounts.subtree.as_str()), (Some("/sys/fs/cgroup"), "/"));
    assert!(mounts.v1.is_empty());
}

#[test]
fn hybrid_mode_has_v2_beside_the_v1_controllers() {
    let mounts = Mounts::parse(HYBRID).unwrap();
    assert_eq!(mounts.unified, Path::new("/sys/fs/cgroup/unified"));
    let v1: Vec<_> = mounts.v1.iter().map(|(c, p)| (c.as_str(), p.to_str().unwrap())).collect();
    let both = "/sys/fs/cgroup/cpu,cpuacct";
    assert_eq!(v1, [("cpu", both), ("cpuacct", both), ("memory", "/sys/fs/cgroup/memory")]);
}

#[test]
fn without_v2_there_are_no_mounts() {
    let v1_only: String = HYBRID.lines().filter(|l| !l.contains("cgroup2")).map(|l| format!("{l}\n")).collect();
    assert_eq!(Mounts::parse(&v1_only), None);
    assert_eq!(Mounts::parse("not a mount table\n"), None);
}

#[test]
fn mount_with_the_highest_root_wins() {
    let line = |root: &str, at: &str| format!("41 31 0:38 {root} {at} rw - cgroup2 cgroup2 rw\n");
    let part = line("/kubelet/pod1", "/part");
    let whole = line("/", "/whole");
    let above = line("/../../..", "/host/sys/fs/cgroup");
    assert_eq!(Mounts::parse(&format!("{part}{whole}")).unwrap().unified, Path::new("/whole"));
    assert_eq!(Mounts::parse(&format!("{part}{whole}{above}")).unwrap().unified, Path::new("/host/sys/fs/cgroup"));
    let twice = format!("{whole}{}", line("/", "/second"));
    assert_eq!(Mounts::parse(&twice).unwrap().unified, Path::new("/whole"));
}

#[test]
fn octal_escapes_are_undone() {
    let text = r"41 31 0:38 / /a\040b\134c\011 rw - cgroup2 none rw";
    assert_eq!(Mounts::parse(text).unwrap().unified, Path::new("/a b\\c\t"));
    assert_eq!(unescape(r"x\04"), r"x\04");
    assert_eq!(unescape(r"x\999"), r"x\999");
}

#[test]
fn running_system_is_discovered_and_a_subdirectory_becomes_the_subtree() {
    let Some(mounts) = real_mounts("running_system_is_discovered_and_a_subdirectory_becomes_the_subtree") else {
        return;
    };
    let group = TestCgroup::new(&mounts, "mount");
    let child = group.child("inner");
    let found = Mounts::discover(Path::new("/proc"), Some(child.dir())).unwrap();
    assert_eq!(found.unified, mounts.unified);
    assert_eq!(found.subtree, child.path());
    assert_eq!(found.subtree_id().unwrap(), child.id());
    assert_eq!(found.v1, mounts.v1);
    let whole = Mounts::discover(Path::new("/proc"), Some(&mounts.unified)).unwrap();
    assert_eq!(whole.subtree, "/");
    let gone = child.dir().join("absent");
    assert!(matches!(Mounts::discover(Path::new("/proc"), Some(&gone)), Err(MountError::Root { .. })));
    let file = child.dir().join("cgroup.procs");
    assert!(matches!(Mounts::discover(Path::new("/proc"), Some(&file)), Err(MountError::Root { .. })));
}

#[test]
fn directory_of_another_file_system_is_refused() {
    let wrong = Mounts::discover(Path::new("/proc"), Some(Path::new("/proc")));
    assert!(matches!(wrong, Err(MountError::NotCgroup2 { .. })));
    let absent = Mounts::discover(Path::new("/no/such/proc"), None);
    assert!(matches!(absent, Err(MountError::Mountinfo { .. })));
}
