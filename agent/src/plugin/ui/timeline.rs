//! Hints of the last hours: from the flight recorders where there are some, else as far as agents remember.

use super::super::{
    Failure,
    commands::past,
    fetch::Session,
    model::{
        SilentAgent,
        hints::{Hints, MissingTime},
    },
    reports,
};
use crate::api::{Hint, HintState};
use jiff::Timestamp;
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Agents remember hints for so long.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Most hints that are sent to the page, the newest.
const MAX_HINTS: usize = 2000;
/// Most times that are not recorded.
const MAX_MISSING: usize = 200;

/// Hints between two times.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    /// Begin, RFC 3339.
    from: String,
    /// End, RFC 3339.
    to: String,
    /// The newest first.
    items: Vec<Hint>,
    /// Hints beyond the longest list.
    left_off: usize,
    /// Times of which nothing is recorded.
    missing: Vec<MissingTime>,
    /// Why only the last hour is known. `null`: all of it is.
    unrecorded: Option<String>,
    /// Agents that did not answer.
    not_answered: Vec<SilentAgent>,
}

/// Asks for the hints of the hours before `now`.
///
/// # Errors
/// When no agent answers.
pub(super) async fn timeline(session: &Session, hours: u8, now: Timestamp) -> Result<Timeline, Failure> {
    let from = now - Duration::from_secs(3600 * u64::from(hours));
    let mut global = (*session.global).clone();
    global.since = Some(REMEMBERED);
    let remembering = Session { global: Arc::new(global), ..session.clone() };
    let (remembered, recorded) = tokio::join!(reports::hints(&remembering), past::hints(session, (from, now)));
    Ok(merge((from, now), remembered?, recorded))
}

/// What agents remember is newer than what they recorded.
fn merge((from, to): (Timestamp, Timestamp), remembered: Hints, recorded: Result<Hints, Failure>) -> Timeline {
    let key = |hint: &Hint| (hint.id.clone(), hint.subject.name.clone(), hint.first_seen.clone());
    let (recorded, unrecorded) = match recorded {
        Ok(hints) => (hints, None),
        Err(failure) => (Hints::default(), Some(failure.what)),
    };
    let newer: BTreeSet<_> = remembered.items.iter().map(key).collect();
    let newest = recorded.items.into_iter().filter(|hint| !newer.contains(&key(hint)));
    let mut items: Vec<Hint> = remembered.items.into_iter().chain(newest).collect();
    let begin = from.to_string();
    // Timestamps of one form.
    items.retain(|hint| hint.state == HintState::Firing || hint.last_seen >= begin);
    items.sort_by(|a, b| (&b.last_seen, &a.id).cmp(&(&a.last_seen, &b.id)));
    items.dedup_by(|a, b| key(a) == key(b));
    let left_off = items.len().saturating_sub(MAX_HINTS);
    items.truncate(MAX_HINTS);
    let mut missing = recorded.missing;
    missing.truncate(MAX_MISSING);
    let mut not_answered = remembered.not_answered;
    not_answered.extend(recorded.not_answered);
    not_answered.dedup();
    Timeline { from: begin, to: to.to_string(), items, left_off, missing, unrecorded, not_answered }
}

#[cfg(test)]
mod tests;
