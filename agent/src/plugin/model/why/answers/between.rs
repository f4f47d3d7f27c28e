//! What lies between a client and its server, when time arises there: every way of which both ends were measured is
//! evidence, whether it is longer or not.
//!
//! Faults that delay packets lie at a Pod's interface, at a Node, or between Nodes or zones. Each shows on all ways
//! through it.

use super::{
    Answers, LITTLE, MAIN, MIN_SLOW, MOST, PATH_LATENCY, Slow, Wait, are_all, has_reason, lasts, missed, usual,
};
use crate::{
    api::{BlameKind, Callee, Hint, HintState, PeerRow, PodRow, Suspect},
    blame::posterior::score,
    hints::{Trouble, kind_prior},
    plugin::model::{
        causal_path::pod_of,
        fleet::host,
        settle::{Delay, MISFIT, is_same, longer_share, unlisted, with_shared_rises},
        waterfall::Known,
        why::Facts,
    },
};
use std::{borrow::Cow, collections::BTreeMap};

/// One end of a way.
struct End<'a> {
    /// `None`: the way stands for several Pods.
    pod: Option<Cow<'a, str>>,
    node: &'a str,
    zone: Option<&'a str>,
}

/// A way that was measured.
struct Way<'a> {
    from: End<'a>,
    to: End<'a>,
    /// Evidence that it is longer, nats. Below 0: it is as short as usual.
    nats: [f64; 1],
}

impl Way<'_> {
    fn is_local(&self) -> bool {
        self.from.node == self.to.node
    }

    /// Whether a suspect lies on it. `own`: the Pod that the hint is about. `is_local`: it stays on one Node.
    fn has(&self, one: &Suspect, own: &str, is_local: bool) -> bool {
        let ends = [&self.from, &self.to];
        let has_pod = |name: &str| ends.iter().any(|end| end.pod.as_deref() == Some(name));
        let joins = |from: Option<&str>, to: Option<&str>| {
            let names = one.name.split_once('↔').map(|(a, b)| (Some(a), Some(b)));
            names.is_some_and(|(a, b)| (from, to) == (a, b) || (from, to) == (b, a))
        };
        match one.kind {
            BlameKind::Pod => has_pod(own),
            BlameKind::PeerPod => has_pod(&one.name),
            // A Node's interface to others has nothing to do with traffic between its own Pods.
            BlameKind::Node | BlameKind::PeerNode => {
                self.is_local() == is_local && ends.iter().any(|end| end.node == one.name)
            }
            BlameKind::NodePair | BlameKind::PathShare => joins(Some(self.from.node), Some(self.to.node)),
            BlameKind::ZonePair => joins(self.from.zone, self.to.zone),
            _ => false,
        }
    }

    /// Whether it is the way to this host, or to the Node of several.
    fn leads(&self, row: &PeerRow) -> bool {
        let is_to = match host(row) {
            Some(host) => self.to.pod.as_deref() == Some(host),
            None => row.peer_node.as_deref() == Some(self.to.node) && self.nats[0] < 0.0,
        };
        self.from.node == row.node && is_to
    }
}

fn end<'a>(pod: Cow<'a, str>, node: &'a str, zones: &Zones<'a>) -> End<'a> {
    End { pod: Some(pod), node, zone: zones.get(node).copied() }
}

/// Zones of Nodes.
type Zones<'a> = BTreeMap<&'a str, &'a str>;

fn zones(rows: &[PeerRow]) -> Zones<'_> {
    let own = rows.iter().filter_map(|row| Some((row.node.as_str(), row.zone.as_deref()?)));
    let peers = rows.iter().filter_map(|row| Some((row.peer_node.as_deref()?, row.peer_zone.as_deref()?)));
    peers.chain(own).collect()
}

/// Suspects on the way of a hint's late answers, with the probability of each. `nats`: the evidence that the way takes
/// the time.
pub(super) fn places(facts: &Facts, known: &Known<'_>, hint: &Hint, (answers, nats): (&Answers, f64)) -> Vec<Suspect> {
    let own = pod_of(hint);
    let node = hint.subject.node.as_str();
    let server_node = answers.server_node.as_deref();
    let is_local = server_node == Some(node);
    let zones = zones(&facts.peer_rows);
    let rows = with_shared_rises(&facts.peer_rows);
    let listed: Vec<Suspect> = hint.blame.candidates().filter(|one| is_way(one.kind)).collect();
    // Its agent has weighed them with all of its own edges, which count once.
    let is_weighed = !listed.is_empty();
    let mut ways = links(facts, known, (hint, answers.server.as_str()), (&answers.slow, &zones));
    if !is_local && is_current(hint, &rows, answers) {
        let more: Vec<Way<'_>> = rows.iter().filter_map(|row| round_trips(row, &answers.slow, &ways)).collect();
        ways.extend(more);
    }
    ways.retain(|way| !is_weighed || way.from.node != node);
    if let Some(to) = server_node.filter(|_| !is_weighed) {
        let from = end(Cow::Borrowed(own.as_str()), node, &zones);
        let to = end(Cow::Borrowed(answers.server.as_str()), to, &zones);
        ways.push(Way { from, to, nats: [nats] });
    }
    let new = ends(hint, answers, &zones).into_iter().filter(|one| !listed.iter().any(|known| is_same(known, one)));
    let new: Vec<Suspect> = new.collect();
    let each = unlisted(&hint.blame) / (new.len() + 1) as f64;
    let prior = |one: &Suspect| match is_weighed {
        true => as_interface(hint, one).unwrap_or(each),
        false => kind_prior(Trouble::Path, one.kind).unwrap_or(0.0),
    };
    let new = new.into_iter().map(|one| Suspect { probability: prior(&one), ..one });
    let all: Vec<Suspect> = listed.iter().cloned().chain(new).collect();
    // Without a hint's own weights, all scores are relative to trouble of one way's own.
    weighed(all, if is_weighed { each } else { 1.0 }, |one| {
        score(ways.iter().filter(|way| way.has(one, &own, is_local)).map(|way| way.nats.as_slice()))
    })
}

/// Weight of a Pod's interface beside what an agent lists: its program explains the same edges, and fails more or less
/// often. `None`: the agent does not list the Pod.
fn as_interface(hint: &Hint, one: &Suspect) -> Option<f64> {
    let listed = hint.blame.candidates().find(|known| known.kind == one.kind && known.name == one.name)?;
    Some(listed.probability * kind_prior(Trouble::Path, one.kind)? / kind_prior(Trouble::Answers, one.kind)?)
}

/// Probabilities from priors and evidence, nats. `unknown`: weight of what is not listed.
fn weighed(all: Vec<Suspect>, unknown: f64, nats: impl Fn(&Suspect) -> f64) -> Vec<Suspect> {
    let logs: Vec<f64> = all.iter().map(|one| one.probability.max(f64::MIN_POSITIVE).ln() + nats(one)).collect();
    let most = logs.iter().copied().fold(unknown.ln(), f64::max);
    let total = logs.iter().map(|log| (log - most).exp()).sum::<f64>() + (unknown.ln() - most).exp();
    let share = |log: &f64| (1.0 - MISFIT) * (log - most).exp() / total;
    all.into_iter().zip(&logs).map(|(one, log)| Suspect { probability: share(log), ..one }).collect()
}

/// Kinds that an agent tells apart by the round trips of its own edges. A Pod's interface it can't tell from its program.
const fn is_way(kind: BlameKind) -> bool {
    matches!(
        kind,
        BlameKind::Node | BlameKind::PeerNode | BlameKind::NodePair | BlameKind::PathShare | BlameKind::ZonePair
    )
}

/// All that lies between the two measurements: the Pods' interfaces, the kernels of both Nodes, and the path.
fn ends(hint: &Hint, answers: &Answers, zones: &Zones<'_>) -> Vec<Suspect> {
    let own = hint.subject.node.as_str();
    let mut out = vec![Suspect::new(BlameKind::Node, own, 0.0)];
    if let Some(node) = answers.server_node.as_deref().filter(|node| *node != own) {
        out.push(Suspect::new(BlameKind::PeerNode, node, 0.0));
        out.push(Suspect::new(BlameKind::NodePair, format!("{own}↔{node}"), 0.0));
        let between = zones.get(own).zip(zones.get(node)).filter(|(from, to)| from != to);
        out.extend(between.map(|(from, to)| Suspect::new(BlameKind::ZonePair, format!("{from}↔{to}"), 0.0)));
    }
    out.push(Suspect::new(BlameKind::Pod, hint.subject.name.as_str(), 0.0));
    out.push(Suspect::new(BlameKind::PeerPod, answers.server.as_str(), 0.0));
    out
}

/// The requests of all clients that were measured, but those of the hint's own Pod to `server`.
fn links<'a>(
    facts: &Facts,
    known: &Known<'a>,
    (hint, server): (&Hint, &str),
    (slow, zones): (&Slow, &Zones<'a>),
) -> Vec<Way<'a>> {
    let own = pod_of(hint);
    let way = |(client, callee): (&'a PodRow, &'a Callee)| {
        let (pod, node) = (callee.peer_pod.as_deref()?, callee.peer_node.as_deref()?);
        let name = format!("{}/{}", client.namespace, client.name);
        if callee.redirected || (name == own && pod == server) {
            return None;
        }
        let nats = evidence(known, (client, callee), slow).filter(|nats| {
            // Its own agent knows why it is late.
            *nats <= 0.0 || !has_reason(hint, pod, &facts.hints)
        })?;
        let from = end(Cow::Owned(name), client.node.as_str(), zones);
        Some(Way { from, to: end(Cow::Borrowed(pod), node, zones), nats: [nats] })
    };
    known.calls().filter_map(way).collect()
}

/// Evidence of one client's requests to one callee for the delay of others, nats. `None`: they say nothing about it.
fn evidence(known: &Known<'_>, (client, callee): (&PodRow, &Callee), slow: &Slow) -> Option<f64> {
    let times = &callee.times;
    let wait = Wait::of(times)?;
    let usual_network = times.normally.as_ref().and_then(|normal| normal.stage_seconds.get("network"));
    let network = times.stage_seconds.get("network").zip(usual_network).map_or(0.0, |(now, usual)| now - usual);
    let part = (wait.longer + network).max(0.0) / slow.longer;
    if part < LITTLE {
        return Some(-(slow.share * times.requests as f64 * missed(part)).min(MOST));
    }
    if network >= MAIN * (network + wait.longer.max(0.0)) && is_as_long(network, slow) {
        // New connections: their own round trips are longer, and wait for no program.
        let late = Slow::of(times, network)?.share * times.requests as f64;
        return (late >= MIN_SLOW).then(|| late.min(MOST));
    }
    if !is_as_long(wait.longer, slow) {
        return None;
    }
    let served = known.served(client, callee)?;
    let least = usual(served).map_or(0.0, |seconds| seconds.min(wait.usual));
    let took = (served.mean_seconds? - least).max(0.0) / wait.longer;
    let share = Slow::of(times, wait.longer)?.share;
    let late = share * served.requests as f64;
    let is_longer = took < LITTLE && late >= MIN_SLOW && are_all(times, served, share);
    is_longer.then(|| (late * missed(took)).min(MOST))
}

/// A growth that one fault makes with the other: about as much.
fn is_as_long(seconds: f64, slow: &Slow) -> bool {
    (MAIN..=1.0 / MAIN).contains(&(seconds / slow.longer))
}

/// Lowest round trips tell of this delay: all of the window are under it, and those to the late server show it. One that
/// comes and goes spares some of them.
fn is_current(hint: &Hint, rows: &[PeerRow], answers: &Answers) -> bool {
    let shows = |row: &PeerRow| {
        let rtt = row.min_rtt_baseline.or(row.rtt_rise);
        row.node == hint.subject.node
            && host(row) == Some(answers.server.as_str())
            && rtt.is_some_and(|rtt| is_as_long(rtt.now_seconds - rtt.usual_seconds, &answers.slow))
    };
    answers.slow.is_steady() && lasts(hint) && rows.iter().any(shows)
}

/// The lowest round trips of a row. `None`: they say nothing, or one of the `ways` says as much.
fn round_trips<'a>(row: &'a PeerRow, slow: &Slow, ways: &[Way<'_>]) -> Option<Way<'a>> {
    let (rtt, peer) = (row.min_rtt_baseline?, row.peer_node.as_deref()?);
    let longer = rtt.now_seconds - rtt.usual_seconds;
    let nats = match longer < LITTLE * slow.longer {
        true => -MOST,
        false => is_as_long(longer, slow).then_some(MOST)?,
    };
    if peer == row.node || ways.iter().any(|way| way.leads(row)) {
        return None;
    }
    let from = End { pod: None, node: &row.node, zone: row.zone.as_deref() };
    let to = End { pod: host(row).map(Cow::Borrowed), node: peer, zone: row.peer_zone.as_deref() };
    Some(Way { from, to, nats: [nats] })
}

/// Per hint, what answers that are late on the way to other agents' clients say of the suspects of a longer path, nats.
/// `None`: nothing.
pub(super) fn longer_paths(facts: &Facts) -> Vec<Option<Vec<(Suspect, f64)>>> {
    let known = facts.known();
    let zones = zones(&facts.peer_rows);
    facts.hints.iter().map(|hint| longer_path(facts, &known, hint, &zones)).collect()
}

/// The delay that a hint about a longer path tells of. `None`: it has no such figures.
fn delay(hint: &Hint) -> Option<Slow> {
    let Delay { share, mean_seconds: longer } = Delay::of(hint)?;
    Some(Slow { longer, share, each: longer / share })
}

fn longer_path(facts: &Facts, known: &Known<'_>, hint: &Hint, zones: &Zones<'_>) -> Option<Vec<(Suspect, f64)>> {
    if hint.state != HintState::Firing || hint.cause != PATH_LATENCY {
        return None;
    }
    let slow = delay(hint)?;
    let mut ways = links(facts, known, (hint, ""), (&slow, zones));
    // Round trips of other agents say as much where they are known: see `settle`. Of a delay that comes and goes, these
    // are the highest ones, and only short ones tell something.
    let comes_and_goes = longer_share(hint).is_some();
    let shown = Delay::shown(hint, &facts.peer_rows);
    let is_evidence = |row: &PeerRow| match comes_and_goes {
        true => shown.is_some_and(|delay| delay.missing(row).is_some()),
        false => row.min_rtt_baseline.is_some(),
    };
    let is_told = |way: &Way<'_>| {
        let tells = |row: &PeerRow| {
            let is_to = match host(row) {
                Some(host) => way.to.pod.as_deref() == Some(host),
                None => row.peer_node.as_deref() == Some(way.to.node),
            };
            is_evidence(row) && row.node == way.from.node && is_to
        };
        facts.peer_rows.iter().any(tells)
    };
    let counts = |way: &Way<'_>| match way.nats[0] > 0.0 {
        true => comes_and_goes || !is_told(way),
        false => comes_and_goes && !is_told(way),
    };
    ways.retain(|way| way.from.node != hint.subject.node && counts(way));
    let own = pod_of(hint);
    let nats =
        |one: &Suspect| score(ways.iter().filter(|way| way.has(one, &own, false)).map(|way| way.nats.as_slice()));
    let weigh = |one: Suspect| {
        let nats = nats(&one);
        (one, nats)
    };
    let all: Vec<(Suspect, f64)> = hint.blame.candidates().map(weigh).collect();
    all.iter().any(|(_, nats)| *nats != 0.0).then_some(all)
}

#[cfg(test)]
mod tests;
