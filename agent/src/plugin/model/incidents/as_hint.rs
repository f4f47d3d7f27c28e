//! A firing as the hint that it was, as far as Prometheus keeps it.

use super::{Firing, stamp};
use crate::{
    api::{Blame, BlameKind, Hint, HintState, Subject},
    hints::RULES,
};

impl Firing {
    /// Whether it fired at this moment, ms since the Unix epoch, as well as its times are known.
    pub fn covers(&self, at: i64) -> bool {
        self.from.saturating_sub(self.resolution) <= at && at <= self.to.saturating_add(self.resolution)
    }

    /// The hint, without its evidence. It fires: it is of the moment that somebody asks about.
    pub fn as_hint(&self) -> Hint {
        let print = &self.fingerprint;
        let (is_pod, path) = match (self.subject.strip_prefix("pod "), self.subject.strip_prefix("node ")) {
            (Some(path), _) => (true, path),
            (None, node) => (false, node.unwrap_or(&self.node)),
        };
        let name = if is_pod { path.split_once('/').map_or(path, |(_, name)| name) } else { path };
        let workload = if is_pod && print.workload != format!("Pod/{name}") { &*print.workload } else { "" };
        let kind = serde_json::from_value(print.blame_kind.as_str().into()).unwrap_or(BlameKind::None);
        let blamed = if kind == BlameKind::Pod { path } else { &print.blame };
        let rule = RULES.iter().find(|rule| rule.id == print.cause);
        let fault = match blamed {
            "" => String::new(),
            _ if kind == BlameKind::Pod => ", by its own fault".to_owned(),
            blamed => format!(", at fault: {} {blamed}", kind.label()),
        };
        let symptom = rule.map(|rule| rule.symptom).unwrap_or_default();
        Hint {
            id: format!("{}/{}", self.subject, print.cause),
            state: HintState::Firing,
            subject: Subject {
                kind: if is_pod { "Pod" } else { "Node" }.to_owned(),
                namespace: if is_pod { print.namespace.clone() } else { String::new() },
                name: name.to_owned(),
                workload: workload.to_owned(),
                node: self.node.clone(),
            },
            symptom: symptom.to_owned(),
            cause: print.cause.clone(),
            blame: Blame::named(kind, blamed, 0.0),
            confidence: self.confidence.unwrap_or(0.0),
            summary: format!("{name} had {}{fault}, as the series of hints say", print.cause),
            evidence: Vec::new(),
            ruled_out: Vec::new(),
            chain: [print.cause.as_str(), symptom]
                .into_iter()
                .filter(|link| !link.is_empty())
                .map(str::to_owned)
                .collect(),
            action: rule.map_or("See docs/hints.md.", |rule| rule.action).to_owned(),
            first_seen: stamp(self.from),
            last_seen: stamp(self.to),
            window_seconds: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::model::incidents::Named;

    fn firing(names: Named<'_>) -> Firing {
        let like = Firing::named(&names);
        Firing { from: 1_767_225_600_000, to: 1_767_225_660_000, resolution: 1_000, confidence: Some(0.9), ..like }
    }

    #[test]
    fn a_firing_becomes_the_hint_that_it_was() {
        let hint = firing(Named {
            namespace: "shop",
            pod: "cart-1",
            workload: "Deployment/cart",
            node: "a",
            cause: "peer_refusing",
            blame_kind: "peer_pod",
            blame: "shop/db-0",
        })
        .as_hint();
        let subject = (hint.subject.kind.as_str(), hint.subject.name.as_str(), hint.subject.workload.as_str());
        assert_eq!(subject, ("Pod", "cart-1", "Deployment/cart"));
        assert_eq!((hint.blame.text().as_str(), hint.confidence), ("peer_pod shop/db-0", 0.9));
        assert_eq!(
            (hint.symptom.as_str(), hint.first_seen.as_str()),
            ("connect_failures", "2026-01-01T00:00:00Z"),
            "{hint:?}"
        );
        assert!(!hint.action.is_empty() && hint.evidence.is_empty());
    }

    #[test]
    fn nodes_and_pods_at_fault_by_themselves_keep_their_names() {
        let node = Named { node: "a", cause: "node_nic_drops", blame_kind: "node", blame: "a", ..Named::default() };
        let hint = firing(node).as_hint();
        assert_eq!(
            (hint.subject.kind.as_str(), hint.subject.name.as_str(), hint.blame.name.as_str()),
            ("Node", "a", "a")
        );
        let pod = Named { namespace: "shop", pod: "x", cause: "new_cause", blame_kind: "pod", ..Named::default() };
        let hint = firing(pod).as_hint();
        assert_eq!((hint.blame.name.as_str(), hint.subject.workload.as_str()), ("shop/x", ""));
        assert_eq!(hint.action, "See docs/hints.md.");
    }

    #[test]
    fn a_moment_is_covered_as_well_as_times_are_known() {
        let firing = firing(Named::default());
        let at = |seconds: i64| firing.covers(firing.from + seconds * 1000);
        assert_eq!([-2, -1, 0, 60, 61, 62].map(at), [false, true, true, true, true, false]);
    }
}
