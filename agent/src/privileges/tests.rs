use super::{capability, threads::Rights};
use rustix::{
    io::Errno,
    thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities},
};
use std::{io, path::Path, thread};

/// Runs in a new thread, whose capabilities end with it.
fn alone<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(test).join().unwrap())
}

/// `needed` on a thread with all capabilities of this process, on a kernel that demands `demanded` for its maps; and the
/// sets with which it was asked.
fn needed(demanded: CapabilitySet) -> (anyhow::Result<(CapabilitySet, Option<String>)>, Vec<CapabilitySet>) {
    alone(|| {
        let permitted = capabilities(None).unwrap().permitted;
        let mut asked = Vec::new();
        let result = capability::needed(permitted, || {
            let effective = capabilities(None).unwrap().effective;
            asked.push(effective);
            let is_refused = !effective.contains(demanded & permitted);
            if is_refused { Err(io::Error::from(Errno::PERM).into()) } else { Ok(()) }
        });
        (result, asked)
    })
}

#[test]
fn a_kernel_that_demands_nothing_gets_nothing() {
    let (result, asked) = needed(CapabilitySet::empty());
    assert_eq!(result.unwrap(), (CapabilitySet::empty(), None));
    assert_eq!(asked, [CapabilitySet::empty()]);
}

#[test]
fn a_kernel_that_demands_a_capability_gets_the_smallest_set() {
    let permitted = alone(|| capabilities(None).unwrap().permitted);
    for demanded in [CapabilitySet::BPF, CapabilitySet::BPF | CapabilitySet::PERFMON] {
        if permitted.contains(demanded) {
            let (result, asked) = needed(demanded);
            let (kept, why) = result.unwrap();
            assert_eq!(kept, demanded);
            assert!(why.unwrap().contains("before Linux 5.19): Operation not permitted"));
            assert_eq!(asked.last(), Some(&demanded));
        }
    }
}

#[test]
fn a_failure_other_than_a_refusal_keeps_no_capability() {
    let (kept, why) = alone(|| {
        let permitted = capabilities(None).unwrap().permitted;
        capability::needed(permitted, || Err(io::Error::from(Errno::NOMEM).into())).unwrap()
    });
    assert_eq!((kept, why), (CapabilitySet::empty(), None));
}

#[test]
fn a_kernel_that_refuses_everything_is_an_error() {
    let error = alone(|| {
        let permitted = capabilities(None).unwrap().permitted;
        capability::needed(permitted, || Err(io::Error::from(Errno::PERM).into())).unwrap_err()
    });
    assert!(format!("{error:#}").contains("refuses to read the maps"), "{error:#}");
}

#[test]
fn dropped_capabilities_are_gone_for_good() {
    let (after, again) = alone(|| {
        let before = capabilities(None).unwrap();
        capability::keep_only(CapabilitySet::empty()).unwrap();
        let again = set_capabilities(None, CapabilitySets { inheritable: CapabilitySet::empty(), ..before });
        (capabilities(None).unwrap(), before.permitted.is_empty() || again.is_err())
    });
    let none = CapabilitySet::empty();
    assert_eq!((after.effective, after.permitted, after.inheritable), (none, none, none));
    assert!(again);
}

const STATUS: &str = "Name:\tx\nUid:\t65532\t65532\t65532\t65532\nGid:\t65532\t65532\t65532\t65532\nGroups:\t \n\
    CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n\
    CapAmb:\t0000000000000000\nNoNewPrivs:\t1\n";

/// Names of the rights in the texts of these threads.
fn names(threads: &[String]) -> Vec<String> {
    let dir =
        std::env::temp_dir().join(format!("netwhy-test-tasks-{}-{:?}", std::process::id(), thread::current().id()));
    for (number, text) in threads.iter().enumerate() {
        let task = dir.join(number.to_string());
        std::fs::create_dir_all(&task).unwrap();
        std::fs::write(task.join("status"), text).unwrap();
    }
    let rights = Rights::of_threads(&dir);
    std::fs::remove_dir_all(&dir).unwrap();
    rights.unwrap().names()
}

#[test]
fn every_right_of_every_thread_is_named() {
    assert_eq!(names(&[STATUS.to_owned()]), Vec::<String>::new());
    let cases = [
        ("Uid:\t65532\t65532\t65532\t65532", "Uid:\t65532\t65532\t0\t65532", "user 0"),
        ("Gid:\t65532\t65532\t65532\t65532", "Gid:\t65532\t0\t65532\t65532", "group 0"),
        ("Groups:\t ", "Groups:\t0 10 ", "group 0"),
        ("CapInh:\t0000000000000000", "CapInh:\t0000008000000000", "BPF"),
        ("CapPrm:\t0000000000000000", "CapPrm:\t0000004000000000", "PERFMON"),
        ("CapEff:\t0000000000000000", "CapEff:\t0000000000200000", "SYS_ADMIN"),
        ("CapAmb:\t0000000000000000", "CapAmb:\t8000000000000000", "capability 63"),
        ("CapBnd:\t0000000000000000", "CapBnd:\t0000000000000001", "bounding set"),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "new privileges"),
    ];
    for (from, to, name) in cases {
        // The right of one thread is a right of the process.
        assert_eq!(names(&[STATUS.to_owned(), STATUS.replace(from, to)]), [name]);
    }
}

#[test]
fn the_kernels_own_text_is_understood() {
    let rights = Rights::of_threads(Path::new("/proc/self/task")).unwrap();
    assert!(rights.users.contains(&rustix::process::geteuid().as_raw()));
    assert_eq!(rights.users.contains(&0), rights.names().contains(&"user 0".to_owned()));
    assert!(Rights::of_threads(Path::new("/proc/self/none")).is_err());
}
