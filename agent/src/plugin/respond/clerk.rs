//! Works on the queue: asks why, and hands the verdict on.

use super::{
    alertmanager::Alertmanager,
    ask::ask,
    counts::{Count, Counts},
    message::{Message, cut},
    outlets::Post,
    plan::{Asking, Job},
    rate::Rate,
    seen::Seen,
};
use crate::{plugin::fetch::Session, text::complain};
use futures::future::join_all;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::sleep,
};

/// Most look-ups at once.
const PARALLEL: usize = 4;
/// Longest annotation, characters.
const MAX_ANNOTATION: usize = 800;

/// Everything that a look-up needs.
pub(super) struct Clerk {
    pub(super) session: Session,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) counts: Arc<Counts>,
    pub(super) post: Option<Post>,
    pub(super) alertmanagers: Vec<Alertmanager>,
    pub(super) only_causes: bool,
}

/// Works until the queue is closed and empty.
pub(super) async fn work(clerk: Arc<Clerk>, mut queue: mpsc::Receiver<Job>, mut rate: Rate) {
    let places = Arc::new(Semaphore::new(PARALLEL));
    let mut running = JoinSet::new();
    while let Some(job) = queue.recv().await {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while let Some(pause) = rate.begin(Instant::now()) {
            sleep(pause).await;
        }
        while running.try_join_next().is_some() {}
        let clerk = Arc::clone(&clerk);
        running.spawn(async move {
            clerk.answer(job).await;
            drop(place);
        });
    }
    while running.join_next().await.is_some() {}
}

impl Clerk {
    async fn answer(&self, job: Job) {
        let (about, result) = ask(&self.session, &job.candidates).await;
        let titles: Vec<String> = job.alerts.iter().map(|alert| alert.title.clone()).collect();
        let message = match &result {
            Ok(case) => Message::of_verdict(&titles, &about, case),
            Err(failure) => Message::of_failure(&titles, &about, failure),
        };
        self.counts.add(match (&result, message.has_cause()) {
            (Ok(_), true) => Count::AnswerCause,
            (Ok(_), false) => Count::AnswerNoCause,
            (Err(_), _) => Count::AnswerNone,
        });
        complain(&format!("{}: {}", message.title(), message.line()));
        if self.only_causes && !message.has_cause() {
            return;
        }
        let (posted, annotated) = tokio::join!(self.send(&message), self.annotate(&message, &job.alerts));
        // Without a verdict that somebody took, Alertmanager's next request is answered again.
        if !posted && !annotated {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            job.alerts.iter().for_each(|alert| seen.forget(&alert.key));
        }
    }

    /// Sends it to the URL. False: there is none, or it did not take the message.
    async fn send(&self, message: &Message) -> bool {
        let Some(post) = &self.post else { return false };
        match post.send(message).await {
            Ok(()) => {
                self.counts.add(Count::PostDone);
                true
            }
            Err(why) => {
                self.counts.add(Count::PostFailed);
                complain(&format!("warning: the verdict about {} was not posted: {why}", message.target));
                false
            }
        }
    }

    /// Annotates the alerts. True if an Alertmanager took one.
    async fn annotate(&self, message: &Message, alerts: &[Asking]) -> bool {
        let text = cut(&message.line(), MAX_ANNOTATION);
        let each = self.alertmanagers.iter().map(|one| self.annotate_at(one, &text, alerts));
        join_all(each).await.contains(&true)
    }

    async fn annotate_at(&self, alertmanager: &Alertmanager, text: &str, alerts: &[Asking]) -> bool {
        let mut taken = false;
        for alert in alerts {
            match alertmanager.annotate(&alert.labels, text).await {
                Ok(fires) => {
                    taken |= fires;
                    self.counts.add(if fires { Count::AnnotationDone } else { Count::AnnotationOver });
                }
                Err(why) => {
                    self.counts.add(Count::AnnotationFailed);
                    complain(&format!("warning: {} was not annotated: {why}", alert.title));
                    // The others would fail too, each after its own time.
                    return taken;
                }
            }
        }
        taken
    }
}
