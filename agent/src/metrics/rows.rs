//! One row per subject.

use super::{
    MetricsOptions,
    out::{Label, render},
    protobuf::label_pairs,
};
use crate::{
    sample::{CpuStat, Tally},
    state::{SubjectKind, SubjectView},
};
use netwhy_abi::PeerClass;
use std::borrow::Cow;

/// Namespace and Pod of the row that quiet subjects are summed up in. No Kubernetes name begins with a tilde.
pub(super) const OTHER: &str = "~other";
/// Pod of a subject without a name, so that no series is without labels.
const UNNAMED: &str = "~unnamed";

/// Workloads that OpenTelemetry has a resource attribute for, and the label that Prometheus makes of it.
const OWNERS: [(&str, &str); 6] = [
    ("Deployment", "k8s_deployment_name"),
    ("ReplicaSet", "k8s_replicaset_name"),
    ("StatefulSet", "k8s_statefulset_name"),
    ("DaemonSet", "k8s_daemonset_name"),
    ("Job", "k8s_job_name"),
    ("CronJob", "k8s_cronjob_name"),
];

/// A subject on its way out.
pub(super) struct Row<'a> {
    namespace: &'a str,
    pod: &'a str,
    workload: &'a str,
    /// Its values. Owned when subjects were summed up.
    pub(super) view: Cow<'a, SubjectView>,
    /// Sum over all peer classes.
    pub(super) total: Cow<'a, Tally>,
    /// Whether it ever had TCP traffic.
    pub(super) tcp: bool,
}

impl<'a> Row<'a> {
    fn new(view: &'a SubjectView, options: &MetricsOptions) -> Self {
        let workload = if options.workload { view.id.workload.as_str() } else { "" };
        Self::from_parts(&view.id.namespace, &view.id.name, workload, Cow::Borrowed(view))
    }

    /// The row of all subjects without rows of their own.
    pub(super) fn other(view: SubjectView) -> Self {
        Self::from_parts(OTHER, OTHER, "", Cow::Owned(view))
    }

    /// Namespace and name.
    pub(super) fn name(&self) -> (&'a str, &'a str) {
        (self.namespace, self.pod)
    }

    fn from_parts(namespace: &'a str, pod: &'a str, workload: &'a str, view: Cow<'a, SubjectView>) -> Self {
        let total = total(&view);
        let tcp = view.sums.totals.iter().any(Option::is_some) || !view.sums.connects.is_zero();
        let pod = if pod.is_empty() { UNNAMED } else { pod };
        Self { namespace, pod, workload, view, total, tcp }
    }

    /// Peer classes with traffic.
    pub(super) fn classes(&self) -> impl Iterator<Item = (PeerClass, &Tally)> {
        PeerClass::ALL.iter().zip(&self.view.sums.totals).filter_map(|(class, t)| Some((*class, t.as_deref()?)))
    }

    /// CPU bandwidth control. `None` also where a controller exists but never enforced a limit.
    pub(super) fn cpu(&self) -> Option<CpuStat> {
        self.view.cpu.filter(|c| c.limit_millicores.is_some() || c.periods > 0)
    }

    /// The subject's labels.
    pub(super) fn labels(&self) -> [Label<'_>; 3] {
        [("namespace", self.namespace), ("pod", self.pod), ("workload", self.workload)]
    }

    /// Its resource attributes of OpenTelemetry: namespace, Pod and workload. Without values if it is no Pod.
    pub(super) fn attributes(&self) -> [Label<'_>; 3] {
        if self.view.id.kind != SubjectKind::Pod {
            return [("", ""); 3];
        }
        let owner = self.workload.split_once('/').and_then(|(kind, name)| {
            let (_, label) = OWNERS.iter().find(|(owner, _)| *owner == kind)?;
            Some((*label, name))
        });
        [("k8s_namespace_name", self.namespace), ("k8s_pod_name", self.pod), owner.unwrap_or_default()]
    }

    /// The labels as in the text, without braces; never empty.
    pub(super) fn rendered_labels(&self) -> String {
        let mut text = String::new();
        render(&mut text, &self.labels());
        text
    }

    /// The same as in protobuf.
    pub(super) fn encoded_labels(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        label_pairs(&mut bytes, &self.labels());
        bytes
    }

    fn key(&self) -> (&'a str, &'a str, &'a str) {
        (self.namespace, self.pod, self.workload)
    }

    /// Takes in the values of `other`.
    pub(super) fn absorb(&mut self, other: &SubjectView) {
        self.view.to_mut().absorb(other);
        let view = std::mem::take(&mut self.view);
        *self = Self::from_parts(self.namespace, self.pod, self.workload, view);
    }
}

/// One row per distinct label set; two subjects whose labels agree (a unit and a container of one name) become one
/// row, because a scrape with duplicates would be refused as a whole.
pub(super) fn rows<'a>(subjects: &'a [SubjectView], options: &MetricsOptions) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = subjects.iter().map(|s| Row::new(s, options)).collect();
    rows.sort_by_key(Row::key);
    rows.dedup_by(|later, first| {
        let same = later.key() == first.key();
        if same {
            first.absorb(&later.view);
        }
        same
    });
    rows
}

/// Sum over all peer classes; most subjects have one, and need no copy.
fn total<'a>(view: &Cow<'a, SubjectView>) -> Cow<'a, Tally> {
    if let Cow::Borrowed(view) = view {
        let mut classes = view.sums.totals.iter().flatten();
        if let (Some(only), None) = (classes.next(), classes.next()) {
            return Cow::Borrowed(only);
        }
    }
    Cow::Owned(view.total())
}
