//! One poll of the agents for `top`.

use super::state::{Row, rows};
use crate::{
    api::{Hint, PodRow},
    plugin::{
        Failure,
        fetch::{Agent, Answers, Session},
    },
};
use futures::future::join_all;
use std::sync::Arc;

/// Rows, agents that answered, and agents that did not.
pub(super) type Poll = Result<(Vec<Row>, usize, usize), Failure>;

/// Polls all contexts.
pub(super) async fn poll_contexts(sessions: &[Session]) -> Poll {
    let answers = join_all(sessions.iter().map(|session| async move { (session, ask_agents(session).await) })).await;
    let (mut all, mut agents, mut silent) = (Vec::new(), 0, 0);
    let mut failure = None;
    for (session, answer) in answers {
        match answer {
            Ok(answers) => {
                agents += answers.got.len();
                silent += answers.silent.len();
                all.extend(answers.got.into_iter().flat_map(|(_, rows)| rows));
            }
            Err(error) => failure = Some(error.at(session.prefix().trim_end_matches(": "))),
        }
    }
    match failure {
        Some(failure) if agents == 0 => Err(Failure::new(failure.what.trim_start_matches(": "), failure.remedy)),
        _ => Ok((all, agents, silent)),
    }
}

/// The rows of every agent of one context. They replace its answers, which are larger.
pub(super) async fn ask_agents(session: &Session) -> Result<Answers<Vec<Row>>, Failure> {
    let filter = session.namespace.as_ref().map(|ns| format!("namespace={ns}")).unwrap_or_default();
    let shared = Arc::new((filter, session.context.clone()));
    session
        .ask_each(move |agent: Agent| {
            let shared = Arc::clone(&shared);
            async move {
                let (filter, context) = &*shared;
                let pods: Vec<PodRow> = agent.client.get(&format!("/api/v1/pods?{filter}")).await?;
                let hints: Vec<Hint> = agent.client.get(&format!("/api/v1/hints?state=firing&{filter}")).await?;
                let rows = rows(context.as_deref(), pods, &hints);
                agent.client.keep_only(rows.iter().map(Row::weight).sum());
                Ok(rows)
            }
        })
        .await
}
