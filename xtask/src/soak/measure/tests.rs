use super::*;

#[test]
fn page_cache_is_no_growth_on_either_list_and_shared_memory_is() {
    let v2 = "anon 500\nfile 400\nshmem 100\ninactive_file 200\nactive_file 100\n";
    assert_eq!(without_cache(1000.0, v2, ""), Some(700.0));
    let v1 = "active_file 1\ninactive_file 1\ntotal_shmem 100\ntotal_inactive_file 200\ntotal_active_file 100\n";
    assert_eq!(without_cache(1000.0, v1, "total_"), Some(700.0));
    assert_eq!(without_cache(1000.0, "anon 500\n", ""), None);
}
