//! `ui`: a page on loopback with all hints, the service map, the Nodes and the verdict of each Pod, live.
//!
//! ```text
//! server ─► routes ─► reports        who may ask; what is answered: the JSON of the commands
//!    │         └────► timeline       hints of the last hours
//!    └────► files                    the page: plain files in the program, no build step
//! ```
//! Nothing leaves the machine but the requests that all commands make, with the user's own rights.

mod browser;
mod files;
mod routes;
mod server;
mod timeline;
mod token;

use super::{
    Failure,
    cli::{Cli, Format, Ui},
    fetch::Session,
    signals::{Stop, Stops},
};
use crate::{
    http::{bind_local, serve_local},
    text::{self, Text, complain},
};
use futures::future::join_all;
use routes::Pages;
use server::{Door, Launch};
use std::{io, net::TcpListener};
use token::Token;

/// Serves the page until Ctrl-C.
///
/// # Errors
/// When the port is taken, or no context has an agent that answers.
pub(super) async fn run(cli: &Cli, flags: &Ui, sessions: &[Session]) -> Result<(), Failure> {
    if !matches!(cli.global.output, Format::Table | Format::Wide) {
        return Err(Failure::new("ui has no output formats", "use -o with `why`, `hints`, `nodes` or `matrix`"));
    }
    check(sessions).await?;
    let listener = listen(flags.port)?;
    let port = listener.local_addr().map_err(|error| refused(flags.port, &error))?.port();
    let (token, launch) = (Token::random()?, Token::random()?);
    let base = format!("http://127.0.0.1:{port}");
    let url = format!("{base}/{}/", token.as_str());
    let first = format!("{base}/{}/", launch.as_str());
    let door = Door::new(token, Launch::new(launch), routes::router(Pages::new(sessions)));
    let stop = stopped()?;
    let serving = serve_local(listener, server::router(door), stop);
    announce(&url)?;
    if !flags.no_browser {
        // Not the page's URL: other users can read the arguments of programs.
        browser::open(&first);
    }
    serving.await.map_err(|error| Failure::new(format!("the page's server: {error:#}"), ""))
}

/// Asks once, so that a wrong context is one line as with other commands.
async fn check(sessions: &[Session]) -> Result<(), Failure> {
    let asked = join_all(sessions.iter().map(|session| async move {
        session.ask_all::<crate::api::AgentStats>("/api/v1/info").await.map_err(|failure| (session.prefix(), failure))
    }));
    let mut first = None;
    for answer in asked.await {
        match answer {
            Ok(_) => return Ok(()),
            Err((prefix, failure)) => {
                first.get_or_insert(Failure::new(format!("{prefix}{}", failure.what), failure.remedy));
            }
        }
    }
    first.map_or(Ok(()), Err)
}

fn listen(port: u16) -> Result<TcpListener, Failure> {
    bind_local(port).map_err(|error| refused(port, &error))
}

fn refused(port: u16, error: &io::Error) -> Failure {
    Failure::new(format!("can't listen on 127.0.0.1:{port}: {error}"), "pass another --port, or 0 for any")
}

/// Resolves with Ctrl-C, or when the process is to end.
fn stopped() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let stops = Stops::receive(&Stop::ALL);
    let mut stops = stops.map_err(|error| Failure::new(format!("can't wait for signals: {error}"), ""))?;
    Ok(async move {
        stops.next().await;
    })
}

fn announce(url: &str) -> Result<(), Failure> {
    let mut line = Text::new(url);
    line.end_line();
    match text::print(&line) {
        // Nobody reads it; the browser may still be there.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Failure::new(format!("can't write to stdout: {error}"), ""));
        }
        _ => complain("only this URL opens the page; Ctrl-C ends it"),
    }
    Ok(())
}
