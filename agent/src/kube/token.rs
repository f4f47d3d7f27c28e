//! A token whose file is renewed, as the kubelet does for service accounts.
//!
//! Requests take the token from memory. One task reads the file, on a thread for calls that block: a file that hangs
//! delays neither a request nor the stop, and the old token stays in use.

use ::kube::config::AuthInfo;
use hyper::{
    Request, Response, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use std::{
    fs::File,
    future::Future,
    io::{self, Read as _},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::{JoinError, spawn_blocking},
    time::{sleep, timeout},
};
use tower::{Layer, Service};

/// Largest allowed file, bytes. The token of a service account has about a thousand.
const MAX_BYTES: u64 = 64 << 10;
const PACE: Pace =
    Pace { interval: Duration::from_secs(60), after_refusal: Duration::from_secs(1), deadline: Duration::from_secs(5) };

/// Times of the renewal.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// From one reading to the next. The kubelet renews a token when a fifth of its time is left, 2 min at least.
    interval: Duration,
    /// The same after the API server refused the token.
    after_refusal: Duration,
    /// A reading that takes longer is logged.
    deadline: Duration,
}

/// The newest token, and its file.
pub(super) struct Token {
    file: PathBuf,
    header: RwLock<HeaderValue>,
    /// Notified when the API server refuses the token.
    refused: Notify,
}

impl Token {
    /// Reads the file.
    ///
    /// # Errors
    /// When it can't be read, or holds no token.
    pub(super) fn load(file: PathBuf) -> io::Result<Self> {
        let header = RwLock::new(read(&file)?);
        Ok(Self { file, header, refused: Notify::new() })
    }

    /// Its file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Whether this process can read the file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) fn check(&self) -> io::Result<()> {
        read(&self.file).map(drop)
    }

    fn header(&self) -> HeaderValue {
        self.header.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, header: HeaderValue) {
        *self.header.write().unwrap_or_else(PoisonError::into_inner) = header;
    }
}

/// Takes the token's file out of a configuration, so that kube's client does not read it. `None`: there is none, or
/// other credentials go before it.
pub(super) fn take_file(auth: &mut AuthInfo) -> Option<PathBuf> {
    let is_basic = auth.username.is_some() && auth.password.is_some();
    if auth.auth_provider.is_some() || is_basic || auth.token.is_some() {
        return None;
    }
    let file = auth.token_file.take()?;
    // The file goes before it.
    auth.exec = None;
    Some(file.into())
}

/// The header with the file's token.
fn read(file: &Path) -> io::Result<HeaderValue> {
    let wrong = |why: &'static str| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut text = String::new();
    File::open(file)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(wrong("it is larger than 64 KiB"));
    }
    let token = text.trim();
    if token.is_empty() {
        return Err(wrong("it is empty"));
    }
    let header = HeaderValue::try_from(format!("Bearer {token}"));
    let mut header = header.map_err(|_| wrong("it has characters that no token has"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Puts the token into requests. `None`: changes nothing.
pub(super) struct TokenLayer(pub(super) Option<Arc<Token>>);

impl<S> Layer<S> for TokenLayer {
    type Service = TokenService<S>;

    fn layer(&self, inner: S) -> TokenService<S> {
        TokenService { inner, token: self.0.clone() }
    }
}

/// A client whose requests have the token.
pub(super) struct TokenService<S> {
    inner: S,
    token: Option<Arc<Token>>,
}

impl<S, Q, B> Service<Request<Q>> for TokenService<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        let token = self.token.clone();
        if let Some(token) = &token {
            request.headers_mut().insert(AUTHORIZATION, token.header());
        }
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = response.await?;
            if let Some(token) = token.filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
                token.refused.notify_one();
            }
            Ok(response)
        })
    }
}

/// Reads a token's file again and again.
pub struct TokenRenewal {
    token: Arc<Token>,
    pace: Pace,
    /// The newest problem, which was logged. `None`: the last reading was quick and good.
    problem: Option<String>,
}

impl TokenRenewal {
    pub(super) fn new(token: Arc<Token>) -> Self {
        Self { token, pace: PACE, problem: None }
    }

    /// Follows the file until `stopped`: once a minute, and a second after the API server refused the token. A file
    /// that can't be read changes nothing.
    ///
    /// # Errors
    /// When the thread that reads panics.
    pub async fn run(mut self, stopped: impl Future<Output = ()>) -> anyhow::Result<()> {
        let renewals = async {
            loop {
                self.due().await;
                if let Err(error) = self.renew().await {
                    break error;
                }
            }
        };
        tokio::select! {
            () = stopped => Ok(()),
            error = renewals => Err(error.into()),
        }
    }

    async fn due(&self) {
        let Pace { interval, after_refusal, .. } = self.pace;
        sleep(after_refusal).await;
        // Either way it is time.
        let _ = timeout(interval.saturating_sub(after_refusal), self.token.refused.notified()).await;
    }

    /// Reads the file once.
    async fn renew(&mut self) -> Result<(), JoinError> {
        let token = Arc::clone(&self.token);
        let mut reading = spawn_blocking(move || read(&token.file));
        let (read, is_late) = match timeout(self.pace.deadline, &mut reading).await {
            Ok(read) => (read?, false),
            Err(_) => {
                self.failed(format!("it can't be read within {} s", self.pace.deadline.as_secs()));
                // Another reading would hang too, on a thread of its own.
                (reading.await?, true)
            }
        };
        // A file that comes late each time is logged once, whatever comes.
        match read {
            Ok(header) => {
                self.token.set(header);
                if !is_late {
                    self.problem = None;
                }
            }
            Err(error) if !is_late => self.failed(error.to_string()),
            Err(_) => {}
        }
        Ok(())
    }

    /// Logs a problem once.
    fn failed(&mut self, why: String) {
        if self.problem.as_ref() != Some(&why) {
            tracing::warn!("the token for the API server is unchanged: {}: {why}", self.token.file.display());
            self.problem = Some(why);
        }
    }
}

#[cfg(test)]
mod tests;
