//! Names from the kubeconfig and from the API server.

use super::{
    super::{
        cli::{self, Global},
        connect,
        model::{Kind, Target},
    },
    words::{Asked, Names, Wanted},
};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
    config::Kubeconfig,
    core::ApiResource,
};
use serde_json::Value;
use std::ffi::OsString;

/// Most names of one list.
const MOST: u32 = 500;

/// The candidates. `None`: no kubeconfig, or no answer.
pub(super) async fn find(asked: &Asked) -> Option<Vec<String>> {
    let line = ["kubectl-netwhy", "hints"].into_iter().map(OsString::from);
    let line: Vec<OsString> = line.chain(asked.flags.iter().map(OsString::from)).collect();
    let global = cli::parse(&line).ok()?.global;
    let variable = std::env::var_os("KUBECONFIG");
    let file = connect::read(global.kubeconfig.as_deref(), variable.as_deref(), std::env::home_dir()).ok()?;
    let file = file.as_ref();
    match &asked.wanted {
        Wanted::Named(Names::Namespaces) => {
            let (client, _) = connected(file, &global).await?;
            list(client, ("namespaces", "v1"), None).await
        }
        Wanted::Named(Names::Contexts) => {
            let known: Vec<String> = file?.contexts.iter().map(|context| context.name.clone()).collect();
            // `--contexts a,b` goes on behind the comma.
            let done = asked.prefix.rfind(',').map(|comma| &asked.prefix[..=comma]).unwrap_or_default();
            Some(known.into_iter().map(|name| format!("{done}{name}")).collect())
        }
        Wanted::Named(Names::Clusters) => Some(file?.clusters.iter().map(|cluster| cluster.name.clone()).collect()),
        Wanted::Named(Names::Users) => Some(file?.auth_infos.iter().map(|user| user.name.clone()).collect()),
        Wanted::Target(kinds) => {
            let (before, kind) = match asked.prefix.split_once('/') {
                Some((kind, _)) => (format!("{kind}/"), kind),
                None => (String::new(), *kinds.first()?),
            };
            let kind = format!("{kind}/x").parse::<Target>().ok()?.kind?;
            let (client, namespace) = connected(file, &global).await?;
            let namespace = (kind != Kind::Node).then_some(namespace);
            let names = list(client, kind.api(), namespace.as_deref()).await?;
            Some(names.into_iter().map(|name| format!("{before}{name}")).collect())
        }
        Wanted::Containers(target) => {
            let target = target.parse::<Target>().ok()?;
            let kind = target.kind.unwrap_or(Kind::Pod);
            // The Pods of a Service or Node can have any containers.
            if matches!(kind, Kind::Service | Kind::Node) {
                return None;
            }
            let (client, namespace) = connected(file, &global).await?;
            let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource(kind.api()));
            Some(containers(&api.get(&target.name).await.ok()?.data))
        }
        Wanted::Files | Wanted::Nothing | Wanted::Fixed(_) => None,
    }
}

/// A client that asks nobody for a password, and the namespace.
async fn connected(file: Option<&Kubeconfig>, global: &Global) -> Option<(Client, String)> {
    let choice = match file {
        Some(file) => connect::choose(file, global.context.as_deref(), &global.kubectl),
        None => connect::in_cluster(&global.kubectl),
    };
    let choice = choice.ok()?;
    let namespace = global.namespace.clone().unwrap_or_else(|| choice.namespace.clone());
    Some((connect::client(choice, |name| std::env::var(name).ok(), false).await.ok()?, namespace))
}

async fn list(client: Client, kind: (&str, &str), namespace: Option<&str>) -> Option<Vec<String>> {
    let resource = resource(kind);
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let found = api.list_metadata(&ListParams::default().limit(MOST)).await.ok()?;
    Some(found.items.into_iter().filter_map(|object| object.metadata.name).collect())
}

/// Names of the containers of a Pod, or of the Pods that a workload makes.
fn containers(object: &Value) -> Vec<String> {
    let spec = object.pointer("/spec/template/spec").unwrap_or(&object["spec"]);
    let lists = ["containers", "initContainers", "ephemeralContainers"].into_iter();
    let all = lists.filter_map(|list| spec[list].as_array()).flatten();
    all.filter_map(|one| one["name"].as_str()).take(MOST as usize).map(str::to_owned).collect()
}

fn resource((plural, version): (&str, &str)) -> ApiResource {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        // Only requests that write name it.
        kind: String::new(),
        plural: plural.to_owned(),
    }
}

#[cfg(test)]
mod tests;
