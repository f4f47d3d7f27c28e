//! Certificates that expired, from the objects of cert-manager. The certificate in a Secret stands beside its key, and is
//! not read.

use super::{
    super::{
        super::model::changed::{ChangeKind, Found, Near, PodName, Seen, Window},
        objects,
    },
    Asked, Failure,
    configuration::{Source, named_by},
    each,
    pods::Read,
};
use crate::plugin::model::unix_ms;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most certificates of a namespace.
const MAX_LIST: usize = 500;

/// The list of a namespace.
#[derive(Debug, Default, Deserialize)]
pub(super) struct List {
    #[serde(default)]
    items: Vec<Certificate>,
}

#[derive(Debug, Deserialize)]
struct Certificate {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Meta {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    secret_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    not_after: Option<String>,
}

/// Reads the certificates in the namespaces of the Pods. Few clusters have such objects, and few people may read them:
/// without either there is nothing to say.
pub(super) async fn read(asked: Asked<'_>, pods: &Read, nearness: &BTreeMap<PodName, Near>) -> Found {
    // How near the Pods are that name a Secret, by namespace.
    let mut secrets: BTreeMap<String, BTreeMap<String, Near>> = BTreeMap::new();
    for (name, pod) in &pods.pods {
        let near = nearness.get(name).copied().unwrap_or(Near::Nearby);
        let of_namespace = secrets.entry(name.namespace.clone()).or_default();
        for (_, secret) in named_by(pod).into_keys().filter(|(source, _)| *source == Source::Secret) {
            let entry = of_namespace.entry(secret).or_insert(near);
            *entry = near.min(*entry);
        }
    }
    each(secrets, |(namespace, secrets)| async move {
        let list = list(asked, &namespace).await.unwrap_or_default();
        Found { seen: expired(&list, &namespace, &secrets, asked.window), ..Found::default() }
    })
    .await
}

async fn list(asked: Asked<'_>, namespace: &str) -> Result<List, Failure> {
    let path = format!("/apis/cert-manager.io/v1/namespaces/{namespace}/certificates?limit={MAX_LIST}");
    let request = hyper::Request::get(path).body(Vec::new()).map_err(|error| Failure::new(error.to_string(), ""))?;
    objects::request(asked.session, "list Certificates", asked.client.request(request)).await
}

/// Those that ended within the window.
pub(super) fn expired(list: &List, namespace: &str, secrets: &BTreeMap<String, Near>, window: Window) -> Vec<Seen> {
    let one = |certificate: &Certificate| {
        let at_ms = certificate.status.not_after.as_deref().and_then(unix_ms).filter(|at| window.has(*at))?;
        let secret = &certificate.spec.secret_name;
        Some(Seen {
            at_ms,
            near: secrets.get(secret).copied().unwrap_or(Near::Nearby),
            kind: ChangeKind::Expiry,
            namespace: namespace.to_owned(),
            object: format!("Certificate/{}", certificate.metadata.name),
            what: format!("of Secret {secret} expired"),
        })
    };
    list.items.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests;
