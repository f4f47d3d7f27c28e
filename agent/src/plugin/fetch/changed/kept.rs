//! The newest answer about changes. Who looks every two seconds (`-w`, `ui`) asks the API server twice a minute.

use crate::plugin::model::changed::{Changes, Inquiry};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long an answer is used again.
const AGE: Duration = Duration::from_secs(30);

/// The answer, shared by all copies of a session.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<Option<(Inquiry, Instant, Changes)>>>);

impl Kept {
    /// The answer to the same inquiry, if it is not old.
    pub(super) fn get(&self, inquiry: &Inquiry, now: Instant) -> Option<Changes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, at, answer) = kept.as_ref()?;
        (asked == inquiry && now.saturating_duration_since(*at) < AGE).then(|| answer.clone())
    }

    /// Keeps an answer instead of the last one.
    pub(super) fn put(&self, inquiry: &Inquiry, now: Instant, answer: &Changes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((inquiry.clone(), now, answer.clone()));
    }
}

#[cfg(test)]
mod tests;
