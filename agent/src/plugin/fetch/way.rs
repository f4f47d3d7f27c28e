//! Ways to an agent: directly, by the API server's Pod proxy, or by port-forward.

use super::{
    super::Failure,
    answer::{self, Answer, Unread},
    errors,
    room::Account,
    tunnel::Tunnel,
};
use crate::kube::one_line;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Request, Response, StatusCode,
    body::{Body as HttpBody, Incoming},
    client::conn::http1::{self, SendRequest},
    header,
    http::response::Parts,
};
use hyper_util::rt::TokioIo;
use kube::{Client, client::Body};
use std::{error::Error, fmt::Display, io, sync::Arc};
use tokio::{sync::Mutex, task::JoinSet};

/// Read buffer of a connection by port-forward, bytes.
const READ_BUFFER: usize = 64 << 10;

/// A way to an agent.
#[derive(Clone)]
pub(super) enum Way {
    /// To this URL.
    Direct(Client, String),
    /// By the Pod proxy: client, and prefix of every path.
    Proxy(Client, String),
    /// By port-forward.
    Forward(Forward),
}

/// A port of a Pod's loopback, and the connection to it that is free.
#[derive(Clone)]
pub(super) struct Forward {
    client: Client,
    namespace: String,
    pod: String,
    port: u16,
    free: Arc<Mutex<Option<Connection>>>,
}

/// An HTTP connection, and the task that drives it.
struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    _driver: JoinSet<()>,
}

/// Head and body of a response. An error's body is its text.
pub(super) struct Reply {
    pub(super) head: Parts,
    pub(super) body: Result<Answer, String>,
}

/// No response.
#[derive(Debug)]
pub(super) enum Trouble {
    /// This way is closed: another one may work.
    Closed(Failure),
    /// Passes soon.
    Busy(Failure),
    /// Anything else.
    Failed(Failure),
}

impl From<Unread> for Trouble {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Bad(failure) => Self::Failed(failure),
            Unread::NoRoom(failure) => Self::Busy(failure),
        }
    }
}

impl Way {
    /// By the Pod proxy to this port.
    pub(super) fn proxy(client: Client, namespace: &str, pod: &str, port: u16) -> Self {
        Self::Proxy(client, format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy"))
    }

    /// By port-forward to this port.
    pub(super) fn forward(client: Client, namespace: &str, pod: &str, port: u16) -> Self {
        let (namespace, pod) = (namespace.to_owned(), pod.to_owned());
        Self::Forward(Forward { client, namespace, pod, port, free: Arc::default() })
    }

    /// True for requests that the API server passes on.
    pub(super) fn is_proxied(&self) -> bool {
        matches!(self, Self::Proxy(..))
    }

    /// GET `path`.
    pub(super) async fn get(&self, path: &str, account: &Arc<Account>) -> Result<Reply, Trouble> {
        match self {
            Self::Direct(client, url) => by_client(client, path, account).await.map_err(|error| match error {
                Ok(trouble) => trouble,
                Err(error) => {
                    let what = format!("no agent answers at {url}: {}", one_line(&error));
                    Trouble::Failed(Failure::new(what, "check that it runs and that the port is right"))
                }
            }),
            Self::Proxy(client, prefix) => {
                let reply = by_client(client, &format!("{prefix}{path}"), account).await;
                reply.map_err(|error| error.unwrap_or_else(|error| no_api_server(&error)))
            }
            Self::Forward(forward) => forward.get(path, account).await,
        }
    }
}

async fn by_client(client: &Client, path: &str, account: &Arc<Account>) -> Result<Reply, Result<Trouble, kube::Error>> {
    let request = Request::get(path).header(header::ACCEPT, "application/json").body(Body::empty());
    let request = request.map_err(|error| Ok(Trouble::Failed(Failure::new(error.to_string(), ""))))?;
    let response = client.send(request).await.map_err(Err)?;
    read(response, account).await.map_err(|unread| Ok(unread.into()))
}

async fn read<B>(response: Response<B>, account: &Arc<Account>) -> Result<Reply, Unread>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Display,
{
    let (head, body) = response.into_parts();
    let body = match head.status.is_success() {
        true => Ok(Answer::read(body, account).await?),
        false => Err(answer::error_text(body).await?),
    };
    Ok(Reply { head, body })
}

impl Forward {
    async fn get(&self, path: &str, account: &Arc<Account>) -> Result<Reply, Trouble> {
        // One request at a time. A connection that was not read to the end is dropped.
        let mut free = self.free.lock().await;
        let (mut connection, response) = match free.take() {
            Some(mut connection) => match connection.send(path).await {
                Ok(response) => (connection, response),
                // The agent may have closed it meanwhile.
                Err(_) => self.first(path).await?,
            },
            None => self.first(path).await?,
        };
        let reply = read(response, account).await?;
        if connection.sender.ready().await.is_ok() {
            *free = Some(connection);
        }
        Ok(reply)
    }

    /// The first response of a new connection.
    async fn first(&self, path: &str) -> Result<(Connection, Response<Incoming>), Trouble> {
        let mut connection = self.connect().await?;
        let response = connection.send(path).await.map_err(|error| self.broken(&error))?;
        Ok((connection, response))
    }

    async fn connect(&self) -> Result<Connection, Trouble> {
        let tunnel = Tunnel::open(&self.client, &self.namespace, &self.pod, self.port).await;
        let tunnel = tunnel.map_err(|error| refused(&error))?;
        let mut http = http1::Builder::new();
        http.max_buf_size(READ_BUFFER);
        let (sender, driver) = http.handshake(TokioIo::new(tunnel)).await.map_err(|error| self.broken(&error))?;
        let mut task = JoinSet::new();
        task.spawn(async move { drop(driver.await) });
        Ok(Connection { sender, _driver: task })
    }

    /// The kubelet does not reach the port, or the connection ended.
    fn broken(&self, error: &hyper::Error) -> Trouble {
        let mut source = error.source();
        let mut cause = None;
        while let Some(error) = source {
            cause = error.downcast_ref::<io::Error>().map(ToString::to_string).or(cause);
            source = error.source();
        }
        let cause = cause.unwrap_or_else(|| "the connection ended without an answer".to_owned());
        let what = format!("port {} of its Pod: {cause}", self.port);
        Trouble::Closed(Failure::new(what, "see the log of its Pod"))
    }
}

impl Connection {
    async fn send(&mut self, path: &str) -> Result<Response<Incoming>, hyper::Error> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(header::HOST, header::HeaderValue::from_static("localhost"));
        headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
        self.sender.send_request(request).await
    }
}

/// The API server does not forward the port.
fn refused(error: &kube::Error) -> Trouble {
    match error {
        kube::Error::Api(status) => match status.code {
            401 => Trouble::Failed(bad_credentials()),
            403 => {
                let remedy = "you need `get` and `create` on pods/portforward in the agents' namespace";
                Trouble::Closed(Failure::new(format!("forbidden: {}", status.message), remedy))
            }
            404 => Trouble::Failed(pod_gone()),
            429 => Trouble::Busy(overloaded()),
            code => {
                let what = format!("the API server can't forward its port ({code}): {}", status.message);
                Trouble::Closed(Failure::new(what, "see the log of its kubelet"))
            }
        },
        kube::Error::UpgradeConnection(error) => {
            let what = format!("the API server can't forward its port: {}", one_line(error));
            Trouble::Closed(Failure::new(
                what,
                "something in between knows no WebSocket: install the chart with api=proxy",
            ))
        }
        error => no_api_server(error),
    }
}

fn no_api_server(error: &kube::Error) -> Trouble {
    Trouble::Failed(errors::no_answer(error))
}

/// 401 of the API server.
pub(super) fn bad_credentials() -> Failure {
    Failure::new("the API server rejects the credentials", "log in again")
}

/// 404 of the API server.
pub(super) fn pod_gone() -> Failure {
    Failure::new("the agent's Pod is gone", "try again")
}

/// 429 of the API server.
pub(super) fn overloaded() -> Failure {
    Failure::new("the API server is overloaded (429)", "lower --concurrency or try again")
}

/// An error of an agent, of the API server in front of it, or of another server.
pub(super) fn refusal(way: &Way, status: StatusCode, message: &str, is_agent: bool) -> Trouble {
    let code = status.as_u16();
    let proxied = way.is_proxied();
    match status {
        StatusCode::TOO_MANY_REQUESTS => Trouble::Busy(overloaded()),
        StatusCode::MISDIRECTED_REQUEST if is_agent => {
            Trouble::Closed(Failure::new(format!("the agent answers {code}: {message}"), ""))
        }
        // It says itself why not, and what helps.
        StatusCode::GONE | StatusCode::SERVICE_UNAVAILABLE if is_agent => Trouble::Failed(Failure::new(message, "")),
        _ if is_agent => {
            let what = format!("the agent answers {code}: {message}");
            Trouble::Failed(Failure::new(what, "use the plugin of its version"))
        }
        StatusCode::UNAUTHORIZED if proxied => Trouble::Failed(bad_credentials()),
        StatusCode::FORBIDDEN if proxied => {
            let remedy = "you need `get` on pods/proxy in the agents' namespace";
            Trouble::Closed(Failure::new(format!("forbidden: {message}"), remedy))
        }
        StatusCode::NOT_FOUND if proxied => Trouble::Failed(pod_gone()),
        _ if proxied => {
            let remedy = "check its log; a NetworkPolicy must allow the API server";
            Trouble::Closed(Failure::new(format!("the API server can't reach it ({code}): {message}"), remedy))
        }
        _ => {
            let place = match way {
                Way::Direct(_, url) => url.clone(),
                Way::Forward(forward) => format!("port {} of its Pod", forward.port),
                Way::Proxy(..) => "the Pod proxy".to_owned(),
            };
            let what = format!("{place} answers {code}: {message}");
            Trouble::Failed(Failure::new(what, "check that this is netwhy's port"))
        }
    }
}
