//! Late answers as the server's own agent measured them: did the server take the time, or does it arise on the way?
//!
//! Only the same requests are compared: those of one client on one port.

mod said;

use super::Facts;
use crate::{
    api::{Blame, BlameKind, Callee, Hint, HintState, ResponseTimes, Suspect},
    plugin::model::{
        causal_path::{explains, pod_of},
        settle::{MISFIT, unlisted, weigh},
        unix_ms,
        waterfall::{Known, Stage},
    },
};

/// Cause of the hints that blame a server for late answers.
const PEER_SLOW: &str = "peer_slow";
/// Evidence of these hints: the time that a request waits for its server.
const WAIT: &str = "netwhy_tcp_response_wait_seconds_total{role=\"client\",stage=\"peer\"}";

/// Share of the growth that makes the server the reason: as for the stages of a hint.
const MAIN: f64 = 0.5;
/// Share below which it is not. Half of that: windows of two agents that lie half a window apart share only half.
const LITTLE: f64 = MAIN / 2.0;
/// Slow requests among those of the server that a statement needs: as many as the hint.
const MIN_SLOW: f64 = 4.0;
/// Evidence from which the server is acquitted, nats: by chance so few slow requests are at the server in 1 of 100.
const SURE: f64 = 4.6;
/// Most evidence that figures are: agents may measure other things than they think in one of some hundred cases.
const MOST: f64 = 6.0;
/// Part by which a quantile may be wrong.
const QUANTILE_ERROR: f64 = 0.1;

/// One client's late answers, at both ends.
struct Answers {
    /// The server, `namespace/name`.
    server: String,
    /// Its Node. `None`: not known.
    server_node: Option<String>,
    /// Its requests of this client in the window.
    requests: u64,
    /// Time by which a request waits longer than usual, s.
    longer: f64,
    /// Part of it that the server takes, s.
    own: f64,
    /// Mean time of the server, now and usually, s.
    now: f64,
    usual: Option<f64>,
    /// The stages of that.
    stages: Vec<Stage>,
    found: Found,
}

/// What the figures show.
enum Found {
    /// The time arises on the way. The evidence for that, nats.
    OnTheWay(f64),
    /// The server takes it. Its callee that takes most of it in turn. `None`: no callee does.
    AtTheServer(Option<String>),
}

/// Weighs the candidates of hints about late answers by the figures of the servers' own agents.
pub(super) fn weigh_servers(facts: &mut Facts) {
    // Recorded windows are as far apart as they are long: those of two agents need not overlap.
    if facts.at.is_some() {
        return;
    }
    let all = compared(facts);
    for (hint, answers) in facts.hints.iter_mut().zip(all) {
        let Some(answers) = answers else { continue };
        match &answers.found {
            Found::OnTheWay(nats) => acquit(hint, &answers, *nats),
            Found::AtTheServer(_) => confirm(hint, &answers),
        }
    }
}

/// Whether a firing hint blames a server for late answers.
pub fn is_about_answers(hint: &Hint) -> bool {
    hint.state == HintState::Firing && hint.cause == PEER_SLOW
}

/// Both ends were measured at one time: the client's agent was asked first, so that the server's figures are the newer
/// ones. Else the trouble lasts for longer than a window, so that older figures hold it too.
fn is_at_one_time(facts: &Facts, hint: &Hint) -> bool {
    let stamps = unix_ms(&hint.first_seen).zip(unix_ms(&hint.last_seen));
    let lasts = |(first, last): (i64, i64)| last.saturating_sub(first) as f64 >= hint.window_seconds * 1000.0;
    facts.is_about(hint) || stamps.is_some_and(lasts)
}

/// The answers that each hint is about. `None`: the figures decide nothing.
fn compared(facts: &Facts) -> Vec<Option<Answers>> {
    let known = facts.known();
    let one = |hint: &Hint| {
        let is_comparable = is_about_answers(hint) && is_at_one_time(facts, hint);
        is_comparable.then(|| compare(hint, &facts.hints, &known)).flatten()
    };
    facts.hints.iter().map(one).collect()
}

fn compare(hint: &Hint, hints: &[Hint], known: &Known<'_>) -> Option<Answers> {
    let server = hint.blame.candidates().find(|one| one.kind == BlameKind::PeerPod)?.name;
    let (client, responses) = known.responses(&pod_of(hint))?;
    let (callee, wait) = waited_for(hint, &server, &responses.callees)?;
    let served = known.served(client, callee)?;
    let now = served.mean_seconds?;
    // Without a hint of its own the server's agent may have learned the slowdown. The client's has not.
    let usual = usual(served).map(|seconds| seconds.min(wait.usual));
    let share = slow_share(&callee.times, wait.longer)?;
    let slow = share * served.requests as f64;
    let took = |seconds: f64| (seconds / wait.longer).max(0.0);
    // Usually the server takes something between nothing and all of the client's wait.
    let (least, most) = (now - usual.unwrap_or(wait.usual), now - usual.unwrap_or(0.0));
    if slow < MIN_SLOW {
        return None;
    }
    let (own, found) = if took(least) >= MAIN {
        (least, Found::AtTheServer(below(known, &server, MAIN * least)))
    } else {
        let nats = slow * missed(took(most));
        let decides = took(most) < LITTLE && nats >= SURE && are_all(&callee.times, served, share);
        if !decides || has_reason(hint, &server, hints) {
            return None;
        }
        (most, Found::OnTheWay(nats.min(MOST)))
    };
    Some(Answers {
        server_node: callee.peer_node.clone(),
        requests: served.requests,
        longer: wait.longer,
        own: own.clamp(0.0, wait.longer),
        now,
        usual,
        stages: stages(served),
        server,
        found,
    })
}

/// What a client waits for its server, mean per request.
#[derive(Clone, Copy)]
struct Wait {
    usual: f64,
    /// Time by which it is longer now.
    longer: f64,
}

impl Wait {
    fn of(times: &ResponseTimes) -> Option<Self> {
        let now = times.stage_seconds.get("peer")?;
        let usual = *times.normally.as_ref()?.stage_seconds.get("peer")?;
        Some(Self { usual, longer: now - usual })
    }
}

/// The client's row that a hint is about. `None`: none waits as long any more, or several do.
fn waited_for<'c>(hint: &Hint, server: &str, callees: &'c [Callee]) -> Option<(&'c Callee, Wait)> {
    let judged = hint.evidence.iter().find(|one| one.signal == WAIT)?;
    let judged = judged.observed - judged.baseline?;
    let of_server = callees.iter().filter(|callee| callee.peer_pod.as_deref() == Some(server) && !callee.redirected);
    let waits = of_server.filter_map(|callee| Some((callee, Wait::of(&callee.times)?)));
    let mut late = waits.filter(|(_, wait)| wait.longer > 0.0 && wait.longer >= MAIN * judged);
    let only = late.next()?;
    late.next().is_none().then_some(only)
}

/// Mean time of a server in normal times. `None`: not known by stage, and so not at all.
fn usual(served: &ResponseTimes) -> Option<f64> {
    let normal = served.normally.as_ref()?;
    (!normal.stage_seconds.is_empty()).then_some(normal.mean_seconds)
}

/// Share of the requests that are slow, at least: those above the lowest quantile that grew. `longer`: growth of the mean.
fn slow_share(times: &ResponseTimes, longer: f64) -> Option<f64> {
    let normal = times.normally.as_ref()?;
    let quantiles = [
        (0.5, times.p50_seconds, Some(normal.p50_seconds)),
        (0.05, times.p95_seconds, normal.p95_seconds),
        (0.01, times.p99_seconds, normal.p99_seconds),
    ];
    let grew = |(share, now, usual): (f64, Option<f64>, Option<f64>)| {
        let (now, usual) = (now?, usual?);
        (now - usual >= (MAIN * longer).max(QUANTILE_ERROR * usual)).then_some(share)
    };
    quantiles.into_iter().find_map(grew)
}

/// Evidence of one expected slow request that only so much of its time is at the server, nats (Poisson).
fn missed(took: f64) -> f64 {
    if took > 0.0 { 1.0 - took + took * took.ln() } else { 1.0 }
}

/// The server's figures hold all slow requests of the client: no connection stands for others, no more are missing than
/// half as many as are slow, and none is still waiting.
fn are_all(client: &ResponseTimes, server: &ResponseTimes, slow_share: f64) -> bool {
    let complete = [client, server].into_iter().all(|times| times.is_sampled == Some(false));
    let rates = client.per_second.zip(server.per_second);
    let counted = rates.is_some_and(|(asked, answered)| answered >= (1.0 - MAIN * slow_share) * asked);
    complete && counted && server.ended_unanswered == 0 && server.unanswered == Some(0)
}

/// The server's own agent knows a trouble that makes its answers late. The figures may miss it.
fn has_reason(hint: &Hint, server: &str, hints: &[Hint]) -> bool {
    let blames_it = Hint { blame: Blame::named(BlameKind::PeerPod, server, 1.0), ..hint.clone() };
    hints.iter().any(|other| explains(other, &blames_it))
}

fn stages(served: &ResponseTimes) -> Vec<Stage> {
    let usual = served.normally.as_ref().map(|normal| &normal.stage_seconds);
    let stage = |stage: &'static str| {
        let seconds = *served.stage_seconds.get(stage)?;
        Some(Stage { stage, seconds, normally_seconds: usual.and_then(|usual| usual.get(stage)).copied() })
    };
    ["unread", "application"].into_iter().filter_map(stage).collect()
}

/// The server's callee whose answers take so much longer per request of the server, s.
fn below(known: &Known<'_>, server: &str, longer: f64) -> Option<String> {
    let (_, responses) = known.responses(server)?;
    let per_second = responses.server.as_ref()?.per_second.filter(|rate| *rate > 0.0)?;
    let extra = |callee: &Callee| {
        let times = &callee.times;
        let each = times.mean_seconds? - times.normally.as_ref()?.mean_seconds;
        let name = callee.peer_pod.clone().unwrap_or_else(|| callee.peer.clone());
        Some((each * times.per_second? / per_second, name))
    };
    let most = responses.callees.iter().filter_map(extra).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (most.0 >= longer).then_some(most.1)
}

/// The server keeps little of its probability. The rest is for candidates on the way, also for those that were too
/// unlikely to be listed, and for what is unknown, evenly.
fn acquit(hint: &mut Hint, answers: &Answers, nats: f64) {
    let was = hint.blame.best();
    let mut all: Vec<Suspect> = hint.blame.candidates().collect();
    let is_new = |(kind, name): &(BlameKind, String)| !all.iter().any(|one| one.kind == *kind && one.name == *name);
    let new: Vec<(BlameKind, String)> = on_the_way(hint, answers).into_iter().filter(is_new).collect();
    let each = unlisted(&hint.blame) / (new.len() + 1) as f64;
    for one in all.iter_mut().filter(|one| one.kind == BlameKind::PeerPod && one.name == answers.server) {
        one.probability *= (-nats).exp();
    }
    all.extend(new.into_iter().map(|(kind, name)| Suspect::new(kind, name, each)));
    let total = all.iter().map(|one| one.probability).sum::<f64>() + each;
    all.iter_mut().for_each(|one| one.probability *= (1.0 - MISFIT) / total);
    hint.blame = Blame::among(all);
    let kept = hint.blame.best() / if was > 0.0 { was } else { 1.0 };
    hint.confidence = ((hint.confidence * kept).min(1.0) * 100.0).round() / 100.0;
    said::acquitted(hint, answers);
}

/// All that lies between the two measurements: the kernels of both Nodes, and the path.
fn on_the_way(hint: &Hint, answers: &Answers) -> Vec<(BlameKind, String)> {
    let own = &hint.subject.node;
    let mut out = vec![(BlameKind::Node, own.clone())];
    if let Some(node) = answers.server_node.as_ref().filter(|node| *node != own) {
        out.push((BlameKind::PeerNode, node.clone()));
        out.push((BlameKind::NodePair, format!("{own}↔{node}")));
    }
    out
}

/// The path and the client's Node are acquitted. Neither the server's Node nor the client's kind of requests is.
fn confirm(hint: &mut Hint, answers: &Answers) {
    let same_node = answers.server_node.as_ref() == Some(&hint.subject.node);
    let is_way = |one: &Suspect| match one.kind {
        BlameKind::NodePair | BlameKind::PathShare | BlameKind::ZonePair => true,
        BlameKind::Node => !same_node,
        _ => false,
    };
    if hint.blame.candidates().any(|one| is_way(&one)) {
        weigh(hint, 0.0, |one| if is_way(one) { -MOST } else { 0.0 });
    }
    said::confirmed(hint, answers);
}

#[cfg(test)]
mod tests;
