//! Cluster, user and namespace of a context, with the flags applied as kubectl applies them.

use super::super::{Failure, cli::Kubectl};
use kube::{
    Config,
    config::{AuthInfo, Cluster, Context, Kubeconfig},
};
use std::path::Path;

/// How to reach one API server, and as whom.
#[derive(Clone, Debug)]
pub(in super::super) struct Choice {
    /// Name of the user in messages.
    pub(super) user_name: String,
    pub(super) cluster: Cluster,
    pub(super) user: AuthInfo,
    /// Namespace of the context.
    pub(in super::super) namespace: String,
}

/// Chooses from a kubeconfig. `context`: its name, else the current one.
///
/// # Errors
/// A name that the kubeconfig does not have, or no server.
pub(in super::super) fn choose(file: &Kubeconfig, context: Option<&str>, flags: &Kubectl) -> Result<Choice, Failure> {
    let names = file.contexts.iter().map(|known| known.name.as_str());
    let chosen = match context.or(file.current_context.as_deref()).filter(|name| !name.is_empty()) {
        Some(name) => {
            let found = file.contexts.iter().find(|known| known.name == name);
            found.ok_or_else(|| unknown("context", name, names))?.context.clone().unwrap_or_default()
        }
        None if flags.server.is_some() || flags.cluster.is_some() => Context::default(),
        None => {
            let what = "the kubeconfig has no current context";
            return Err(Failure::new(what, format!("pass --context; {}", list("contexts", names))));
        }
    };
    let cluster_name = flags.cluster.as_deref().unwrap_or(&chosen.cluster);
    let cluster = match file.clusters.iter().find(|known| known.name == cluster_name) {
        Some(known) => known.cluster.clone().unwrap_or_default(),
        None if cluster_name.is_empty() => Cluster::default(),
        None => return Err(unknown("cluster", cluster_name, file.clusters.iter().map(|known| known.name.as_str()))),
    };
    let user_name = flags.user.as_deref().or(chosen.user.as_deref()).unwrap_or_default();
    let user = match file.auth_infos.iter().find(|known| known.name == user_name) {
        Some(known) => known.auth_info.clone().unwrap_or_default(),
        // client-go forgives a context its missing user, and a flag not.
        None if flags.user.is_none() => AuthInfo::default(),
        None => return Err(unknown("user", user_name, file.auth_infos.iter().map(|known| known.name.as_str()))),
    };
    let choice = Choice {
        user_name: user_name.to_owned(),
        cluster,
        user,
        namespace: chosen.namespace.filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned()),
    };
    Ok(choice.with(flags))
}

/// Without a kubeconfig: the server of the flags, else the service account of this Pod.
///
/// # Errors
/// When there is neither.
pub(in super::super) fn in_cluster(flags: &Kubectl) -> Result<Choice, Failure> {
    if flags.server.is_some() {
        return choose(&Kubeconfig::default(), None, flags);
    }
    let config = Config::incluster().map_err(|_| {
        let remedy = "pass --kubeconfig FILE, set KUBECONFIG, or ask one agent with --agent URL";
        Failure::new("no cluster found: no kubeconfig, and not in a Pod with a service account", remedy)
    })?;
    let cluster = Cluster {
        server: Some(config.cluster_url.to_string()),
        certificate_authority: config.root_cert_file.as_deref().map(text),
        ..Cluster::default()
    };
    let choice = Choice {
        user_name: "of the service account".to_owned(),
        cluster,
        user: config.auth_info,
        namespace: config.default_namespace,
    };
    Ok(choice.with(flags))
}

impl Choice {
    fn with(mut self, flags: &Kubectl) -> Self {
        let Kubectl { as_user, as_group, as_uid, token, client_certificate, client_key, .. } = flags;
        override_cluster(&mut self.cluster, flags);
        let user = &mut self.user;
        if as_user.is_some() {
            user.impersonate.clone_from(as_user);
        }
        if !as_group.is_empty() {
            user.impersonate_groups = Some(as_group.clone());
        }
        if as_uid.is_some() {
            user.impersonate_uid.clone_from(as_uid);
        }
        if let Some(file) = client_certificate {
            (user.client_certificate, user.client_certificate_data) = (Some(text(file)), None);
        }
        if let Some(file) = client_key {
            (user.client_key, user.client_key_data) = (Some(text(file)), None);
        }
        if let Some(token) = token {
            // It beats passwords and plugins, which do not even run then.
            (user.username, user.password, user.token_file) = (None, None, None);
            (user.exec, user.auth_provider) = (None, None);
            user.token = Some(token.clone().into());
        }
        if self.cluster.server.as_deref().is_some_and(|server| server.starts_with("http://")) {
            // client-go runs no plugin whose credentials it may not send.
            user.exec = None;
        }
        self
    }
}

fn override_cluster(cluster: &mut Cluster, flags: &Kubectl) {
    let Kubectl { server, certificate_authority, insecure_skip_tls_verify, tls_server_name, .. } = flags;
    if server.is_some() || tls_server_name.is_some() {
        // The kubeconfig's name belongs to its own server.
        cluster.tls_server_name.clone_from(tls_server_name);
    }
    if let Some(server) = server {
        // kubectl takes `localhost:8080` for `http://localhost:8080`.
        let full = if server.contains("://") { server.clone() } else { format!("http://{server}") };
        cluster.server = Some(full);
    }
    // One of the two flags replaces both settings, and `--insecure-skip-tls-verify` drops the authority.
    if certificate_authority.is_some() || *insecure_skip_tls_verify == Some(true) {
        cluster.certificate_authority = certificate_authority.as_deref().map(text);
        cluster.certificate_authority_data = None;
        cluster.insecure_skip_tls_verify = *insecure_skip_tls_verify;
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn unknown<'a>(kind: &str, name: &str, names: impl Iterator<Item = &'a str>) -> Failure {
    Failure::new(format!("no {kind} is named {name:?}"), list(&format!("{kind}s"), names))
}

fn list<'a>(kinds: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    format!("{kinds} of the kubeconfig: {}", if names.is_empty() { "none".into() } else { names.join(", ") })
}

#[cfg(test)]
mod tests;
