//! Round trips that never leave this Node.

use super::Context;
use crate::hints::memory::path::Path;
use std::collections::BTreeSet;

/// Pods, and addresses that they talk to, from which these round trips say something of the machine: one of either may be
/// slow for itself.
const INDEPENDENT: usize = 2;

/// They are longer than usual for most of the Pods here, and no program explains it: the machine is slow, not a path.
pub(crate) fn are_longer(context: &Context<'_>) -> bool {
    let (mut rose, mut usual, mut peers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for edge in context.edges().iter().filter(|edge| !edge.is_remote()) {
        match edge.path {
            Some(Path::Longer(rise)) if rise.is_proven() => {
                rose.insert(&edge.view.subject);
                peers.insert((edge.view.peer, edge.view.netns));
            }
            Some(Path::Usual) => {
                usual.insert(&edge.view.subject);
            }
            _ => {}
        }
    }
    rose.len() > usual.len() && rose.len() >= INDEPENDENT && peers.len() >= INDEPENDENT
}
