//! `incidents`: firings of the past, from the flight recorders and from a Prometheus.

use super::past::{self, Recorded};
use crate::plugin::{
    Failure,
    fetch::{self, Fired, Session},
    model::{
        SilentAgent,
        health::Fact,
        incidents::{Firing, Incidents},
    },
};
use jiff::Timestamp;

/// Hints that fired between two times, as incidents.
///
/// # Errors
/// When neither an agent nor a Prometheus answers.
pub(super) async fn ask(session: &Session, (from, to): (Timestamp, Timestamp)) -> Result<Incidents, Failure> {
    let (recorded, fired) = tokio::join!(past::recorded(session, (from, to)), fired(session, (from, to)));
    let (name, fired) = match fired {
        Ok(Some((name, fired))) => (Some(name), fired),
        Ok(None) => (None, Fired::default()),
        Err(failure) => {
            let unknown = vec![Fact::new("series of hints", failure.to_string())];
            (None, Fired { unknown, ..Fired::default() })
        }
    };
    let recorded = match (recorded, &name) {
        (Ok(recorded), _) => recorded,
        (Err(failure), None) => return Err(failure),
        (Err(failure), Some(_)) => {
            Recorded { silent: vec![SilentAgent::new("every Node", "all", &failure)], ..Recorded::default() }
        }
    };
    let mut firings = fired.firings;
    firings.extend(recorded.hints.iter().filter_map(|hint| {
        let until = recorded.until.get(&hint.subject.node).map_or(to, |until| to.min(*until));
        Firing::of_hint(hint, (from.as_millisecond(), until.as_millisecond()))
    }));
    let mut out = Incidents::group(firings, (from, to));
    out.unknown.extend(fired.unknown);
    if name.is_none() {
        out.missing = recorded.missing;
        if !out.missing.is_empty() && out.unknown.is_empty() {
            let why = "no Prometheus of a usual name; pass --prometheus URL";
            out.unknown.push(Fact::new("times that are not recorded", why));
        }
    }
    Ok(Incidents { agents: recorded.agents, not_answered: recorded.silent, prometheus: name, ..out })
}

/// The same of a Prometheus, with its name. `None`: none is known.
async fn fired(session: &Session, range: (Timestamp, Timestamp)) -> Result<Option<(String, Fired)>, Failure> {
    let Some(prometheus) = fetch::prometheus(session).await? else { return Ok(None) };
    let fired = prometheus.fired(session.namespace.as_deref(), range).await?;
    Ok(Some((prometheus.name().to_owned(), fired)))
}
