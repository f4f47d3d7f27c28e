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
mod tests;
