//! Handshakes that get no answer on a part of the ports, as evidence from the data of one Node.

use super::{
    answers::share_nats,
    suspects::{Evidence, Suspects, Trouble, is_service},
};
use crate::hints::{
    context::{Context, Edge},
    memory::edge::EdgeMemory,
};
use netwhy_abi::Role;

/// `count`: attempts of an edge without an answer, and all.
///
/// Other clients' attempts count as much as they would show such a part. Those to a Service's address say nothing, as
/// several hosts are behind it.
pub(crate) fn suspects<'c, 'a>(context: &'c Context<'a>, count: impl Fn(&Edge<'a>) -> (f64, f64)) -> Suspects<'c, 'a> {
    let is_client = |edge: &&Edge<'a>| edge.view.role == Some(Role::Client) && edge.is_remote() && !is_service(edge);
    let rows = context.edges().iter().filter(is_client).filter_map(|edge| {
        let (unanswered, all) = count(edge);
        // One more of each than in the past.
        let (answered, others) = edge.memory.map_or((0.0, 0.0), EdgeMemory::attempts);
        let normal = (others + 1.0) / (answered + others + 2.0);
        (all > 0.0).then(|| Evidence::new(edge.ix, share_nats((unanswered, all), normal)))
    });
    Suspects::new(context, Trouble::Path, rows.collect())
}
