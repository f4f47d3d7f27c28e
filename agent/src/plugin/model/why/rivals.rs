//! Rivals of an answer: other firing hints about the same Pod that blame somebody else. One trouble has one culprit, and
//! two troubles of one Pod at once are rare, so that at most one of them is right.

use crate::{
    api::{BlameKind, Hint, HintState, Suspect},
    plugin::model::{
        causal_path::{follow, pod_of},
        settle::is_same,
    },
};

/// Most that a hint's confidence is: odds need a rest.
const MOST: f64 = 0.99;

/// The answer's confidence beside its rivals: the probability that it is right if at most one of them is, and each is as
/// likely by itself as its hint says. `path`: the answer's.
pub(super) fn beside_rivals(confidence: f64, path: &[&Hint], all: &[Hint]) -> f64 {
    let (Some(first), Some(named)) = (path.first(), path.last().and_then(|root| culprit(root))) else {
        return confidence;
    };
    let mut rivals: Vec<(Suspect, f64)> = Vec::new();
    let beside =
        |hint: &&Hint| hint.state == HintState::Firing && hint.subject == first.subject && !path.contains(hint);
    for hint in all.iter().filter(beside) {
        let other = follow(hint, all);
        let rival = other.last().and_then(|root| culprit(root)).filter(|rival| excludes(rival, &named));
        let Some(rival) = rival.filter(|_| !other.iter().any(|step| path.contains(step))) else { continue };
        let sure = other.iter().map(|step| step.confidence).fold(MOST, f64::min);
        match rivals.iter_mut().find(|(known, _)| is_same(known, &rival)) {
            Some((_, most)) => *most = most.max(sure),
            None => rivals.push((rival, sure)),
        }
    }
    if rivals.is_empty() {
        return confidence;
    }
    let odds = |probability: f64| probability.min(MOST) / (1.0 - probability.min(MOST));
    let own = odds(confidence);
    let total = 1.0 + own + rivals.iter().map(|(_, sure)| odds(*sure)).sum::<f64>();
    (own / total * 100.0).round() / 100.0
}

/// The named culprit, under one name for hints of any agent. `None`: nobody is named.
fn culprit(root: &Hint) -> Option<Suspect> {
    let blame = &root.blame;
    let (kind, name) = match blame.kind {
        BlameKind::Undecided | BlameKind::None => return None,
        BlameKind::Pod => (BlameKind::PeerPod, pod_of(root)),
        kind => (kind, blame.name.clone()),
    };
    (!name.is_empty()).then(|| Suspect::new(kind, name, blame.probability))
}

/// Whether two culprits are two things. A Service stands for any Pod behind it.
fn excludes(one: &Suspect, other: &Suspect) -> bool {
    let is_service = |one: &Suspect| one.kind == BlameKind::Service;
    !is_same(one, other) && !is_service(one) && !is_service(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::Blame, plugin::model::testing::hint};

    /// A hint about one Pod.
    fn blames(cause: &str, kind: BlameKind, name: &str, confidence: f64) -> Hint {
        Hint { blame: Blame::named(kind, name, 0.98), confidence, ..hint("shop", "web-1", cause) }
    }

    /// Confidence of the first one as the answer.
    fn first_of(hints: &[Hint]) -> f64 {
        beside_rivals(hints[0].confidence, &follow(&hints[0], hints), hints)
    }

    fn slow(confidence: f64) -> Hint {
        blames("peer_slow", BlameKind::PeerPod, "shop/db-0", confidence)
    }

    #[test]
    fn two_equal_answers_are_right_about_half_of_the_time() {
        let outside = |confidence| blames("external_slow", BlameKind::External, "192.0.2.7", confidence);
        assert_eq!(first_of(&[slow(0.9)]), 0.9);
        assert_eq!(first_of(&[slow(0.9), outside(0.9)]), 0.47);
        assert_eq!(first_of(&[slow(0.9), outside(0.5)]), 0.82);
        // Several hints about one culprit are one rival.
        let loss = blames("path_loss", BlameKind::External, "192.0.2.7", 0.9);
        assert_eq!(first_of(&[slow(0.9), outside(0.9), loss]), 0.47);
    }

    #[test]
    fn troubles_of_other_pods_are_no_rivals() {
        let mut other = blames("path_loss", BlameKind::External, "192.0.2.7", 0.9);
        other.subject.name = "web-2".into();
        assert_eq!(first_of(&[slow(0.9), other]), 0.9);
    }

    #[test]
    fn hints_that_name_the_same_culprit_or_nobody_are_no_rivals() {
        let lost = blames("path_loss", BlameKind::PeerPod, "shop/db-0", 0.9);
        let open = blames("path_latency", BlameKind::Undecided, "", 0.9);
        let service = blames("peer_refusing", BlameKind::Service, "10.96.0.7", 0.9);
        let over = blames("dns_slow", BlameKind::PeerPod, "kube-system/dns-0", 0.9);
        let over = Hint { state: HintState::Resolved, ..over };
        assert_eq!(first_of(&[slow(0.9), lost, open, service, over]), 0.9);
    }

    /// Each agent has its own name for a Pod.
    #[test]
    fn hints_with_one_root_are_no_rivals() {
        let mut root = hint("shop", "db-0", "pod_cpu_throttled");
        (root.blame, root.confidence) = (Blame::named(BlameKind::Pod, "db-0", 0.99), 0.95);
        root.subject.node = "node-b".into();
        let lost = blames("path_loss", BlameKind::PeerPod, "shop/db-0", 0.9);
        assert_eq!(first_of(&[slow(0.9), lost, root]), 0.9);
    }
}
