//! Facts for `why --at` beyond the flight recorders: what the series of hints in a Prometheus say of that time.

use super::{
    super::{
        Failure,
        model::{
            Kind, Target,
            health::Fact,
            incidents::Firing,
            why::{Facts, TargetPod},
        },
    },
    past, prometheus,
    session::{Connection, Session},
};
use crate::api::Hint;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// How far back the begin of a hint is looked for.
const BEFORE: SignedDuration = SignedDuration::from_hours(2);
/// A scrape may come so much later.
const AFTER: SignedDuration = SignedDuration::from_mins(2);

/// The facts of a Prometheus where the agents have none.
///
/// # Errors
/// `failure`, the agents' answer, where no Prometheus is known or it has no hint about the target either.
pub(super) async fn instead(session: &Session, target: &Target, failure: Failure) -> Result<Facts, Failure> {
    let Some(at) = session.at else { return Err(failure) };
    let and = |more: &str| Failure::new(format!("{}; {more}", failure.what), &failure.remedy);
    let found = match prometheus::find(session).await {
        Ok(Some(found)) => found,
        Ok(None) => return Err(failure),
        // The search was a try, and the flag is a wish.
        Err(_) if session.global.prometheus.is_none() => return Err(failure),
        Err(other) => return Err(and(&other.to_string())),
    };
    let namespace = session.namespace.as_deref().unwrap_or("default");
    // Without them, the agents' answer has the reason already.
    let Ok(selected) = selected(session, namespace, target).await else { return Err(failure) };
    let range = (at.saturating_sub(BEFORE), at.saturating_add(AFTER));
    let (Ok(from), Ok(to)) = range else { return Err(failure) };
    let fired = found.fired(None, (from, to.min(Timestamp::now()))).await.map_err(|other| and(&other.to_string()))?;
    let moment = at.as_millisecond();
    let hints = fired.firings.iter().filter(|firing| firing.covers(moment)).map(Firing::as_hint).collect();
    let mut facts = facts(namespace, target, selected.as_ref(), hints);
    if !facts.hints.iter().any(|hint| facts.concerns(hint)) {
        return Err(and(&format!("Prometheus {} has no hint about {target} at that time", found.name())));
    }
    facts.unknown.push(Fact::new("flight recorders", failure.to_string()));
    let what = format!("not in Prometheus {}: it keeps what hints said, and their times to a minute", found.name());
    facts.unknown.push(Fact::new("evidence", what));
    facts.unknown.extend(fired.unknown);
    facts.unknown.extend(selected.as_ref().map(past::pods_then));
    Ok(facts)
}

/// The workloads of a Service. `None`: the target is none.
async fn selected(session: &Session, namespace: &str, target: &Target) -> Result<Option<BTreeSet<String>>, Failure> {
    match (target.kind, &session.connection) {
        (Some(Kind::Service), Connection::Cluster(client)) => {
            past::selected_now(session, client, namespace, target).await.map(Some)
        }
        (Some(Kind::Service), Connection::Direct(_)) => {
            Err(Failure::new("a single agent does not know Services", "omit --agent"))
        }
        _ => Ok(None),
    }
}

/// The target, with the Pods that hints are about. `selected`: the workloads of a Service.
fn facts(namespace: &str, target: &Target, selected: Option<&BTreeSet<String>>, hints: Vec<Hint>) -> Facts {
    let is_node = |hint: &Hint| hint.subject.node == target.name || hint.blame.name == target.name;
    let suffix = format!("/{}", target.name);
    let is_pod = |hint: &&Hint| {
        let subject = &hint.subject;
        let is_named = subject.name == target.name;
        let is_wanted = match (selected, target.kind) {
            // A Pod that nobody owns is its own workload.
            (Some(workloads), _) => {
                workloads.contains(&subject.workload) || workloads.contains(&format!("Pod/{}", subject.name))
            }
            (None, Some(Kind::Pod)) => is_named,
            (None, Some(kind)) => is_named || subject.workload == format!("{}{suffix}", kind.label()),
            (None, None) => is_named || subject.workload.ends_with(&suffix),
        };
        subject.kind == "Pod" && subject.namespace == namespace && is_wanted
    };
    let mut pods: Vec<TargetPod> = Vec::new();
    for hint in hints.iter().filter(is_pod) {
        let subject = &hint.subject;
        if !pods.iter().any(|pod| pod.name == subject.name) {
            let (namespace, name, node) = (subject.namespace.clone(), subject.name.clone(), subject.node.clone());
            pods.push(TargetPod { namespace, name, node, ..TargetPod::default() });
        }
    }
    let kind = match target.kind {
        None if pods.is_empty() && hints.iter().any(is_node) => Kind::Node,
        kind => kind.unwrap_or(Kind::Pod),
    };
    if kind == Kind::Node {
        pods.clear();
    } else if pods.is_empty() && kind == Kind::Pod {
        // Others may blame it.
        let (namespace, name) = (namespace.to_owned(), target.name.clone());
        pods.push(TargetPod { namespace, name, ..TargetPod::default() });
    }
    Facts {
        kind: kind.label().to_owned(),
        namespace: if kind == Kind::Node { String::new() } else { namespace.to_owned() },
        name: target.name.clone(),
        pods,
        hints,
        ..Facts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::model::incidents::Named;

    fn hints() -> Vec<Hint> {
        let cart = Named {
            namespace: "shop",
            pod: "cart-1",
            workload: "Deployment/cart",
            node: "a",
            cause: "peer_refusing",
            blame_kind: "peer_pod",
            blame: "shop/db-0",
        };
        let node = Named { node: "b", cause: "node_nic_drops", blame_kind: "node", blame: "b", ..Named::default() };
        [cart, node].iter().map(|named| Firing::named(named).as_hint()).collect()
    }

    fn of(target: &str) -> (String, Vec<String>, usize) {
        shown(facts("shop", &target.parse().unwrap(), None, hints()))
    }

    fn shown(facts: Facts) -> (String, Vec<String>, usize) {
        let concerned = facts.hints.iter().filter(|hint| facts.concerns(hint)).count();
        (facts.kind, facts.pods.into_iter().map(|pod| pod.name).collect(), concerned)
    }

    #[test]
    fn a_target_is_found_by_the_names_in_the_series() {
        let cart = vec!["cart-1".to_owned()];
        assert_eq!(of("pod/cart-1"), ("Pod".into(), cart.clone(), 1));
        assert_eq!(of("deploy/cart"), ("Deployment".into(), cart.clone(), 1));
        assert_eq!(of("cart"), ("Pod".into(), cart, 1));
        assert_eq!(of("pod/db-0"), ("Pod".into(), vec!["db-0".into()], 1), "it is blamed");
        assert_eq!((of("node/b"), of("b")), (("Node".into(), vec![], 1), ("Node".into(), vec![], 1)));
        assert_eq!(of("pod/other").2, 0);
    }

    #[test]
    fn a_service_is_its_workloads() {
        let of = |workload: &str| {
            let selected = BTreeSet::from([workload.to_owned()]);
            shown(facts("shop", &"svc/cart-1".parse().unwrap(), Some(&selected), hints()))
        };
        assert_eq!(of("Deployment/cart"), ("Service".into(), vec!["cart-1".into()], 1));
        assert_eq!(of("Pod/cart-1"), of("Deployment/cart"));
        assert_eq!(of("Deployment/other"), ("Service".into(), vec![], 0), "its own name is not a Pod's");
    }
}
