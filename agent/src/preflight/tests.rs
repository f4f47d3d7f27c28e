use super::*;

#[test]
fn pid_namespaces_below_that_of_procfs_are_counted_from_the_status() {
    assert_eq!(namespaces_below("Name:\tcat\nNSpid:\t18273\t2\nNSpgid:\t18273\t1\n"), Some(1));
    assert_eq!(namespaces_below("NSpid:\t18273\n"), Some(0));
    assert_eq!(namespaces_below("Name:\tcat\n"), None);
}
