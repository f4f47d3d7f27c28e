//! Asks the API server and agents for changes near a target and a culprit, with the caller's rights.
//!
//! ```text
//! pods ─► rollouts ─► template     which workloads, what a revision changed
//!      └► configuration            ConfigMaps and Secrets that the Pods name: metadata alone
//!      └► certificates             those of cert-manager
//! nodes, events, agents            the Nodes, what happened to them, when their agents started
//! ```
//! Each source that can't be read is said once, and the others are shown. Requests name their object or select few; lists
//! end after [`MAX_PAGES`] pages, and each source after twice the timeout of a request.

mod agents;
mod certificates;
mod configuration;
mod events;
mod kept;
mod nodes;
mod pods;
mod rollouts;
mod template;
mod written;

pub use kept::Kept;

use super::{
    super::{
        Failure,
        model::{
            Kind, Target,
            changed::{BEFORE_MS, Changes, Focus, Found, Inquiry, Near, Window, changes},
            health::Fact,
        },
    },
    objects,
    session::{Connection, Session},
};
use futures::{StreamExt as _, stream};
use kube::{Api, Client, api::ListParams};
use serde::de::DeserializeOwned;
use std::{fmt::Debug, future::Future, time::Instant};

/// Objects per page of a list.
const PAGE_SIZE: u32 = 500;
/// Most pages of one list.
const MAX_PAGES: usize = 4;
/// Most requests at the same time.
const MOST_AT_ONCE: usize = 8;

/// Whom to ask, and about which time.
#[derive(Clone, Copy)]
struct Asked<'a> {
    session: &'a Session,
    client: &'a Client,
    window: Window,
    /// The time of day, ms since the Unix epoch.
    now_ms: i64,
}

/// The report of `changed`: changes in the window near a target.
///
/// # Errors
/// When the target is unknown, or there is no API server. Other objects that can't be read make the report partial.
pub async fn changed(session: &Session, target: &Target, window: Window, now_ms: i64) -> Result<Changes, Failure> {
    let Connection::Cluster(client) = &session.connection else {
        return Err(Failure::new("a single agent does not know what changed in the cluster", "omit --agent"));
    };
    let namespace = session.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let found = objects::resolve(session, client, &namespace, target).await?;
    let namespace = if found.kind == Kind::Node { "" } else { namespace.as_str() };
    let mut focus = Focus::new(found.kind.label(), namespace, &found.name);
    for (node, pod) in found.pods.iter().filter_map(objects::pod_with_node) {
        focus.add_target(&pod.namespace, &pod.name, &node);
        focus.add_workload(&pod.namespace, &pod.workload, Near::Target);
    }
    let asked = Asked { session, client, window, now_ms };
    Ok(look(asked, focus).await)
}

/// The changes before the onset of a verdict, at most half a minute old. `None`: there is no API server.
pub async fn changed_before(session: &Session, inquiry: &Inquiry, now_ms: i64) -> Option<Changes> {
    let Connection::Cluster(client) = &session.connection else { return None };
    if let Some(kept) = session.changes.get(inquiry, Instant::now()) {
        return Some(kept);
    }
    let window = Window::before(inquiry.onset_ms, BEFORE_MS);
    // Objects are as they are now, also after `--at`: their times tell.
    let now = Session { at: None, ..session.clone() };
    let asked = Asked { session: &now, client, window, now_ms };
    let answer = look(asked, inquiry.focus.clone()).await;
    session.changes.put(inquiry, Instant::now(), &answer);
    Some(answer)
}

async fn look(asked: Asked<'_>, mut focus: Focus) -> Changes {
    let window = asked.window;
    let mut found = Found::default();
    // First, because Pods name their workloads, Nodes and configuration.
    let pods = asked.in_time("Pods", pods::read(asked, &focus)).await.unwrap_or_else(|unknown| {
        found.unknown.push(unknown);
        pods::Read::default()
    });
    pods.complete(&mut focus);
    let focus = &focus;
    found.add(pods.changes(window, &focus.pods));
    let (rollouts, configuration, certificates, nodes, events, agents) = tokio::join!(
        asked.found("workloads", rollouts::read(asked, &focus.workloads)),
        asked.found("configuration", configuration::read(asked, &pods, &focus.pods)),
        asked.found("Certificates", certificates::read(asked, &pods, &focus.pods)),
        asked.found("Nodes", nodes::read(asked, &focus.nodes)),
        asked.found("Events", events::read(asked, focus)),
        asked.found("agents", agents::read(asked, &focus.nodes)),
    );
    for part in [rollouts, configuration, certificates, nodes, events, agents] {
        found.add(part);
    }
    changes(focus, window, found)
}

impl Asked<'_> {
    /// A source that ends in time.
    async fn in_time<T>(&self, what: &str, source: impl Future<Output = T>) -> Result<T, Fact> {
        let limit = self.session.global.request_timeout.saturating_mul(2);
        tokio::time::timeout(limit, source)
            .await
            .map_err(|_| Fact::new(what, format!("not read within {} s; raise --request-timeout", limit.as_secs_f64())))
    }

    async fn found(&self, what: &str, source: impl Future<Output = Found>) -> Found {
        self.in_time(what, source).await.unwrap_or_else(|unknown| Found { unknown: vec![unknown], ..Found::default() })
    }

    /// A list of few pages. `what` names it in the reason, if it can't be read or is longer.
    async fn list<K>(&self, what: &str, api: &Api<K>, mut params: ListParams) -> (Vec<K>, Vec<Fact>)
    where
        K: Clone + DeserializeOwned + Debug,
    {
        params = params.limit(PAGE_SIZE);
        let mut out = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = objects::request_optional(self.session, &format!("list {what}"), api.list(&params)).await;
            let page = match page {
                Ok(Some(page)) => page,
                // The API server has no such kind.
                Ok(None) => return (out, Vec::new()),
                Err(failure) => return (out, vec![Fact::new(what, failure.to_string())]),
            };
            out.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return (out, Vec::new()),
            }
        }
        let text = format!("only the first {} were read", out.len());
        (out, vec![Fact::new(what, text)])
    }
}

/// Runs requests, a few at the same time, and adds up what they found.
async fn each<I, F, Fut>(items: I, ask: F) -> Found
where
    I: IntoIterator,
    F: Fn(I::Item) -> Fut,
    Fut: Future<Output = Found>,
{
    let mut all = stream::iter(items).map(ask).buffered(MOST_AT_ONCE);
    let mut found = Found::default();
    while let Some(part) = all.next().await {
        found.add(part);
    }
    found
}
