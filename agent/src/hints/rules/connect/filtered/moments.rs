//! One port on which everything vanishes for moments, again and again, while other ports of its address go through.
//!
//! The same losses may have other reasons. The rule speaks when each is a thousand times less likely than a filter:
//!
//! ```text
//! the host or the path stops for moments   each moment spares the other ports with a chance of s, the port's
//!                                          share of the packets: binomial over the moments
//! packets are lost at random               what is sent again is lost again with the chance q of a first
//!                                          loss: binomial over all that was sent again
//! one of several paths stops               a flow is on it with a chance w: of k + j flows the k of this
//!                                          port, max over w of w^k·(1−w)^j
//! ```
//! The first moment and the first flow say which port it is, and nothing else.

use super::{AT_PEER, PORT_FILTERED, is_client_of_port};
use crate::{
    api::{BlameKind, Evidence, RuledOut},
    hints::{
        context::{Context, Edge, Subject, SubjectIx},
        culprit::suspects::{host, is_service},
        finding::{Finding, evidence, shared_blame},
        memory::{
            edge::EdgeMemory,
            moments::{Moments, REMEMBERED},
        },
        stats::{LOSS_ALPHA, binomial_tail_ln, poisson_tail_ln},
    },
    state::PeerHost,
};
use netwhy_abi::{Retransmit, Role};
use std::collections::{BTreeMap, BTreeSet};

/// Evidence against each other reason, nats: a thousand to one.
const SURE: f64 = 6.9;
/// Seconds with timeouts that a finding needs.
const MIN_SECONDS: u32 = 4;
/// Seconds that one moment touches although it may be shorter than one: they count as one trial.
const SECONDS_PER_MOMENT: f64 = 2.0;
/// Seconds whose losses are all known: what others lose in the newest one shows in the next.
const KNOWN: u64 = !1;
/// The shortest silence that makes a timeout, s: the kernel's least timeout (`TCP_RTO_MIN`).
const LEAST_SILENCE_S: f64 = 0.2;
/// Data segments per one sent again, on connections that lost something, from which these recover. Dead ones send nothing
/// else.
const RECOVERED: u64 = 2;
/// Handshakes that must be lost on average before it is odd that none was (chance e⁻³).
const MISSED_HANDSHAKES: f64 = 3.0;

/// All edges to one port of one host, or from one host to servers here.
#[derive(Default)]
struct Group {
    moments: Moments,
    /// Subjects with timeouts.
    subjects: BTreeSet<SubjectIx>,
    /// Flows with losses, at least.
    hit: f64,
    /// Flows that go through, at least.
    passing: f64,
    /// Packets sent for the first time in the window, and data segments sent in normal times.
    packets: f64,
    usual_segments: f64,
    segments: u64,
    /// Loss episodes of the window, and the most of them that sent their data again for the first time.
    episodes: u64,
    first: u64,
    /// Episodes in normal times.
    expected: f64,
    /// Attempts to connect, and of these those without an answer to the first SYN.
    attempts: u64,
    lost_syns: u64,
    /// Attempts that were answered.
    connects: u64,
    /// Data segments on connections with losses, and those that were sent again.
    lossy_segments: u64,
    resent: u64,
    has_full_size_timeouts: bool,
    passes_full_size: bool,
}

impl Group {
    fn add(&mut self, context: &Context<'_>, edge: &Edge<'_>, memory: &EdgeMemory) {
        let (tally, moments) = (edge.tally(), memory.moments.get());
        let resent = |kind: Retransmit| tally.retransmits[kind as usize];
        let (syns, connects) = (resent(Retransmit::Syn), tally.connects.iter().sum::<u64>());
        self.moments.add(moments);
        if moments.timed_out != 0 {
            self.subjects.extend(edge.subject);
            let sockets = tally.lossy_sockets as f64 / context.window.as_secs_f64();
            self.hit += syns as f64 + sockets.max(1.0).floor();
        }
        if moments.answered != 0 {
            self.passing += connects.max(1) as f64;
        }
        self.packets += (tally.data_segs_out.saturating_sub(tally.retransmitted_data()) + connects) as f64;
        self.usual_segments += memory.loss.segments;
        self.segments += tally.data_segs_out;
        self.episodes += tally.loss_episodes;
        self.first += resent(Retransmit::TailLossProbe) + resent(Retransmit::Fast);
        self.expected += tally.data_segs_out as f64 * edge.loss_baseline;
        self.attempts += tally.connects(Role::Client) + tally.failed_attempts();
        self.lost_syns += syns + tally.failed_attempts();
        self.connects += tally.connects(Role::Client);
        self.lossy_segments += tally.segs_after_loss;
        self.resent += tally.retransmitted_data();
        self.has_full_size_timeouts |= edge.has_full_size_timeouts();
        self.passes_full_size |= edge.passes_full_size();
    }

    /// Against losses at random: what was sent again is lost again far more often than what is sent.
    fn vanishing_nats(&self) -> f64 {
        let chance = self.episodes as f64 / self.segments.max(1) as f64;
        -binomial_tail_ln(self.again() as f64, self.episodes as f64, chance)
    }

    /// Episodes that were not the first for their data, at least: each probe and fast retransmission begins at most one.
    const fn again(&self) -> u64 {
        self.episodes.saturating_sub(self.first)
    }

    /// More losses than usual.
    fn ln_p(&self) -> f64 {
        poisson_tail_ln(self.episodes, self.expected)
    }

    /// The silent ones go on afterwards: connections carry more, or attempts are answered. Connections to a host that is
    /// gone time out for minutes, while those to another one behind the same address work.
    const fn recovers(&self) -> bool {
        self.lossy_segments >= RECOVERED * self.resent || (self.lost_syns > 0 && self.connects > 0)
    }

    /// Handshakes complete as if nothing were wrong: no silence of the port. `seconds`: with timeouts in the window.
    fn spares_handshakes(&self, context: &Context<'_>, seconds: u32) -> bool {
        let silence = LEAST_SILENCE_S * f64::from(seconds) / SECONDS_PER_MOMENT;
        let expected = self.attempts as f64 * silence / context.window.as_secs_f64();
        self.lost_syns == 0 && expected >= MISSED_HANDSHAKES
    }
}

/// The other edges to and from the same host.
#[derive(Default)]
struct Others {
    moments: Moments,
    passing: f64,
    packets: f64,
    usual_segments: f64,
    passes_full_size: bool,
}

impl Others {
    fn add(&mut self, group: &Group) {
        self.moments.add(group.moments);
        self.passing += group.passing;
        self.packets += group.packets;
        self.usual_segments += group.usual_segments;
        self.passes_full_size |= group.passes_full_size;
    }

    /// Of some seconds those in which others were answered, before too, and lost nothing.
    const fn went_through(&self, seconds: u64) -> u64 {
        let Moments { lost, answered, .. } = self.moments;
        seconds & answered & (answered >> 1) & !around(lost)
    }
}

/// These seconds and their neighbours: a retransmission follows its loss within a second.
const fn around(seconds: u64) -> u64 {
    seconds | (seconds << 1) | (seconds >> 1)
}

/// A port that vanishes for moments.
struct Vanishing {
    /// Seconds with timeouts in which other ports went through.
    seconds: u64,
    by_several_subjects: bool,
    episodes: u64,
    again: u64,
    attempts: u64,
    ln_p: f64,
}

impl Vanishing {
    fn new(context: &Context<'_>, group: &Group, others: &Others) -> Option<Self> {
        let seconds = others.went_through(group.moments.timed_out & KNOWN);
        let is_too_large = group.has_full_size_timeouts && !others.passes_full_size;
        let in_window = u32::try_from(context.window.as_secs()).unwrap_or(REMEMBERED).min(REMEMBERED);
        let newest = (seconds & ((1 << in_window) - 1)).count_ones();
        let is_sure = seconds.count_ones() >= MIN_SECONDS
            && newest > 0
            && !is_too_large
            && group.recovers()
            && !group.spares_handshakes(context, newest)
            && group.ln_p() <= LOSS_ALPHA.ln()
            && spread_nats(group, others, seconds) >= SURE
            && group.vanishing_nats() >= SURE
            && flow_nats(group.hit, others.passing) >= SURE;
        is_sure.then(|| Self {
            seconds,
            by_several_subjects: group.subjects.len() > 1,
            episodes: group.episodes,
            again: group.again(),
            attempts: group.attempts,
            ln_p: group.ln_p(),
        })
    }
}

/// Against a host or a path that stops for moments. `seconds`: those in which others went through. The share is at
/// least the usual one, as a port that vanishes is asked less.
fn spread_nats(group: &Group, others: &Others, seconds: u64) -> f64 {
    let share = |own: f64, others: f64| if own > 0.0 { own / (own + others) } else { 0.0 };
    let now = share(group.packets, others.packets);
    let share = now.max(share(group.usual_segments, others.usual_segments));
    // Packets that nobody counted tell no share.
    let share = if share > 0.0 { share } else { 1.0 };
    let own = (f64::from(seconds.count_ones()) - SECONDS_PER_MOMENT).max(0.0);
    let others = f64::from((others.moments.lost & KNOWN).count_ones());
    -binomial_tail_ln(own, own + others, share) / SECONDS_PER_MOMENT
}

/// Against one of several paths: all flows that are hit are on it, and none of the others.
fn flow_nats(hit: f64, passing: f64) -> f64 {
    let hit = (hit - 1.0).max(0.0);
    let all = hit + passing;
    let nats = |part: f64| if part > 0.0 { part * (all / part).ln() } else { 0.0 };
    nats(hit) + nats(passing)
}

/// The ports that vanish for moments.
pub(crate) struct Ports(BTreeMap<(PeerHost, u16), Vanishing>);

impl Ports {
    pub(crate) fn new(context: &Context<'_>) -> Self {
        // `None`: what comes from the host to servers here.
        let mut hosts: BTreeMap<PeerHost, BTreeMap<Option<u16>, Group>> = BTreeMap::new();
        for edge in context.edges() {
            if let (Some(port), Some(memory)) = (port(edge), edge.memory) {
                hosts.entry(edge.view.host()).or_default().entry(port).or_default().add(context, edge, memory);
            }
        }
        let mut vanishing = BTreeMap::new();
        for (host, ports) in &hosts {
            for (port, group) in ports {
                let Some(number) = *port else { continue };
                if group.moments.timed_out.count_ones() < MIN_SECONDS {
                    continue;
                }
                let mut others = Others::default();
                ports.iter().filter(|(other, _)| *other != port).for_each(|(_, group)| others.add(group));
                if let Some(found) = Vanishing::new(context, group, &others) {
                    vanishing.insert((*host, number), found);
                }
            }
        }
        Self(vanishing)
    }
}

/// The port that a client asks, or `Some(None)` of a server's edge. `None`: not known, or several hosts may be behind the
/// address.
fn port(edge: &Edge<'_>) -> Option<Option<u16>> {
    let is_one_host = !edge.is_inside_pod() && !is_service(edge);
    match edge.view.role.filter(|_| is_one_host)? {
        Role::Client => is_client_of_port(edge).then_some(Some(edge.view.port)),
        Role::Server => Some(None),
    }
}

/// The subject itself is not silent in these moments: its other edges go through, or other subjects lose the port as well.
fn is_of_the_port(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>, found: &Vanishing) -> bool {
    if found.by_several_subjects {
        return true;
    }
    let mut others = Others::default();
    let is_other = |other: &&Edge<'_>| (other.view.host(), other.view.port) != (edge.view.host(), edge.view.port);
    let edges = subject.edges.iter().map(|ix| context.edge(*ix)).filter(is_other);
    edges.filter_map(|other| other.memory).for_each(|memory| others.moments.add(memory.moments.get()));
    2 * others.went_through(found.seconds).count_ones() >= found.seconds.count_ones()
}

/// A finding about an edge whose port vanishes for moments.
pub(crate) fn judge(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>, ports: &Ports) -> Option<Finding> {
    let found = ports.0.get(&(edge.view.host(), edge.view.port)).filter(|_| is_client_of_port(edge))?;
    if edge.memory?.moments.get().timed_out == 0 || !is_of_the_port(context, subject, edge, found) {
        return None;
    }
    let (name, peer, port) = (subject.name(), edge.peer_name(), edge.view.port);
    let (kind, at_peer) = host(edge);
    let seconds = found.seconds.count_ones();
    let through = format!("other ports of it were answered and lost nothing in {seconds} seconds with timeouts");
    // A full accept queue drops what new connections send.
    let or_listener = if found.attempts > 0 { ", or a listener that accepts nothing" } else { "" };
    Some(Finding {
        nats: LOSS_ALPHA.ln() - found.ln_p,
        summary: format!(
            "all packets of {name} to port {port} of {peer} vanish for moments: {} of {} losses were of what had just \
             been sent again, and {through}: a filter that comes and goes{or_listener}",
            found.again, found.episodes
        ),
        evidence: numbers(found, &context.place(edge)),
        ruled_out: ["path_loss", "peer_unreachable"]
            .map(|cause| RuledOut { cause: cause.into(), because: through.clone() })
            .into(),
        edges: vec![edge.ix],
        ..Finding::new(&PORT_FILTERED, subject.ix, shared_blame((kind, &at_peer), AT_PEER, &[(BlameKind::Pod, name)]))
    })
}

fn numbers(found: &Vanishing, place: &str) -> Vec<Evidence> {
    let source = "ebpf:tcp_retransmit_skb";
    let of = format!("of {REMEMBERED} seconds");
    vec![
        evidence("seconds_with_timeouts_on_one_port", f64::from(found.seconds.count_ones()), &of, place, source),
        evidence("lost_again", found.again as f64, &format!("of {} loss episodes", found.episodes), place, source),
    ]
}

#[cfg(test)]
mod tests;
