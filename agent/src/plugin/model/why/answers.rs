//! Late answers as the server's own agent measured them: did the server take the time, or does it arise on the way?
//!
//! Only the same requests are compared: those of one client on one port.

mod between;
mod said;

use super::Facts;
use crate::{
    api::{Blame, BlameKind, Callee, Hint, HintState, ResponseTimes, Suspect},
    plugin::model::{
        causal_path::{explains, pod_of},
        settle::{LATE_ANSWERS as PEER_SLOW, MISFIT, weigh},
        unix_ms,
        waterfall::{Known, Stage},
    },
};

/// Cause of time that arises on the way.
const PATH_LATENCY: &str = "path_latency";
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
/// Time from which a slow answer may be one that was lost and sent again, s: timers take 0.2 s at least.
const RESENT_SECONDS: f64 = 0.15;

/// One client's late answers, at both ends.
struct Answers {
    /// The server, `namespace/name`.
    server: String,
    /// Its Node. `None`: not known.
    server_node: Option<String>,
    /// Its requests of this client in the window.
    requests: u64,
    /// Those that are late.
    slow: Slow,
    /// Part of their mean wait that the server takes, s.
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
    /// The time arises on the way. The evidence for that, nats, and what on the way may be at fault, with the
    /// probability of each.
    OnTheWay(f64, Vec<Suspect>),
    /// The server takes it. Its callee that takes most of it in turn. `None`: no callee does.
    AtTheServer(Option<String>),
}

/// Weighs the candidates of hints about late answers by the figures of the servers' own agents.
pub(super) fn weigh_servers(facts: &mut Facts) {
    // Recorded windows are as far apart as they are long: those of two agents need not overlap.
    if facts.at.is_some() {
        return;
    }
    let (all, longer) = (compared(facts), between::longer_paths(facts));
    for ((hint, answers), evidence) in facts.hints.iter_mut().zip(all).zip(longer) {
        if let Some(evidence) = evidence {
            let nats = |one: &Suspect| evidence.iter().find(|(known, _)| known == one).map_or(0.0, |(_, nats)| *nats);
            weigh(hint, 0.0, nats);
        }
        let Some(answers) = answers else { continue };
        match &answers.found {
            Found::OnTheWay(nats, places) => acquit(hint, &answers, (*nats, places.as_slice())),
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
    facts.is_about(hint) || lasts(hint)
}

/// It lasts for longer than a window.
fn lasts(hint: &Hint) -> bool {
    let stamps = unix_ms(&hint.first_seen).zip(unix_ms(&hint.last_seen));
    stamps.is_some_and(|(first, last)| last.saturating_sub(first) as f64 >= hint.window_seconds * 1000.0)
}

/// The answers that each hint is about. `None`: the figures decide nothing.
fn compared(facts: &Facts) -> Vec<Option<Answers>> {
    let known = facts.known();
    let one = |hint: &Hint| {
        let is_comparable = is_about_answers(hint) && is_at_one_time(facts, hint);
        let answers = is_comparable.then(|| compare(hint, &facts.hints, &known)).flatten()?;
        Some(match answers.found {
            Found::OnTheWay(nats, _) => {
                let places = between::places(facts, &known, hint, (&answers, nats));
                Answers { found: Found::OnTheWay(nats, places), ..answers }
            }
            Found::AtTheServer(_) => answers,
        })
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
    let slow = Slow::of(&callee.times, wait.longer)?;
    let late = slow.share * served.requests as f64;
    let took = |seconds: f64| (seconds / wait.longer).max(0.0);
    // Usually the server takes something between nothing and all of the client's wait.
    let (least, most) = (now - usual.unwrap_or(wait.usual), now - usual.unwrap_or(0.0));
    if late < MIN_SLOW {
        return None;
    }
    let (own, found) = if took(least) >= MAIN {
        (least, Found::AtTheServer(below(known, &server, MAIN * least)))
    } else {
        let nats = late * missed(took(most));
        let decides = took(most) < LITTLE && nats >= SURE && are_all(&callee.times, served, slow.share);
        if !decides || has_reason(hint, &server, hints) {
            return None;
        }
        (most, Found::OnTheWay(nats.min(MOST), Vec::new()))
    };
    Some(Answers {
        server_node: callee.peer_node.clone(),
        requests: served.requests,
        slow,
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

/// The requests of one client that are late.
#[derive(Clone, Copy, Debug)]
struct Slow {
    /// Time by which the mean of all its requests is longer than usual, s.
    longer: f64,
    /// Share of the requests that are slow, at least.
    share: f64,
    /// Time by which these take longer, s: growth of the lowest quantile that grew.
    each: f64,
}

impl Slow {
    /// `longer`: growth of the mean, s. `None`: no quantile grew as much.
    fn of(times: &ResponseTimes, longer: f64) -> Option<Self> {
        let normal = times.normally.as_ref()?;
        let quantiles = [
            (0.5, times.p50_seconds, Some(normal.p50_seconds)),
            (0.05, times.p95_seconds, normal.p95_seconds),
            (0.01, times.p99_seconds, normal.p99_seconds),
        ];
        let growth = |now: Option<f64>, usual: Option<f64>| Some(now? - usual?);
        let grew = |(share, now, usual): (f64, Option<f64>, Option<f64>)| {
            let each = growth(now, usual)?;
            (each >= (MAIN * longer).max(QUANTILE_ERROR * usual?)).then_some((share, each))
        };
        let (share, each) = quantiles.into_iter().find_map(grew)?;
        // Slow ones that are late by about as much are as many as the mean needs.
        let most = growth(times.p99_seconds, normal.p99_seconds);
        let alike = most.filter(|most| (MAIN * each..=each / MAIN).contains(most));
        let needed = alike.map_or(0.0, |most| (longer / most).min(HALF));
        Some(Self { longer, share: share.max(needed), each })
    }

    /// All are late alike: the mean grew as the median did.
    fn is_steady(&self) -> bool {
        self.share >= HALF && self.longer >= (1.0 - 2.0 * QUANTILE_ERROR) * self.each
    }

    /// Late packets make them slow. Longer waits may be those for packets that are sent again.
    fn is_late(&self) -> bool {
        self.each < RESENT_SECONDS
    }
}

/// Share of the requests that the median tells of.
const HALF: f64 = 0.5;

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

/// The server's program keeps little of its probability. The rest is for what lies on the way: the cause is a longer
/// path, unless the waits are long enough for lost packets.
fn acquit(hint: &mut Hint, answers: &Answers, (nats, places): (f64, &[Suspect])) {
    let is_server = |one: &Suspect| one.kind == BlameKind::PeerPod && one.name == answers.server;
    let was = hint.blame.best();
    let server: f64 = hint.blame.candidates().filter(|one| is_server(one)).map(|one| one.probability).sum();
    let (program, way) = (server * (-nats).exp(), (1.0 - server).max(MISFIT));
    let on_the_way = way / (way + program);
    let mut all = places.to_vec();
    let mut certainty = hint.confidence / if was > 0.0 { was } else { 1.0 };
    if answers.slow.is_late() {
        certainty *= on_the_way;
        PATH_LATENCY.clone_into(&mut hint.cause);
        hint.chain.iter_mut().filter(|link| link.as_str() == PEER_SLOW).for_each(|link| PATH_LATENCY.clone_into(link));
    } else {
        // The server's program and its interface have one name.
        all.iter_mut().for_each(|one| one.probability *= on_the_way);
        all.iter_mut()
            .filter(|one| is_server(one))
            .for_each(|one| one.probability += (1.0 - MISFIT) * (1.0 - on_the_way));
    }
    hint.blame = Blame::among(all);
    hint.confidence = ((certainty * hint.blame.best()).min(1.0) * 100.0).round() / 100.0;
    said::acquitted(hint, answers);
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
