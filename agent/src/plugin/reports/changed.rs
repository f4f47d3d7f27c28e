//! What changed: `changed`, and the section CHANGED BEFORE of `why`.

use super::now_ms;
use crate::plugin::{
    Failure,
    fetch::{self, Session},
    model::{
        SilentAgent, Target,
        changed::{BEFORE_MS, Changes, Window},
        why::Explanation,
    },
};
use jiff::Timestamp;

/// `changed TARGET`: in the time of `--since`, else in the last 15 minutes; with a moment, before that.
///
/// # Errors
/// When the target is unknown, or there is no API server.
pub(in crate::plugin) async fn changed(session: &Session, target: &Target) -> Result<Changes, Failure> {
    let now_ms = now_ms();
    let until_ms = session.at.map_or(now_ms, Timestamp::as_millisecond);
    let since = session.global.since.map(|since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let window = Window::before(until_ms, since.unwrap_or(BEFORE_MS));
    // Objects and agents are as they are now: their times tell.
    let now = Session { at: None, ..session.clone() };
    fetch::changed(&now, target, window, now_ms).await
}

/// Adds what changed before the trouble began, if there is a cause. Whatever can't be read makes the answer partial.
pub(super) async fn add_to_why(session: &Session, case: &mut Explanation) {
    let Some(inquiry) = &case.inquiry else { return };
    let Some(report) = fetch::changed_before(session, inquiry, now_ms()).await else { return };
    // The same agent may have failed with another reason before.
    let is_new = |silent: &&SilentAgent| !case.not_answered.iter().any(|known| known.agent == silent.agent);
    let new: Vec<SilentAgent> = report.not_answered.iter().filter(is_new).cloned().collect();
    case.not_answered.extend(new);
    case.changed = Some(report);
}
