//! Bad DNS lookups as evidence, of all Pods at all servers, beside what connections show of the paths.

use super::{
    answers::{at_all_shares, share_nats},
    suspects::{CLEAN, Evidence, Odds, Scope, Suspects, Trouble},
};
use crate::{
    api::Blame,
    hints::{
        context::{Context, Edge, EdgeIx, SubjectIx},
        memory::path::Path,
    },
    state::DnsView,
};

/// Share of bad lookups from which a Pod's lookups matter.
pub(crate) const BAD_SHARE: f64 = 0.05;

/// One subject's lookups at one server.
pub(crate) struct Lookups<'a> {
    pub(crate) row: &'a DnsView,
    pub(crate) subject: SubjectIx,
    /// Slow or unanswered ones.
    pub(crate) bad: u64,
    /// Bad ones expected in normal times.
    pub(crate) expected: f64,
}

impl Lookups<'_> {
    /// A part of these lookups as tests count it: where some stand for others, as many as were observed.
    pub(crate) fn independent(&self, count: f64) -> f64 {
        count * self.row.window.independence()
    }

    /// Most of the bad ones have no answer.
    fn are_unanswered(&self) -> bool {
        2 * self.row.window.unanswered >= self.bad
    }
}

/// The way in which lookups are bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// They are answered late, or not at all.
    Late,
    /// They are answered with an error: some program made the answer.
    Errors,
    /// One of two answers is missing. `tracks`: this Node tracks connections.
    Second { tracks: bool },
}

/// Who may be at fault for the bad lookups of all Pods.
pub(crate) struct Culprits<'c, 'a> {
    suspects: Suspects<'c, 'a>,
    bad: Bad,
    /// Position of the first lookup among the edges.
    first: usize,
}

impl<'c, 'a> Culprits<'c, 'a> {
    pub(crate) fn new(context: &'c Context<'a>, all: &[Lookups<'a>], bad: Bad) -> Self {
        let first = context.edge_count();
        let lookups = all.iter().enumerate().map(|(at, lookups)| {
            let count = lookups.independent(lookups.row.window.count() as f64);
            let usual = lookups.expected / lookups.row.window.count().max(1) as f64;
            let nats = share_nats((lookups.independent(lookups.bad as f64), count), usual);
            Evidence::new(EdgeIx::new(first + at), nats)
        });
        let are_unanswered = all.iter().filter(|one| one.bad > 0).all(Lookups::are_unanswered);
        let row = |edge: &Edge<'_>| path_row(context, edge, are_unanswered).filter(|_| bad == Bad::Late);
        let evidence = context.edges().iter().filter_map(row).chain(lookups).collect();
        let edges = all.iter().map(|one| Edge { subject: Some(one.subject), ..Edge::of_ends(&one.row.server) });
        Self { suspects: Suspects::with(context, Trouble::Lookups, evidence, edges.collect()), bad, first }
    }

    /// The culprit of the lookups at position `at` of all.
    pub(crate) fn of(&self, at: usize, lookups: &Lookups<'_>) -> Blame {
        let odds = match self.bad {
            Bad::Errors => Odds { path: ANSWERED, ..Odds::EVEN },
            Bad::Late if lookups.are_unanswered() => Odds::EVEN,
            // A path that takes so long would be noticed first where there is more traffic.
            Bad::Late => Odds { path: MUCH_LATER, ..Odds::EVEN },
            Bad::Second { tracks } => {
                Odds { path: ONE_ANSWERED, this_node: if tracks { TRACKED } else { 1.0 }, ..Odds::EVEN }
            }
        };
        self.suspects.blame_with(EdgeIx::new(self.first + at), odds).0
    }
}

/// Odds of the path when an answer came back.
const ANSWERED: f64 = 0.002;
/// Odds of the path when answers come much later than usual.
const MUCH_LATER: f64 = 0.5;
/// Odds of the path when one of two answers came back …
const ONE_ANSWERED: f64 = 0.3;
/// … and of this Node in it, when its connection tracking may have dropped the other.
const TRACKED: f64 = 3.0;
/// Evidence of a connection that is late while lookups are, nats: it may have reasons of its own …
const LATE: f64 = 2.0;
/// … and of one that gets answers while lookups don't: datagrams may be dropped alone.
const CONNECTED: f64 = -1.5;

/// Evidence of a connection about its path. `None`: it says nothing about lookups.
fn path_row(context: &Context<'_>, edge: &Edge<'_>, are_unanswered: bool) -> Option<Evidence> {
    if !edge.is_remote() {
        return None;
    }
    let is_late = edge.memory.is_some_and(|memory| memory.outran_timers(edge.view, context.thresholds));
    let nats = match (are_unanswered, is_late || matches!(edge.path, Some(Path::Longer(_)))) {
        (true, _) if edge.is_undisturbed() => CONNECTED,
        (false, true) => LATE,
        (false, false) if edge.path == Some(Path::Usual) && edge.acknowledges() => CLEAN,
        _ => return None,
    };
    Some(Evidence { edge: edge.ix, nats: at_all_shares(nats), scope: Scope::Path })
}
