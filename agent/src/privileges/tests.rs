use super::*;
use std::thread;

fn loading() -> CapabilitySet {
    LOADING.iter().fold(CapabilitySet::empty(), |all, (one, _)| all | *one)
}

/// Runs in a new thread, whose capabilities end with it.
fn alone<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(test).join().unwrap())
}

#[test]
fn dropped_capabilities_are_gone_for_good() {
    let (before, privileges, after) = alone(|| {
        let before = capabilities(None).unwrap();
        (before, lower(|| Ok(())), capabilities(None).unwrap())
    });
    let named: Vec<&str> =
        LOADING.iter().filter(|(one, _)| before.permitted.contains(*one)).map(|(_, name)| *name).collect();
    assert_eq!(privileges.given_up, named);
    assert_eq!(privileges.kept, None);
    let loading = loading();
    assert_eq!(after.effective, before.effective - loading);
    assert_eq!(after.permitted, before.permitted - loading);
    assert_eq!(after.inheritable, before.inheritable - loading);
}

#[test]
fn all_capabilities_are_kept_if_the_kernel_needs_them_later() {
    let has_any = capabilities(None).unwrap().permitted.intersects(loading());
    let (before, during, privileges, after) = alone(|| {
        let before = capabilities(None).unwrap();
        let mut during = before;
        let privileges = lower(|| {
            during = capabilities(None).unwrap();
            anyhow::bail!("Operation not permitted")
        });
        (before, during, privileges, capabilities(None).unwrap())
    });
    assert_eq!(after, before);
    assert_eq!(privileges.given_up, Vec::<String>::new());
    if has_any {
        assert!(!during.effective.intersects(loading()));
        assert!(privileges.kept.unwrap().contains("before Linux 5.19): Operation not permitted"));
    }
}
