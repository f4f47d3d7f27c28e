//! Targets for fuzzing: paths and control files of cgroups.

use super::{Owner, owner, owner_path, parse, standalone_subject};

/// Longest field of a subject's name, bytes.
const MAX_NAME: usize = 253;

/// Checks the owner of any path.
pub(crate) fn path(path: &str) {
    let top = owner_path(path);
    match owner(path) {
        Owner::Unit { path: unit } => assert_eq!(unit, top, "a unit's path is its top cgroup's"),
        // Everything below belongs to the same owner, and so does the top itself.
        Owner::Pod { uid, qos, .. } => {
            let above = owner(top);
            assert!(matches!(&above, Owner::Pod { uid: u, qos: q, .. } if *u == uid && *q == qos), "{above:?}");
        }
        Owner::Container(container) => assert_eq!(owner(top), Owner::Container(container)),
    }
    assert!(top == "/" || path.starts_with(top), "{top:?} is no part of the path");
    let subject = standalone_subject(path);
    for field in [&subject.namespace, &subject.name, &subject.workload] {
        assert!(!field.is_empty() && field.len() <= MAX_NAME, "{subject:?}");
    }
}

/// Reads a text as each control file.
pub(crate) fn files(text: &str) {
    let _ = parse::cpu_stat_v2(text);
    let _ = parse::cpu_stat_v1(text);
    let _ = parse::cpu_max(text);
    let _ = parse::pressure(text);
    let _ = parse::memory_limit_hits(text);
    let _ = parse::oom_kills(text);
    let _ = parse::single(text);
    if let Some((quota, period)) = text.split_once('\n') {
        let _ = parse::cfs_quota(quota, period);
    }
}
