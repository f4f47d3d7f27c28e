//! Writes of the ConfigMaps and Secrets that Pods name, and certificates in Secrets that expired. Metadata alone is read:
//! no value of either.

use super::{
    super::{
        super::model::{
            changed::{ChangeKind, Found, Near, PodName, Seen, Window},
            health::Fact,
        },
        objects,
    },
    Asked, each,
    pods::Read,
    written::{by, last_write, ms},
};
use crate::plugin::model::unix_ms;
use k8s_openapi::{
    api::core::v1::{ConfigMap, Container, Pod, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::Api;
use std::collections::BTreeMap;

/// Most objects to read.
const MAX_OBJECTS: usize = 16;
/// Annotations in which issuers write when the certificate of a Secret ends, RFC 3339: OpenShift's for Services and for
/// its own parts.
const NOT_AFTER: [&str; 2] = ["service.beta.openshift.io/expiry", "auth.openshift.io/certificate-not-after"];

/// Kinds of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    ConfigMap,
    Secret,
}

impl Source {
    const fn label(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// Namespace, kind and name.
type Key = (String, Source, String);

/// How near the object is, and whether running Pods get its new values: those of volumes do.
type Use = (Near, bool);

/// Reads who wrote them.
pub(super) async fn read(asked: Asked<'_>, pods: &Read, nearness: &BTreeMap<PodName, Near>) -> Found {
    let mut all: BTreeMap<Key, Use> = BTreeMap::new();
    for (name, pod) in &pods.pods {
        let near = nearness.get(name).copied().unwrap_or(Near::Nearby);
        for ((source, object), is_live) in named_by(pod) {
            let entry = all.entry((name.namespace.clone(), source, object)).or_insert((near, is_live));
            *entry = (entry.0.min(near), entry.1 || is_live);
        }
    }
    let mut found = Found::default();
    let mut sorted: Vec<(Key, Use)> = all.into_iter().collect();
    sorted.sort_by_key(|(_, (near, _))| *near);
    if sorted.len() > MAX_OBJECTS {
        let text = format!("{MAX_OBJECTS} of {} were read, the culprit's first", sorted.len());
        found.unknown.push(Fact::new("ConfigMaps and Secrets", text));
        sorted.truncate(MAX_OBJECTS);
    }
    found.add(each(sorted, |(key, usage)| async move { one(asked, &key, usage).await }).await);
    found
}

async fn one(asked: Asked<'_>, key: &Key, usage: Use) -> Found {
    let (namespace, source, name) = key;
    let what = format!("{} {namespace}/{name}", source.label());
    let (client, session) = (asked.client.clone(), asked.session);
    let meta = match source {
        Source::ConfigMap => {
            let api: Api<ConfigMap> = Api::namespaced(client, namespace);
            objects::request_optional(session, &what, api.get_metadata(name))
                .await
                .map(|found| found.map(|o| o.metadata))
        }
        Source::Secret => {
            let api: Api<Secret> = Api::namespaced(client, namespace);
            objects::request_optional(session, &what, api.get_metadata(name))
                .await
                .map(|found| found.map(|o| o.metadata))
        }
    };
    match (meta, source) {
        (Ok(meta), _) => {
            let seen = meta.map(|meta| changes_of(&meta, key, usage, asked.window));
            Found { seen: seen.unwrap_or_default(), ..Found::default() }
        }
        // Few people may read Secrets, and nobody should for this.
        (Err(_), Source::Secret) => Found::default(),
        (Err(failure), Source::ConfigMap) => {
            Found { unknown: vec![Fact::new("ConfigMaps", failure.to_string())], ..Found::default() }
        }
    }
}

/// The newest write of an object within the window, and the end of its certificate.
fn changes_of(meta: &ObjectMeta, key: &Key, (near, is_live): Use, window: Window) -> Vec<Seen> {
    let (namespace, source, name) = key;
    let seen = |at_ms, kind, what| Seen {
        at_ms,
        near,
        kind,
        namespace: namespace.clone(),
        object: format!("{}/{name}", source.label()),
        what,
    };
    let written = written(meta, window).map(|(at_ms, manager)| {
        let what = format!("was written{}; {}", by(&manager), takes_effect(is_live));
        seen(at_ms, ChangeKind::Configuration, what)
    });
    let expired = not_after(meta).filter(|at| window.has(*at));
    let expired = expired.map(|at_ms| seen(at_ms, ChangeKind::Expiry, "has a certificate that expired".to_owned()));
    written.into_iter().chain(expired).collect()
}

/// When the certificate of a Secret ends, as its issuer wrote beside it.
fn not_after(meta: &ObjectMeta) -> Option<i64> {
    let annotations = meta.annotations.as_ref()?;
    NOT_AFTER.iter().find_map(|name| unix_ms(annotations.get(*name)?))
}

const fn takes_effect(is_live: bool) -> &'static str {
    if is_live { "running Pods see it in a volume" } else { "Pods see it from their next start on" }
}

/// The newest write within the window: by whom, or when it was made.
fn written(meta: &ObjectMeta, window: Window) -> Option<(i64, String)> {
    let made = ms(meta.creation_timestamp.as_ref()).filter(|at| window.has(*at)).map(|at| (at, String::new()));
    last_write(meta, window).or(made)
}

/// The ConfigMaps and Secrets of a Pod's volumes and variables, and whether a volume has it.
pub(super) fn named_by(pod: &Pod) -> BTreeMap<(Source, String), bool> {
    let mut out: BTreeMap<(Source, String), bool> = BTreeMap::new();
    let mut add = |source, name: &str, is_live| {
        // A name is a part of a request's path.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        if !name.is_empty() && name.chars().all(plain) {
            *out.entry((source, name.to_owned())).or_default() |= is_live;
        }
    };
    let Some(spec) = &pod.spec else { return out };
    for volume in spec.volumes.iter().flatten() {
        if let Some(map) = &volume.config_map {
            add(Source::ConfigMap, &map.name, true);
        }
        if let Some(name) = volume.secret.as_ref().and_then(|secret| secret.secret_name.as_deref()) {
            add(Source::Secret, name, true);
        }
        let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
        for source in sources {
            if let Some(map) = &source.config_map {
                add(Source::ConfigMap, &map.name, true);
            }
            if let Some(secret) = &source.secret {
                add(Source::Secret, &secret.name, true);
            }
        }
    }
    let containers: Vec<&Container> = spec.init_containers.iter().flatten().chain(&spec.containers).collect();
    for container in containers {
        for from in container.env_from.iter().flatten() {
            if let Some(map) = &from.config_map_ref {
                add(Source::ConfigMap, &map.name, false);
            }
            if let Some(secret) = &from.secret_ref {
                add(Source::Secret, &secret.name, false);
            }
        }
        for from in container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()) {
            if let Some(map) = &from.config_map_key_ref {
                add(Source::ConfigMap, &map.name, false);
            }
            if let Some(secret) = &from.secret_key_ref {
                add(Source::Secret, &secret.name, false);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
