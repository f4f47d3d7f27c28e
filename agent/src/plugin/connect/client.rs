//! The client of one API server: credentials, headers, and connections.

use super::{
    super::Failure,
    choice::Choice,
    credentials::Credentials,
    dial::Dialer,
    exec, proxy,
    tls::{self, Identity},
};
use crate::kube::one_line;
use hyper::{Request, Uri};
use hyper_util::{client::legacy, rt::TokioExecutor};
use kube::{
    Client, Config,
    client::{Body, ConfigExt as _, retry::RetryPolicy},
    config::ExecAuthCluster,
};
use std::{sync::Arc, time::Duration};
use tokio_rustls::rustls::pki_types::ServerName;
use tower::{BoxError, ServiceBuilder, retry::RetryLayer, service_fn};

/// A connection attempt fails after this long, whatever the request's own limit.
const CONNECT: Duration = Duration::from_secs(10);

/// Makes the client. It runs the user's credential plugin, and sends no request yet. `terminal`: the plugin may ask.
///
/// # Errors
/// A setting that can't be used, or a plugin that issues no credentials.
pub(in super::super) async fn client(
    choice: Choice,
    env: impl Fn(&str) -> Option<String>,
    terminal: bool,
) -> Result<Client, Failure> {
    let Choice { user_name, cluster, mut user, namespace } = choice;
    let server = server(cluster.server.as_deref().unwrap_or_default())?;
    if user.auth_provider.as_ref().is_some_and(|provider| provider.name == "gcp") {
        let what = format!("user {user_name}: kubectl 1.26 removed the auth-provider gcp");
        return Err(Failure::new(what, "use the credential plugin gke-gcloud-auth-plugin"));
    }
    let exec = user.exec.take();
    let mut identity = Identity::of_user(&user, &user_name)?;
    let mut credentials = None;
    // A token of the kubeconfig beats the plugin, which does not even run then.
    if let Some(exec) = exec.filter(|_| user.token.is_none() && user.token_file.is_none() && user.username.is_none()) {
        let about = match exec.provide_cluster_info {
            true => Some(ExecAuthCluster::try_from(&cluster).map_err(|error| bad(&error))?),
            false => None,
        };
        let issued = exec::run(&exec, about.as_ref(), &user_name, terminal).await?;
        if let (Some(chain), Some(key)) = (&issued.client_certificate_data, &issued.client_key_data) {
            identity = Some(Identity::issued(chain, key, &user_name)?);
        }
        credentials = Some(Arc::new(Credentials::new(exec, about, user_name, issued)));
    }
    let dialer = Dialer {
        proxy: proxy::choose(cluster.proxy_url.as_deref(), &server, env)?,
        tls: Arc::new(tls::settings(&cluster, &server, identity)?),
        server_name: server_name(cluster.tls_server_name.as_deref())?,
        limit: CONNECT,
    };
    let mut config = Config::new(server);
    config.auth_info = user;
    let connector = service_fn(move |server: Uri| Box::pin(dialer.clone().dial(server)));
    let http: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new()).build(connector);
    let service = service_fn(move |request: Request<Body>| {
        let (http, credentials) = (http.clone(), credentials.clone());
        async move {
            let request = match &credentials {
                Some(credentials) => credentials.authorize(request).await?,
                None => request,
            };
            http.request(request).await.map_err(BoxError::from)
        }
    });
    let stack = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(RetryLayer::new(RetryPolicy::server_retry()))
        .option_layer(config.auth_layer().map_err(|error| bad(&error))?)
        .layer(config.extra_headers_layer().map_err(|error| bad(&error))?)
        .service(service);
    Ok(Client::new(stack, namespace))
}

fn server(url: &str) -> Result<Uri, Failure> {
    let wrong =
        |why: &str| Failure::new(format!("server {url:?} of the cluster: {why}"), "write it as https://HOST:PORT");
    let uri: Uri = url.parse().map_err(|error| wrong(&format!("not a URL: {error}")))?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_http && uri.host().is_some_and(|host| !host.is_empty()) { Ok(uri) } else { Err(wrong("not an HTTP URL")) }
}

fn server_name(name: Option<&str>) -> Result<Option<ServerName<'static>>, Failure> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(None) };
    let read = ServerName::try_from(name.to_owned());
    read.map(Some).map_err(|error| Failure::new(format!("tls-server-name {name:?}: {error}"), "write a host's name"))
}

fn bad(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(one_line(error), "check it with `kubectl config view`")
}
