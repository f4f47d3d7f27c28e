//! What an alert is about, from its labels.
//!
//! Exporters leave labels of their own: `service` and `instance` of an alert about a Pod are often those of
//! kube-state-metrics. So the labels that name an object most closely come first.

use super::{
    super::model::{Kind, Target},
    webhook::Labels,
};
use std::net::{IpAddr, SocketAddr};

/// Most objects to try for one alert.
const MAX_CANDIDATES: usize = 3;
/// Longest name of an object (DNS subdomain).
const MAX_NAME: usize = 253;

/// An object that an alert may be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// `None`: the alert names none.
    pub(super) namespace: Option<String>,
    /// The object.
    pub(super) wanted: Wanted,
}

/// An object, by its name or its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// By its name.
    Object(Target),
    /// The Pod or the Node with this address.
    Holder(IpAddr),
}

/// Labels with a name, and the kind of what they name. `exported_…` is the alert's own where Prometheus kept the
/// scrape's labels (`honor_labels: false`).
const NAMES: [(&str, Kind); 10] = [
    ("exported_pod", Kind::Pod),
    ("pod", Kind::Pod),
    ("pod_name", Kind::Pod),
    ("deployment", Kind::Deployment),
    ("statefulset", Kind::StatefulSet),
    ("daemonset", Kind::DaemonSet),
    ("job_name", Kind::Job),
    ("exported_service", Kind::Service),
    ("service", Kind::Service),
    ("service_name", Kind::Service),
];
const NODES: [&str; 5] = ["exported_node", "node", "nodename", "kubernetes_node", "node_name"];
/// Begins of names of alerts about Nodes. Their `pod` is often the exporter's.
const ABOUT_NODES: [&str; 3] = ["Node", "KubeNode", "NetwhyNode"];

/// How objects are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// As Kubernetes names them.
    Kubernetes,
    /// As one agent names them, which may know only cgroups: a namespace is then any path.
    Agent,
}

/// The objects to ask about, the likeliest first. Empty: the alert names none.
pub(super) fn candidates(labels: &Labels, naming: Naming) -> Vec<Candidate> {
    let (mut objects, nodes) = (objects(labels, naming), nodes(labels));
    let name = label(labels, "alertname").unwrap_or_default();
    if ABOUT_NODES.iter().any(|begin| name.starts_with(begin)) {
        objects.splice(0..0, nodes);
    } else {
        // The address of an exporter says little where a name is known.
        let named = !objects.is_empty();
        objects.extend(nodes.into_iter().filter(|node| !named || !matches!(node.wanted, Wanted::Holder(_))));
    }
    objects.truncate(MAX_CANDIDATES);
    objects
}

fn objects(labels: &Labels, naming: Naming) -> Vec<Candidate> {
    let namespace = |name: &str| match label(labels, "exported_namespace").filter(|_| name.starts_with("exported_")) {
        Some(own) => Some(own),
        None => label(labels, "namespace"),
    };
    let mut out: Vec<Candidate> = Vec::new();
    let mut add = |name: &str, target: Option<Target>| {
        let namespace = namespace(name);
        // It becomes a part of request paths.
        if naming == Naming::Kubernetes && namespace.is_some_and(|namespace| !is_namespace(namespace)) {
            return;
        }
        out.extend(
            target.map(|target| Candidate { namespace: namespace.map(str::to_owned), wanted: Wanted::Object(target) }),
        );
    };
    for (name, kind) in NAMES {
        add(name, label(labels, name).and_then(|text| object(kind, text)));
        if name == "pod_name" {
            // netwhy's alerts have `Deployment/payment`, those of kube-prometheus the kind in a label of its own.
            add("workload", label(labels, "workload").and_then(|text| workload(text, labels)));
        }
    }
    out
}

fn nodes(labels: &Labels) -> Vec<Candidate> {
    let named = NODES.iter().filter_map(|name| object(Kind::Node, label(labels, name)?)).map(Wanted::Object);
    let instance = label(labels, "instance").and_then(holder);
    named.chain(instance).map(|wanted| Candidate { namespace: None, wanted }).collect()
}

/// A label with a text.
fn label<'l>(labels: &'l Labels, name: &str) -> Option<&'l str> {
    labels.get(name).map(String::as_str).filter(|text| !text.is_empty())
}

fn object(kind: Kind, name: &str) -> Option<Target> {
    let target: Target = name.parse().ok()?;
    // A name with a slash would have a kind.
    (target.kind.is_none() && is_name(&target.name)).then_some(Target { kind: Some(kind), ..target })
}

fn workload(text: &str, labels: &Labels) -> Option<Target> {
    let full = match label(labels, "workload_type") {
        Some(kind) if !text.contains('/') => format!("{kind}/{text}"),
        _ => text.to_owned(),
    };
    let target: Target = full.parse().ok()?;
    let has_pods = !matches!(target.kind, None | Some(Kind::Node | Kind::Service));
    (has_pods && is_name(&target.name)).then_some(target)
}

/// `ADDRESS:PORT` of a scrape, or a Node's name with a port.
fn holder(instance: &str) -> Option<Wanted> {
    if let Ok(address) = instance.parse::<SocketAddr>() {
        return Some(Wanted::Holder(address.ip()));
    }
    if let Ok(address) = instance.parse::<IpAddr>() {
        return Some(Wanted::Holder(address));
    }
    let is_port = |port: &str| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    let host = instance.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(instance, |(host, _)| host);
    object(Kind::Node, host).map(Wanted::Object)
}

/// A DNS subdomain, as names of objects are.
fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME && !text.starts_with(['-', '.']) && !text.contains("..")
}

/// A DNS label, as names of namespaces are.
fn is_namespace(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.len() <= 63 && !text.starts_with('-') && text.chars().all(plain)
}

impl Candidate {
    /// The object in words.
    pub(super) fn shown(&self) -> String {
        match (&self.wanted, &self.namespace) {
            (Wanted::Holder(address), _) => format!("the address {address}"),
            (Wanted::Object(Target { kind: Some(kind), name }), Some(namespace)) if *kind != Kind::Node => {
                format!("{} {namespace}/{name}", kind.label())
            }
            (Wanted::Object(Target { kind: Some(kind), name }), _) => format!("{} {name}", kind.label()),
            (Wanted::Object(target), _) => target.name.clone(),
        }
    }

    /// The command line that shows more.
    pub(super) fn command(&self) -> String {
        match (&self.wanted, &self.namespace) {
            (Wanted::Holder(_), _) => "kubectl netwhy nodes".to_owned(),
            (Wanted::Object(target), namespace) => command(target, namespace.as_deref()),
        }
    }
}

/// The command line that explains this object.
pub(super) fn command(target: &Target, namespace: Option<&str>) -> String {
    let name = match target.kind {
        Some(kind) => format!("{}/{}", kind.label().to_ascii_lowercase(), target.name),
        None => target.name.clone(),
    };
    // People paste it into a shell: nothing but a name may follow.
    match namespace.filter(|namespace| target.kind != Some(Kind::Node) && is_namespace(namespace)) {
        Some(namespace) => format!("kubectl netwhy why {name} -n {namespace}"),
        None => format!("kubectl netwhy why {name}"),
    }
}

#[cfg(test)]
mod tests;
