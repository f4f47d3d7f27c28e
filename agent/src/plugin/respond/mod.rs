//! `respond`: answers Alertmanager's webhook with verdicts.
//!
//! ```text
//! desk ─► webhook ─► plan ─► queue ─► clerk ─► ask       202 at once; the rest in the background
//!           target: labels as objects  │
//!           seen: answered alerts      └► message ─► outlets ─► style, template    the URL
//!                                                └► alertmanager                    the alerts' annotations
//! ```
//! Everything in a request is foreign. Bodies, time, the queue, look-ups a minute and memory are bounded. A request
//! without room gets 503, with which Alertmanager sends it again; it never repeats one that got 429.

mod alertmanager;
mod ask;
mod clerk;
mod counts;
mod desk;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod message;
mod outlets;
mod plan;
mod rate;
mod secrets;
mod seen;
mod style;
mod target;
mod template;
mod webhook;

use super::{
    Failure,
    cli::{Format, Global, Respond},
    fetch::{Connection, Session},
    signals::{Stop, Stops},
};
use crate::{
    http::{Limits, bind, serve_routes},
    text::complain,
};
use clerk::{Clerk, work};
use counts::Counts;
use desk::Desk;
use plan::MOST_JOBS;
use rate::Rate;
use seen::Seen;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use target::Naming;
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle},
    time::timeout,
};

/// Most look-ups that wait.
const QUEUE: usize = 4 * MOST_JOBS;
/// Time for look-ups that wait or run, once a signal came.
const DRAIN: Duration = Duration::from_secs(20);

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// Flags or files that can't be used, or an address that can't be listened on.
pub(super) async fn serve(global: &Global, flags: &Respond, sessions: &[Session]) -> Result<(), Failure> {
    let [session] = sessions else {
        return Err(Failure::new("respond serves one cluster", "pass --context instead of several contexts"));
    };
    if global.output != Format::Table || global.watch {
        return Err(Failure::new("respond prints no report", "omit -o and -w; --format is the form of its messages"));
    }
    // Without a terminal's end: nohup(1) has it ignored.
    let stops = Stops::receive(&[Stop::Interrupt, Stop::Terminate]);
    let mut stops = stops.map_err(|error| Failure::new(format!("can't handle signals: {error}"), ""))?;
    let (queue, jobs) = mpsc::channel(QUEUE);
    let seen = Arc::new(Mutex::new(Seen::new(flags.again_after)));
    let counts = Arc::new(Counts::default());
    let clerk = Clerk {
        session: session.clone(),
        seen: Arc::clone(&seen),
        counts: Arc::clone(&counts),
        post: outlets::Post::new(flags)?,
        alertmanagers: outlets::alertmanagers(flags)?,
        only_causes: flags.only_causes,
    };
    if let Some(file) = &flags.token_file {
        secrets::read_now(file)?;
    } else if !flags.listen.ip().is_loopback() {
        complain("warning: without --token-file everybody who reaches the address can ask about every Pod");
    }
    let naming = match session.connection {
        Connection::Cluster(_) => Naming::Kubernetes,
        Connection::Direct(_) => Naming::Agent,
    };
    let desk = Desk {
        queue,
        seen,
        counts,
        token_file: flags.token_file.clone(),
        naming,
        readers: Desk::readers(),
        body_time: desk::BODY_TIME,
    };
    let listener = bind(flags.listen).map_err(|error| Failure::new(error.to_string(), ""))?;
    let place = listener.local_addr().unwrap_or(flags.listen);
    complain(&format!("takes Alertmanager's webhook at http://{place}/webhook"));

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async move { drop(stopped.await) };
    let mut server = tokio::spawn(serve_routes(Limits::WEBHOOK, listener, desk.routes(), stopped));
    let mut worker = tokio::spawn(work(Arc::new(clerk), jobs, Rate::new(flags.max_per_minute)));
    tokio::select! {
        _ = stops.next() => {}
        // Neither ends by itself.
        ended = &mut server => return Err(broken("the listener", ended.err())),
        ended = &mut worker => return Err(broken("the queue", ended.err())),
    }
    complain("stops: answers the alerts that wait");
    // The desk ends with the server, and the queue with the desk.
    drop(stop);
    drain(server, worker, &mut stops).await
}

/// Waits for the alerts that were taken.
///
/// # Errors
/// A second signal.
async fn drain<T>(server: JoinHandle<T>, mut worker: JoinHandle<()>, stops: &mut Stops) -> Result<(), Failure> {
    let drained = timeout(DRAIN, async {
        let _ = server.await;
        let _ = (&mut worker).await;
    });
    tokio::select! {
        drained = drained => if drained.is_err() {
            worker.abort();
            complain(&format!("warning: some alerts got no answer within {} s", DRAIN.as_secs()));
        },
        _ = stops.next() => return Err(Failure::new("a second signal came before all alerts were answered", "")),
    }
    Ok(())
}

fn broken(what: &str, why: Option<JoinError>) -> Failure {
    Failure::new(format!("{what} ended: {}", why.map_or_else(|| "no reason".to_owned(), |why| why.to_string())), "")
}
