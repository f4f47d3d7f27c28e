use super::*;

#[test]
fn page_cache_is_no_growth_on_either_list_and_shared_memory_is() {
    let statistics = "anon 500\nfile 400\nshmem 100\ninactive_file 200\nactive_file 100\n";
    assert_eq!(v2(1000.0, statistics).unwrap().held, 700.0);
    let statistics =
        "active_file 1\ninactive_file 1\ntotal_shmem 100\ntotal_inactive_file 200\ntotal_active_file 100\n";
    assert_eq!(v1(1000.0, None, statistics).unwrap().held, 700.0);
    assert_eq!(v2(1000.0, "anon 500\n"), None);
}

#[test]
fn names_and_inodes_that_the_kernel_takes_back_are_no_growth_and_other_slab_is() {
    let lists = "inactive_file 0\nactive_file 0\n";
    let held = |slab: &str| v2(1000.0, &format!("{lists}{slab}")).unwrap().held;
    assert_eq!(held("slab_reclaimable 300\nslab_unreclaimable 200\nslab 500\n"), 700.0);
    assert_eq!(held(""), 1000.0, "a kernel that does not divide slab");
    assert!(is_held("slab_unreclaimable") && !is_held("slab_reclaimable"));
}

#[test]
fn each_version_states_the_parts_that_it_has() {
    let statistics = "anon 5\nkernel 9\nslab_reclaimable 3\nslab 4\ninactive_file 2\nactive_file 1\n";
    let expected =
        [("anon", 5.0), ("active_file", 1.0), ("inactive_file", 2.0), ("kernel", 9.0), ("slab_reclaimable", 3.0)];
    assert_eq!(v2(20.0, statistics).unwrap().parts, expected);
    let statistics = "rss 1\ntotal_rss 6\ntotal_inactive_file 2\ntotal_active_file 1\n";
    let expected = [("total_rss", 6.0), ("total_active_file", 1.0), ("total_inactive_file", 2.0), (V1_KERNEL, 7.0)];
    assert_eq!(v1(20.0, Some(7.0), statistics).unwrap().parts, expected);
}

#[test]
fn the_version_follows_from_the_files_of_the_cgroup() {
    let cgroup = std::env::temp_dir().join(format!("netwhy-soak-charge-{}", std::process::id()));
    fs::create_dir_all(&cgroup).unwrap();
    let write = |file: &str, text: &str| fs::write(cgroup.join(file), text).unwrap();
    write("memory.stat", "active_file 1\ninactive_file 1\ntotal_active_file 10\ntotal_inactive_file 10\n");
    let none = read(&cgroup);
    write("memory.usage_in_bytes", "100\n");
    write(V1_KERNEL, "30\n");
    let v1 = read(&cgroup).unwrap();
    write("memory.current", "100\n");
    let v2 = read(&cgroup).unwrap();
    fs::remove_dir_all(&cgroup).unwrap();
    assert_eq!((none, v1.held, v1.part(V1_KERNEL)), (None, 80.0, Some(30.0)));
    assert_eq!((v2.held, v2.part(V1_KERNEL), v2.part("active_file")), (98.0, None, Some(1.0)));
}
