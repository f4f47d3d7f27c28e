//! The input of judges: the view of one tick with the normal values beside it.

pub(crate) mod cpus;
pub(crate) mod excuse;
pub(crate) mod index;
pub(crate) mod inside;
pub(crate) mod subject;
pub(crate) mod edge;
mod edges;
mod beside;
pub(crate) mod verdicts;
#[cfg(test)]
pub(crate) mod scans;

pub(crate) use edge::Edge;
pub(crate) use index::{EdgeIx, SubjectIx};
pub(crate) use subject::Subject;

use crate::{
    api::RuledOut,
    hints::{
        memory::{Memory, edge::EdgeMemory},
        rule::Family,
        stats::percent,
        thresholds::Thresholds,
    },
    sample::Losses,
    state::{CpuUser, DnsView, HostView, NodeView, SubjectId},
};
use beside::Beside;
use edges::Edges;
use std::{collections::HashMap, time::Duration};

/// One tick's material.
pub(crate) struct Context<'a> {
    pub(crate) node: &'a str,
    /// The Node's zone. `None`: not known.
    pub(crate) zone: Option<&'a str>,
    pub(crate) thresholds: &'a Thresholds,
    pub(crate) window: Duration,
    /// When the view was made, monotonic.
    pub(crate) at: Duration,
    /// The view's wall clock, ms since the Unix epoch.
    pub(crate) unix_ms: i64,
    /// Jiffies per second. `None`: not measured yet.
    pub(crate) hz: Option<u32>,
    /// When the newest walk began, monotonic. `None`: no walk yet.
    pub(crate) walked_at: Option<Duration>,
    /// Some request of the window was timed: response times are measured.
    pub(crate) times_requests: bool,
    /// The Node's own signals. `None`: not read.
    pub(crate) host: Option<&'a HostView>,
    pub(crate) memory: &'a Memory,
    /// CPU users, largest first.
    pub(crate) cpu_users: &'a [CpuUser],
    /// DNS lookups.
    pub(crate) dns: &'a [DnsView],
    subjects: Vec<Subject<'a>>,
    by_id: HashMap<&'a SubjectId, SubjectIx>,
    edges: Edges<'a>,
    beside: Beside,
    /// The family that explains each edge, in this tick or with a hint that is still open.
    claims: Vec<Option<Family>>,
}

impl<'a> Context<'a> {
    /// `keys`: key of each edge of the view.
    pub(crate) fn new(
        node: &'a str,
        view: &'a NodeView,
        thresholds: &'a Thresholds,
        memory: &'a Memory,
        keys: &[u64],
    ) -> Self {
        let mut subjects: Vec<Subject<'a>> = (view.subjects.iter().enumerate())
            .map(|(at, view)| Subject { ix: SubjectIx::new(at), view, edges: Vec::new() })
            .collect();
        let by_id: HashMap<&'a SubjectId, SubjectIx> = subjects.iter().map(|s| (&s.view.id, s.ix)).collect();
        let mut edges = Vec::with_capacity(view.edges.len());
        let seconds = view.window.as_secs_f64();
        for (at, (edge, key)) in view.edges.iter().zip(keys).enumerate() {
            let (ix, subject) = (EdgeIx::new(at), by_id.get(&edge.subject).copied());
            if let Some(subject) = subject {
                subjects[subject.get()].edges.push(ix);
            }
            let known = memory.edges.known(*key, edge.class);
            edges.push(Edge {
                ix,
                key: *key,
                view: edge,
                subject,
                memory: known.edge,
                loss_baseline: known.loss_ratio(),
                loss_at_most: known.loss_at_most(),
                busy: view.hz.map(|hz| edge.window.busy_jiffies as f64 / f64::from(hz) / seconds),
                path: known.path(edge, thresholds),
                lowest: known.lowest(edge, view.window, thresholds),
                silent: known.edge.is_some_and(EdgeMemory::is_silent),
                going_silent: known.edge.is_some_and(|of_edge| of_edge.is_going_silent(memory.edges.tick)),
            });
        }
        Self {
            node,
            zone: view.zone.as_deref(),
            thresholds,
            window: view.window,
            at: view.at,
            unix_ms: i64::try_from(view.unix_ms).unwrap_or(i64::MAX),
            hz: view.hz,
            walked_at: view.walked_at,
            times_requests: view.edges.iter().any(|edge| edge.responses.is_some()),
            host: view.host.as_ref(),
            memory,
            cpu_users: &view.cpu_users,
            dns: &view.dns,
            claims: vec![None; edges.len()],
            subjects,
            by_id,
            edges: Edges::new(edges),
            beside: Beside::default(),
        }
    }

    pub(crate) fn subject(&self, ix: SubjectIx) -> &Subject<'a> {
        &self.subjects[ix.get()]
    }

    /// Position of a subject. `None`: the view has no such subject.
    pub(crate) fn subject_of(&self, id: &SubjectId) -> Option<SubjectIx> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn edge(&self, ix: EdgeIx) -> &Edge<'a> {
        self.edges.one(ix)
    }

    pub(crate) fn subjects(&self) -> &[Subject<'a>] {
        #[cfg(test)]
        scans::add();
        &self.subjects
    }

    /// All edges. Not for use once per edge: what others say about an edge is found for all at once.
    pub(crate) fn edges(&self) -> &[Edge<'a>] {
        self.edges.all()
    }

    pub(crate) const fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// Edges that `family` may judge, with their subject: no earlier family claims them.
    pub(crate) fn unclaimed(&self, family: Family) -> impl Iterator<Item = (&Subject<'a>, &Edge<'a>)> {
        let edges = self.edges().iter().filter(move |edge| self.is_unclaimed(edge.ix, family));
        edges.filter_map(|edge| Some((self.subject(edge.subject?), edge)))
    }

    /// Whether `family` may judge an edge: no earlier family claims it.
    pub(crate) fn is_unclaimed(&self, edge: EdgeIx, family: Family) -> bool {
        self.claims[edge.get()].is_none_or(|by| by >= family)
    }

    pub(crate) fn claim(&mut self, edge: EdgeIx, family: Family) {
        let claim = &mut self.claims[edge.get()];
        *claim = Some(claim.map_or(family, |by| by.min(family)));
    }

    pub(crate) fn is_claimed(&self, edge: EdgeIx) -> bool {
        self.claims[edge.get()].is_some()
    }

    /// Where an edge is measured: `node-a→node-b`, or with an address where no Node is known.
    pub(crate) fn place(&self, edge: &Edge<'_>) -> String {
        format!("{}→{}", self.node, edge.peer_node_name())
    }

    /// The path of an edge as a culprit: `node-a↔node-b`, or with an address.
    pub(crate) fn pair(&self, edge: &Edge<'_>) -> String {
        format!("{}↔{}", self.node, edge.peer_node_name())
    }

    /// The path to a zone as a culprit: `zone-1↔zone-2`.
    pub(crate) fn zone_pair(&self, zone: &str) -> String {
        format!("{}↔{zone}", self.zone.unwrap_or_default())
    }

    /// How many other peers answer, for people.
    pub(crate) fn others_text(answering: usize) -> String {
        match answering {
            0 => "no other peer to compare with".to_owned(),
            1 => "1 other peer answers".to_owned(),
            n => format!("{n} other peers answer"),
        }
    }

    /// Rules out loss when the data do.
    pub(crate) fn rule_out_loss(&self, edge: &Edge<'_>) -> Option<RuledOut> {
        let Losses { episodes, segments } = edge.losses();
        (segments > 0).then(|| RuledOut {
            cause: "path_loss".into(),
            because: format!("{episodes} loss episodes in {segments} segments"),
        })
    }

    /// Rules out the peer's window and the send buffer when the data do.
    pub(crate) fn rule_out_limits(&self, edge: &Edge<'_>) -> impl Iterator<Item = RuledOut> {
        let (tally, limits) = (edge.tally(), self.thresholds);
        let receiver = tally.receiver_limited_share().filter(|s| *s < limits.receiver_limited_share);
        let buffer = tally.send_buffer_limited_share().filter(|s| *s < limits.send_buffer_limited_share);
        let because = |share: f64| format!("{} of the busy time", percent(share));
        [
            receiver.map(|s| RuledOut { cause: "peer_receiver_limited".into(), because: because(s) }),
            buffer.map(|s| RuledOut { cause: "pod_send_buffer_limited".into(), because: because(s) }),
        ]
        .into_iter()
        .flatten()
    }

    /// Rules out loss, the limits of the sender and throttling, where the data do.
    pub(crate) fn rule_out_sender(&self, subject: &Subject<'_>, edge: &Edge<'_>) -> impl Iterator<Item = RuledOut> {
        let throttling = subject.rule_out_throttling(self.thresholds);
        self.rule_out_loss(edge).into_iter().chain(self.rule_out_limits(edge)).chain(throttling)
    }
}

#[cfg(test)]
mod tests;
