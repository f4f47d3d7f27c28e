//! Hints about late answers in words, with the figures of both ends.

use super::{Answers, Found};
use crate::{
    api::{Evidence, Hint, RuledOut},
    plugin::model::{health::seconds, waterfall::Stage},
};

/// Rewrites a hint whose server is not the reason.
pub(super) fn acquitted(hint: &mut Hint, answers: &Answers) {
    let Answers { server, slow, own, now, requests, .. } = answers;
    let same_node = answers.server_node.as_ref() == Some(&hint.subject.node);
    let place = if same_node { "between the Pods" } else { "on the way between the Pods" };
    let longer = slow.longer;
    let normally = normally(answers.usual);
    hint.summary = format!(
        "{} waits {} longer than usual for {server}, which answers within {}{normally} by its own Node's figures: {} \
         arise {place}",
        hint.subject.name,
        seconds(longer),
        seconds(*now),
        seconds(longer - own)
    );
    hint.evidence.extend(evidence(answers));
    // Quick round trips acquitted the path, in favour of a server that takes no time either.
    hint.ruled_out.retain(|ruled| !ruled.cause.starts_with("path_"));
    hint.ruled_out.push(RuledOut {
        cause: "pod_application_slow".into(),
        because: format!(
            "{server} took {}{normally} for each of {requests} requests of {}",
            seconds(*now),
            hint.subject.name
        ),
    });
    hint.action = format!(
        "Look for queues and delays {place}: interfaces of both Pods and Nodes, softirqs and shapers at both ends (`kubectl netwhy matrix`, \
         `nodes`). The application of {server} needs no attention."
    );
}

/// Adds to a hint how much the server's own agent measured, and in which stage.
pub(super) fn confirmed(hint: &mut Hint, answers: &Answers) {
    let Answers { server, own, .. } = answers;
    let grew =
        |stage: &Stage| stage.normally_seconds.map(|usual| (stage.seconds - usual, stage.stage, stage.seconds, usual));
    let most = answers.stages.iter().filter_map(grew).max_by(|a, b| a.0.total_cmp(&b.0));
    let stage =
        most.map(|(_, stage, now, usual)| format!(", in the stage {stage}: {}{}", seconds(now), normally(Some(usual))));
    let below = match &answers.found {
        Found::AtTheServer(Some(callee)) => format!(", while it waits for {callee}"),
        Found::AtTheServer(None) | Found::OnTheWay(..) => String::new(),
    };
    hint.summary = format!(
        "{}; {server} takes {} of it by its own Node's figures{}{below}",
        hint.summary.trim_end_matches('.'),
        seconds(*own),
        stage.unwrap_or_default()
    );
    hint.evidence.extend(evidence(answers));
}

/// ` (normally 2.00 ms)`.
fn normally(usual: Option<f64>) -> String {
    usual.map(|usual| format!(" (normally {})", seconds(usual))).unwrap_or_default()
}

/// The server's stages.
fn evidence(answers: &Answers) -> impl Iterator<Item = Evidence> {
    answers.stages.iter().map(|stage| Evidence {
        signal: format!("netwhy_tcp_response_wait_seconds_total{{role=\"server\",stage=\"{}\"}}", stage.stage),
        observed: stage.seconds,
        baseline: stage.normally_seconds,
        unit: "seconds per request".into(),
        place: answers.server.clone(),
        source: "ebpf:tcp_probe".into(),
    })
}
