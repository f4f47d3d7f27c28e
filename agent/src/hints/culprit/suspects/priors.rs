//! How often components make trouble. Fitted on generated cases alone.

use super::{Component, Trouble};
use crate::{
    api::BlameKind,
    hints::context::{EdgeIx, SubjectIx},
};

/// How often a component makes a trouble, relative to a Node and a path. The only table of priors. `is_whole`: the
/// address stands for all that is behind it.
pub(super) const fn usually(trouble: Trouble, component: Component, is_whole: bool) -> f64 {
    match (trouble, component) {
        (Trouble::Path, Component::ThisNode | Component::Inside | Component::PeerNode(_) | Component::Pair(_)) => 1.0,
        (Trouble::Path, Component::Zones(_)) => 0.5,
        (Trouble::Path, Component::Host(_)) if is_whole => 1.0,
        (Trouble::Path, _) => 0.2,
        (Trouble::Silence, Component::Endpoint(_)) => 3.0,
        // A filter of its port. A listener that is gone or full leaves open connections alone.
        (Trouble::Stalled, Component::Endpoint(_)) => 1.5,
        (Trouble::Silence | Trouble::Stalled, Component::Host(_) | Component::PeerNode(_)) => 1.0,
        (Trouble::Silence | Trouble::Stalled, Component::ThisNode | Component::Inside | Component::Zones(_)) => 0.5,
        (Trouble::Silence | Trouble::Stalled, Component::Pair(_) | Component::Subject(_)) => 0.3,
        (Trouble::Silence | Trouble::Stalled, _) => 0.2,
        (Trouble::Answers, Component::Endpoint(_) | Component::Host(_)) => 1.5,
        (Trouble::Answers, Component::Outside) => 1.0,
        (Trouble::Answers, Component::Port(_) | Component::Dependency) => 0.5,
        (Trouble::Answers, Component::Zones(_)) => 0.3,
        (Trouble::Answers, component) if component.is_path() => 1.0,
        (Trouble::Answers, _) => 0.15,
        (Trouble::Lookups, Component::Endpoint(_) | Component::Host(_)) => 2.0,
        (Trouble::Lookups, Component::Outside) => 0.5,
        (Trouble::Lookups, Component::ThisNode | Component::Inside | Component::PeerNode(_)) => 0.5,
        (Trouble::Lookups, Component::Pair(_)) => 0.3,
        // Every server has the same port.
        (Trouble::Lookups, Component::Port(_)) => 0.0,
        (Trouble::Lookups, _) => 0.15,
        (Trouble::Serving, Component::Subject(_)) => 2.0,
        (Trouble::Serving, Component::Dependency) => 0.3,
        (Trouble::Serving, Component::ThisMachine) => 0.15,
        (Trouble::Serving, _) => 0.03,
    }
}

/// Share of the trouble behind a Service's address that lies with its Pods, which alone have its name. The rest lies with
/// their Nodes and the ways there, which an agent that does not know the Pods can't name.
pub(super) fn of_pods_behind(trouble: Trouble) -> f64 {
    let first = EdgeIx::new(0);
    let of = |component| usually(trouble, component, false);
    match trouble {
        Trouble::Path => {
            let pods = of(Component::Host(first));
            pods / (pods + of(Component::PeerNode(first)) + of(Component::Pair(first)))
        }
        // Programs make these: the Pods behind an address run the same one.
        Trouble::Silence | Trouble::Stalled | Trouble::Answers | Trouble::Serving | Trouble::Lookups => 1.0,
    }
}

/// The same of a kind of culprit, as a hint names it. `None`: of no component.
pub(crate) fn kind_prior(trouble: Trouble, kind: BlameKind) -> Option<f64> {
    let first = EdgeIx::new(0);
    let of = |component| usually(trouble, component, matches!(kind, BlameKind::External | BlameKind::Service));
    Some(match kind {
        BlameKind::Node => of(Component::ThisNode),
        BlameKind::PeerNode => of(Component::PeerNode(first)),
        BlameKind::NodePair | BlameKind::PathShare => of(Component::Pair(first)),
        BlameKind::ZonePair => of(Component::Zones(first)),
        BlameKind::Pod => of(Component::Subject(SubjectIx::new(0))),
        BlameKind::PeerPod | BlameKind::Service | BlameKind::Clients | BlameKind::External => {
            // A host and its program have one name.
            let program = if trouble == Trouble::Path { 0.0 } else { of(Component::Endpoint(first)) };
            let share = if kind == BlameKind::Service { of_pods_behind(trouble) } else { 1.0 };
            (of(Component::Host(first)) + program) * share
        }
        BlameKind::Undecided | BlameKind::None => return None,
    })
}
