//! Where verdicts go: a URL, and the alerts' own Alertmanagers.

use super::{alertmanager::Alertmanager, message::Message, secrets, style::Writer};
use crate::plugin::{
    Failure,
    cli::{Respond, Style},
    connect::{Asked, Reply, Web},
};
use hyper::{Method, StatusCode};
use std::{path::PathBuf, time::Duration};
use tokio::time::sleep;

/// Time for one request.
const LIMIT: Duration = Duration::from_secs(10);
/// Pauses before further attempts.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// Longest pause that a server may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The URL that gets messages. It is read anew for each one, as Secrets are renewed.
#[derive(Clone, Debug)]
pub(super) struct Post {
    url_file: PathBuf,
    authorities: Option<PathBuf>,
    writer: Writer,
}

impl Post {
    /// From the flags. `None`: no URL.
    ///
    /// # Errors
    /// A file that can't be read, or has something else in it.
    pub(super) fn new(flags: &Respond) -> Result<Option<Self>, Failure> {
        let Some(url_file) = flags.post_url_file.clone() else { return Ok(None) };
        let writer = match (flags.format, &flags.template) {
            (Style::Text, None) => Writer::Text,
            (Style::Slack, None) => Writer::Slack,
            (Style::Json, None) => Writer::Json,
            (Style::Json, Some(file)) => Writer::Template(secrets::template(file)?),
            (_, Some(_)) => return Err(Failure::new("--template is for JSON", "add --format json")),
        };
        let this = Self { url_file, authorities: flags.ca_file.clone(), writer };
        this.server(&secrets::read_now(&this.url_file)?)?;
        Ok(Some(this))
    }

    fn server(&self, url: &str) -> Result<Web, Failure> {
        let web = Web::new(url, self.authorities.as_deref(), |name| std::env::var(name).ok());
        web.map_err(|failure| failure.at(self.url_file.display().to_string()))
    }

    /// Sends a message, with further attempts where they may help.
    ///
    /// # Errors
    /// The reason on one line, without the URL.
    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let url = secrets::read(&self.url_file).await.map_err(|failure| failure.to_string())?;
        let web = self.server(&url).map_err(|failure| failure.to_string())?;
        let written = self.writer.write(message);
        let mut pauses = PAUSES.into_iter();
        loop {
            let asked =
                Asked { method: Method::POST, path: web.path(), kind: written.kind, body: written.body.clone() };
            let (why, wanted) = match web.ask(asked, LIMIT).await {
                Ok(reply) if reply.status.is_success() => return Ok(()),
                Ok(reply) if !is_temporary(&reply) => return Err(reply.refusal(web.place())),
                Ok(reply) => (reply.refusal(web.place()), reply.retry_after),
                Err(why) => (why, None),
            };
            let Some(pause) = pauses.next() else { return Err(why) };
            sleep(wanted.unwrap_or(pause).min(MAX_PAUSE)).await;
        }
    }
}

fn is_temporary(reply: &Reply) -> bool {
    reply.status.is_server_error() || reply.status == StatusCode::TOO_MANY_REQUESTS
}

/// The Alertmanagers of the flags.
///
/// # Errors
/// A URL that is none.
pub(super) fn alertmanagers(flags: &Respond) -> Result<Vec<Alertmanager>, Failure> {
    let one = |url: &String| {
        let web = Web::new(url, flags.ca_file.as_deref(), |name| std::env::var(name).ok());
        web.map(Alertmanager::new).map_err(|failure| failure.at(format!("--alertmanager {url}")))
    };
    flags.alertmanagers.iter().map(one).collect()
}
