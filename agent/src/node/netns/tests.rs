use super::*;

#[test]
fn a_threads_own_namespace_needs_no_entering() {
    let net = NodeNet::new(Path::new("/proc"), "thread-self");
    assert!(net.is_current());
    let here = std::thread::current().id();
    assert_eq!(net.run(|| std::thread::current().id()), Ok(here));
}

#[test]
fn a_namespace_that_is_not_there_says_what_would_help() {
    let net = NodeNet::new(Path::new("/proc"), "0");
    assert!(!net.is_current());
    let why = net.run(|| ()).unwrap_err();
    assert!(why.contains("hostNetwork") && !why.contains('\n'), "{why}");
}
