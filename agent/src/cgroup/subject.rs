//! Names of subjects without the Kubernetes API.

use super::name::{Owner, resolve};
use crate::state::{SubjectId, SubjectKind};

/// Longest namespace, name or workload, bytes (the Kubernetes limit for names).
const MAX_LEN: usize = 253;

/// Digits of a container ID in its name, as container engines list it.
const SHORT_ID: usize = 12;

/// Names the owner of the cgroup at `path`. Each field has at most 253 bytes; a longer text is truncated and ends with
/// a hash of the whole, so that two owners stay distinct.
///
/// | owner | namespace | name | workload |
/// |---|---|---|---|
/// | unit, plain cgroup | parent path, `/` at the top | leaf | `Unit/<leaf>` |
/// | the root cgroup | `/` | `root` | `Unit/-.slice`, systemd's name for it |
/// | container | parent path | `<runtime>-<12 digits of its ID>` | `Container/<ID>` |
/// | Pod | `kubepods` | `pod-<uid>` | `Pod/<uid>` |
pub fn standalone_subject(path: &str) -> SubjectId {
    let (owner, top) = resolve(path);
    let top = top.trim_start_matches('/');
    let (parent, leaf) = top.rsplit_once('/').unwrap_or(("/", top));
    let (kind, namespace, name, workload) = match owner {
        Owner::Pod { uid, .. } => (SubjectKind::Pod, "kubepods", format!("pod-{uid}"), format!("Pod/{uid}")),
        Owner::Container(c) => {
            let short = c.id.get(..SHORT_ID).unwrap_or(&c.id);
            (SubjectKind::Container, parent, format!("{}-{short}", c.runtime), format!("Container/{}", c.id))
        }
        Owner::Unit { .. } if leaf.is_empty() => (SubjectKind::Unit, "/", "root".to_owned(), "Unit/-.slice".to_owned()),
        Owner::Unit { .. } => (SubjectKind::Unit, parent, leaf.to_owned(), format!("Unit/{leaf}")),
    };
    SubjectId { kind, namespace: bounded(namespace), name: bounded(&name), workload: bounded(&workload) }
}

fn bounded(text: &str) -> String {
    if text.len() <= MAX_LEN {
        return text.to_owned();
    }
    let mut end = MAX_LEN - 17;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{:016x}", &text[..end], fnv1a(text.as_bytes()))
}

/// FNV-1a, 64 bits: the same in every build and on every machine, unlike std's hasher.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f0c1d2e4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0";

    #[test]
    fn subjects_are_named_by_unit_container_pod_or_path() {
        let long_id = format!("Container/{ID}");
        let docker = format!("/docker/{ID}/x");
        let pod = "/kubepods/burstable/pod8b7ac1de-55aa-4c1f-9e2b-0123456789ab/x";
        let cases = [
            ("/", SubjectKind::Unit, "/", "root", "Unit/-.slice"),
            ("/root", SubjectKind::Unit, "/", "root", "Unit/root"),
            ("/system.slice", SubjectKind::Unit, "/", "system.slice", "Unit/system.slice"),
            ("/system.slice/a@b.service/x", SubjectKind::Unit, "system.slice", "a@b.service", "Unit/a@b.service"),
            ("/lab/nodes/pod-a", SubjectKind::Unit, "lab/nodes", "pod-a", "Unit/pod-a"),
            (docker.as_str(), SubjectKind::Container, "docker", "docker-3f0c1d2e4b5a", long_id.as_str()),
            (
                pod,
                SubjectKind::Pod,
                "kubepods",
                "pod-8b7ac1de-55aa-4c1f-9e2b-0123456789ab",
                "Pod/8b7ac1de-55aa-4c1f-9e2b-0123456789ab",
            ),
        ];
        for (path, kind, namespace, name, workload) in cases {
            let want = SubjectId { kind, namespace: namespace.into(), name: name.into(), workload: workload.into() };
            assert_eq!(standalone_subject(path), want, "{path}");
        }
    }

    #[test]
    fn long_names_are_cut_without_merging() {
        let long = "é".repeat(125);
        let [a, b] = ["1.service", "2.service"].map(|end| standalone_subject(&format!("/deep/{long}{end}")));
        assert_ne!(a.workload, b.workload);
        assert_ne!(a.name, b.name);
        let deep = standalone_subject(&format!("/{0}/{0}/{0}/leaf", "x".repeat(200)));
        for text in [&a.name, &a.workload, &b.name, &deep.namespace] {
            assert!(text.len() <= MAX_LEN && text.contains('~'), "{text}");
        }
        assert_eq!(deep.name, "leaf");
        assert_eq!(a, standalone_subject(&format!("/deep/{long}1.service")));
        let exact = "y".repeat(MAX_LEN);
        assert_eq!(standalone_subject(&format!("/{exact}")).name, exact);
    }
}
