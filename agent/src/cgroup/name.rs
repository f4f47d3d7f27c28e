//! The owner of a cgroup, from its path.

use std::iter;

/// Owner of a cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A Pod of the kubelet on this Node.
    Pod {
        /// `metadata.uid`; for static Pods the 32 hex digits of their manifest's hash.
        uid: String,
        /// `guaranteed`, `burstable` or `besteffort`. `None`: the kubelet runs without QoS cgroups.
        qos: Option<&'static str>,
        /// `None`: the Pod's cgroup itself, or that of the runtime's monitor process.
        container: Option<Container>,
    },
    /// A container outside Kubernetes.
    Container(Container),
    /// A systemd unit, or any other cgroup.
    Unit {
        /// The unit's cgroup; `/` for the root.
        path: String,
    },
}

/// A container, as its runtime names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// `containerd`, `cri-o`, `docker`, `podman`, or `container` if the path does not tell.
    pub runtime: &'static str,
    /// Container ID, lower-case hex.
    pub id: String,
}

/// Owner of the cgroup at `path` (below the mount, beginning with `/`).
///
/// The outermost Pod owns all its descendants, whatever runs inside, such as docker in docker: this Node's kubelet
/// knows it. Without a Pod the outermost container is the owner, then the innermost systemd unit, then the cgroup
/// itself. A Pod inside a container (a Node that is a container) is a Pod.
pub fn owner(path: &str) -> Owner {
    resolve(path).0
}

/// Path of the owner's top cgroup: that of the Pod, of the container (outside Kubernetes) or of the unit. It is `path`
/// or a prefix of it.
pub fn owner_path(path: &str) -> &str {
    resolve(path).1
}

pub(super) fn resolve(path: &str) -> (Owner, &str) {
    let parts: Vec<Part<'_>> = parts(path).collect();
    if let Some((i, uid, qos, inline)) = find_pod(&parts) {
        let container = inline.or_else(|| parts[i + 1..].iter().find_map(|p| container(p.name, p.parent)));
        return (Owner::Pod { uid, qos, container }, parts[i].path);
    }
    if let Some((part, container)) = parts.iter().find_map(|p| Some((p, container(p.name, p.parent)?))) {
        return (Owner::Container(container), part.path);
    }
    let unit = unit(&parts);
    (Owner::Unit { path: unit.to_owned() }, unit)
}

/// One component of a path.
struct Part<'a> {
    /// The component.
    name: &'a str,
    /// The one before it; empty for the first.
    parent: &'a str,
    /// The path up to and including it.
    path: &'a str,
}

fn parts(path: &str) -> impl Iterator<Item = Part<'_>> {
    let mut end = 0;
    let mut parent = "";
    iter::from_fn(move || {
        let skipped = path[end..].len() - path[end..].trim_start_matches('/').len();
        let begin = end + skipped;
        let name = path[begin..].split('/').next().filter(|n| !n.is_empty())?;
        end = begin + name.len();
        let part = Part { name, parent, path: &path[..end] };
        parent = name;
        Some(part)
    })
}

/// A Pod's component: (index, uid, QoS class, container when the same component names it).
type Pod = (usize, String, Option<&'static str>, Option<Container>);

fn find_pod(parts: &[Part<'_>]) -> Option<Pod> {
    parts.iter().enumerate().find_map(|(i, p)| {
        let (slice, inline) = split_inline(p.name);
        let (uid, qos) = pod_slice(slice).or_else(|| pod_dir(p.name, p.parent))?;
        Some((i, uid, qos, inline))
    })
}

/// `kubepods-….slice:cri-containerd:ID` is what containerd's cgroupfs driver makes of a kubelet with the systemd
/// driver.
fn split_inline(name: &str) -> (&str, Option<Container>) {
    let mut fields = name.splitn(3, ':');
    let slice = fields.next().unwrap_or(name);
    match (fields.next(), fields.next()) {
        (Some(prefix), Some(id)) => (slice, container(&format!("{prefix}-{id}"), "")),
        _ => (slice, None),
    }
}

/// systemd driver: `[parents-]kubepods[-burstable|-besteffort]-pod<uid>.slice`, the uid's dashes as underscores.
fn pod_slice(name: &str) -> Option<(String, Option<&'static str>)> {
    let (before, last) = name.strip_suffix(".slice")?.rsplit_once('-')?;
    let uid = last.strip_prefix("pod").filter(|u| is_uid(u))?;
    let level = before.rsplit('-').next()?;
    let in_kubepods = before.split('-').any(|s| s == "kubepods");
    in_kubepods.then(|| (uid.replace('_', "-"), qos(level)))
}

/// cgroupfs driver: `kubepods[/burstable|/besteffort]/pod<uid>`. Elsewhere (a kubelet without QoS cgroups) the name
/// must have the strict form of a uid, since `podman` and `pods` are not Pods.
fn pod_dir(name: &str, parent: &str) -> Option<(String, Option<&'static str>)> {
    let uid = name.strip_prefix("pod").filter(|u| is_uid(u))?;
    let qos = qos(parent);
    (qos.is_some() || is_strict_uid(uid)).then(|| (uid.to_owned(), qos))
}

/// QoS class of the directory above a Pod's cgroup. Guaranteed Pods have no such directory.
fn qos(level: &str) -> Option<&'static str> {
    match level {
        "kubepods" => Some("guaranteed"),
        "burstable" => Some("burstable"),
        "besteffort" => Some("besteffort"),
        _ => None,
    }
}

fn is_uid(uid: &str) -> bool {
    uid.starts_with(|c: char| c.is_ascii_alphanumeric())
        && uid.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_strict_uid(uid: &str) -> bool {
    let digits = || uid.bytes().filter(|b| *b != b'-');
    let dashes: Vec<_> = uid.match_indices('-').map(|(i, _)| i).collect();
    digits().count() == 32
        && digits().all(|b| b.is_ascii_hexdigit())
        && (dashes.is_empty() || dashes == [8, 13, 18, 23])
}

/// Prefixes of container cgroups. `None`: the runtime's monitor process (conmon), not the container.
const PREFIXES: [(&str, Option<&str>); 8] = [
    ("cri-containerd-", Some("containerd")),
    ("crio-conmon-", None),
    ("crio-", Some("cri-o")),
    ("docker-", Some("docker")),
    ("libpod-conmon-", None),
    ("libpod-", Some("podman")),
    ("nerdctl-", Some("containerd")),
    ("containerd-", Some("containerd")),
];

/// The container that a component names.
fn container(name: &str, parent: &str) -> Option<Container> {
    let stem = name.strip_suffix(".scope").unwrap_or(name);
    if is_container_id(stem) {
        let runtime = match parent {
            "docker" => "docker",
            "libpod_parent" => "podman",
            "default" | "k8s.io" | "moby" => "containerd",
            _ => "container",
        };
        return Some(Container { runtime, id: stem.to_owned() });
    }
    let (prefix, runtime) = PREFIXES.iter().find(|(prefix, _)| stem.starts_with(prefix))?;
    let id = stem.strip_prefix(prefix).filter(|id| is_container_id(id))?;
    runtime.map(|runtime| Container { runtime, id: id.to_owned() })
}

fn is_container_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Unit types that own the cgroups of their processes. A slice owns only itself.
const LEAF_UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

fn unit<'a>(parts: &[Part<'a>]) -> &'a str {
    let Some(last) = parts.last() else { return "/" };
    let innermost = parts.iter().rev().find(|p| p.name.ends_with(".slice") || is_leaf_unit(p.name));
    innermost.filter(|p| is_leaf_unit(p.name)).unwrap_or(last).path
}

fn is_leaf_unit(name: &str) -> bool {
    LEAF_UNITS.iter().any(|suffix| name.len() > suffix.len() && name.ends_with(suffix))
}

#[cfg(test)]
mod tests;
