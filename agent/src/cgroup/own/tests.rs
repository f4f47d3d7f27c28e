use super::*;

const HYBRID: &str = "\
30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
31 20 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
32 20 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

fn paths(dirs: &OwnDirs) -> Vec<&str> {
    dirs.dirs.iter().map(|dir| dir.to_str().unwrap()).collect()
}

#[test]
fn on_a_hybrid_machine_the_memory_controller_of_v1_comes_first() {
    let found = own_dirs(HYBRID, "5:cpu:/a\n4:memory,hugetlb:/kubepods/pod1/c\n0::/b\n");
    let memory =
        ["/kubepods/pod1/c", "/kubepods/pod1", "/kubepods", ""].map(|dir| format!("/sys/fs/cgroup/memory{dir}"));
    assert_eq!(paths(&found[0]), memory);
    assert_eq!((found[0].is_v2, found[1].is_v2), (false, true));
    assert_eq!(paths(&found[1]), ["/sys/fs/cgroup/unified/b", "/sys/fs/cgroup/unified"]);
}

#[test]
fn a_container_finds_itself_on_its_own_mount_and_not_on_the_hosts() {
    // The chart's mount of the host's hierarchy, and the container's own, in a private cgroup namespace.
    let mounts = "\
40 30 0:28 /../../.. /host/sys/fs/cgroup ro - cgroup2 cgroup rw
41 30 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup rw
";
    let found = own_dirs(mounts, "0::/\n");
    assert_eq!(found.iter().map(paths).collect::<Vec<_>>(), [["/sys/fs/cgroup"]]);
    // Without a private namespace the own mount is a bind mount of the container's directory.
    let mounts = "41 30 0:28 /kubepods/c /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    assert_eq!(paths(&own_dirs(mounts, "0::/kubepods/c\n")[0]), ["/sys/fs/cgroup"]);
    assert_eq!(own_dirs(mounts, "0::/elsewhere\n"), []);
}

#[test]
fn a_process_outside_its_namespace_has_no_directory() {
    let mounts = "41 30 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    assert_eq!(own_dirs(mounts, "0::/../other\n"), []);
    assert_eq!(own_dirs("", "0::/a\n"), []);
    assert_eq!(own_dirs(mounts, "nonsense\n"), []);
}
