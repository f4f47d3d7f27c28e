//! Asks all agents what they see of culprits that one agent can't tell apart.

use super::{
    super::{Failure, model::settle::hosts},
    agent::Agent,
    fan_out::Answers,
    session::Session,
};
use crate::api::{Hint, PeerRow};
use std::net::IpAddr;

const ROWS: &str = "/api/v1/edges?by=peer_node";

/// Rows of all agents by peer Node. Hosts that hints may blame have rows of their own; `address` gives the address of
/// a Pod.
///
/// # Errors
/// As [`Session::ask_all`].
pub async fn witnesses<'n>(
    session: &Session,
    hints: &[Hint],
    address: impl Fn(&str) -> Option<&'n str>,
) -> Result<Answers<Vec<PeerRow>>, Failure> {
    let named: Vec<(String, IpAddr)> = hosts(hints)
        .into_iter()
        .filter_map(|name| {
            let parsed = name.parse().ok().or_else(|| address(&name)?.parse().ok())?;
            Some((name, parsed))
        })
        .collect();
    if named.is_empty() {
        return session.ask_all(ROWS).await;
    }
    let split: Vec<String> = named.iter().map(|(_, address)| address.to_string()).collect();
    let path = format!("{ROWS}&split={}", split.join(","));
    let mut answers = session.ask_each(move |agent| ask(agent, path.clone())).await?;
    // Other Nodes' agents know a Pod by its address only.
    for row in answers.got.iter_mut().flat_map(|(_, rows)| rows) {
        let about = row.peer.as_deref().and_then(|peer| peer.parse::<IpAddr>().ok());
        let known = about.and_then(|about| named.iter().find(|(_, address)| *address == about));
        if let Some((name, _)) = known.filter(|(name, _)| name.contains('/')) {
            row.peer_pod = Some(name.clone());
        }
    }
    Ok(answers)
}

/// An agent that doesn't know `split=` is asked for whole Nodes.
async fn ask(agent: Agent, path: String) -> Result<Vec<PeerRow>, Failure> {
    match agent.client.get(&path).await {
        Ok(rows) => Ok(rows),
        Err(_) => agent.client.get(ROWS).await,
    }
}
