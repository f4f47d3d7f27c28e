//! The documents of a rendered chart, and checks of its DaemonSet and configuration.

use crate::switches::{Combination, PROTECTED, PROXY, PUBLISH};
use k8s_openapi::{
    api::{
        apps::v1::DaemonSet,
        core::v1::{ConfigMap, Container, PodSpec, Volume},
    },
    apimachinery::pkg::util::intstr::IntOrString,
    serde::de::DeserializeOwned,
};
use netwhy_agent::config::{Config, KEYS};
use serde_json::Value;

/// The documents of one rendering.
pub(crate) struct Documents(pub(crate) Vec<Value>);

impl Documents {
    pub(crate) fn read(text: &str) -> Self {
        let read =
            |document: &str| serde_saphyr::from_str::<Value>(document).unwrap_or_else(|e| panic!("{e}: {document}"));
        Self(text.split("\n---\n").map(read).filter(|value| !value.is_null()).collect())
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        self.0.iter().map(|document| document["kind"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|document| document["kind"] == kind).collect()
    }

    /// The only document of a kind.
    pub(crate) fn one<T: DeserializeOwned>(&self, kind: &str) -> T {
        let [document] = self.of_kind(kind)[..] else {
            panic!("{} documents of kind {kind}", self.of_kind(kind).len())
        };
        serde_json::from_value(document.clone()).unwrap_or_else(|error| panic!("{kind}: {error}"))
    }
}

/// The Pods' specification and their container's.
pub(crate) fn pod(documents: &Documents) -> (PodSpec, Container) {
    let set: DaemonSet = documents.one("DaemonSet");
    let pod = set.spec.and_then(|spec| spec.template.spec).expect("a Pod specification");
    let [container] = &pod.containers[..] else { panic!("{} containers", pod.containers.len()) };
    let container = container.clone();
    (pod, container)
}

pub(crate) fn check(documents: &Documents, combination: &Combination) {
    let (pod, container) = pod(documents);
    let set: DaemonSet = documents.one("DaemonSet");
    let spec = set.spec.expect("a specification");
    let labels = spec.template.metadata.and_then(|metadata| metadata.labels).expect("labels");
    for (name, value) in spec.selector.match_labels.expect("a selector") {
        assert_eq!(labels.get(&name), Some(&value), "the selector must find its Pods");
    }
    assert!(labels.contains_key("app.kubernetes.io/version"));
    assert_eq!(spec.update_strategy.and_then(|strategy| strategy.type_).as_deref(), Some("RollingUpdate"));

    let port = if combination.has("port=") { 19810 } else { 9810 };
    let ports = container.ports.clone().expect("ports");
    let ports: Vec<_> = ports.iter().map(|port| (port.name.as_deref(), port.container_port)).collect();
    let mut wanted = vec![(Some("metrics"), port), (Some("probes"), port + 1)];
    // By its name the plugin knows that it must come by port-forward.
    wanted.extend((!combination.has("api=")).then_some((Some("api"), 9812)));
    assert_eq!(ports, wanted);
    let probes = [&container.startup_probe, &container.liveness_probe, &container.readiness_probe];
    let gets = probes
        .map(|probe| probe.as_ref().and_then(|probe| probe.http_get.clone()).expect("an HTTP probe"))
        .map(|get| (get.path.expect("a path"), get.port));
    let probe_port = || IntOrString::String("probes".into());
    assert_eq!(gets, ["/livez", "/livez", "/readyz"].map(|path| (path.to_owned(), probe_port())));
    arguments(&container, combination, port);
    mounts(&pod, &container, combination);
    let limits = container.resources.and_then(|resources| resources.limits).expect("limits");
    assert!(limits.contains_key("memory") && !limits.contains_key("cpu"), "{limits:?}");
    assert!(pod.termination_grace_period_seconds > Some(5), "tasks get 5 s");
    configuration(documents, combination);
}

/// The agent must accept the chart's command line and environment.
fn arguments(container: &Container, combination: &Combination, port: i32) {
    let args = std::iter::once("netwhy-agent").chain(container.args.iter().flatten().map(String::as_str));
    let args: Vec<std::ffi::OsString> = args.map(Into::into).collect();
    let env = |name: &str| {
        let variable = container.env.iter().flatten().find(|variable| variable.name == name)?;
        let Some(source) = &variable.value_from else { return variable.value.clone().map(Into::into) };
        let field = source.field_ref.as_ref().map(|field| field.field_path.as_str());
        assert_eq!(field, Some("spec.nodeName"), "{name}");
        Some("node-1".into())
    };
    let cli = netwhy_agent::config::cli::parse(&args, env).unwrap_or_else(|error| panic!("{combination:?}: {error}"));
    let config = netwhy_agent::config::cli::effective(&cli, Config::default());
    assert_eq!(setting(&config, "kube.node_name"), "node-1");
    let kube = combination.has_kube();
    assert_eq!(setting(&config, "kube.mode"), if kube { "on" } else { "off" });
    let listen: std::net::SocketAddr = setting(&config, "http.listen").trim_matches('"').parse().expect("an address");
    assert_eq!(i32::from(listen.port()), port);
    let probes: std::net::SocketAddr =
        setting(&config, "http.probe_listen").trim_matches('"').parse().expect("an address");
    assert_eq!((probes.ip(), i32::from(probes.port())), (listen.ip(), port + 1));
    let host_proc = cli.global.procfs.as_os_str() == "/host/proc";
    assert_eq!(host_proc, combination.has("hostPID="), "without the host's processes it must be told where /proc is");
    assert_eq!(cli.global.config_file().map(|path| path.as_os_str()), Some("/etc/netwhy/netwhy.yaml".as_ref()));
}

/// Every mount has its volume, and all but that of the history are read-only.
fn mounts(pod: &PodSpec, container: &Container, combination: &Combination) {
    let volumes = pod.volumes.clone().unwrap_or_default();
    let mounts = container.volume_mounts.clone().unwrap_or_default();
    assert_eq!(volumes.len(), mounts.len());
    for mount in &mounts {
        assert_eq!(mount.read_only == Some(true), mount.name != "history", "{}", mount.mount_path);
        assert!(volumes.iter().any(|volume| volume.name == mount.name), "{}", mount.name);
    }
    let host: Vec<&str> =
        volumes.iter().filter_map(|volume| volume.host_path.as_ref()).map(|host| host.path.as_str()).collect();
    let mut expected: Vec<&str> = combination.history().filter(|path| !path.is_empty()).into_iter().collect();
    expected.push("/sys/fs/cgroup");
    expected.extend(combination.has("hostPID=").then_some("/proc"));
    assert_eq!(host, expected);
    let history = mounts.iter().find(|mount| mount.name == "history");
    assert_eq!(history.map(|mount| mount.mount_path.as_str()), combination.history().map(|_| "/var/lib/netwhy"));
    let limits = volumes.iter().filter_map(|volume| volume.empty_dir.as_ref()?.size_limit.clone());
    let is_temporary = combination.history() == Some("");
    assert_eq!(limits.map(|limit| limit.0).collect::<Vec<_>>(), if is_temporary { vec!["80Mi"] } else { vec![] });
    let secret = |volume: &Volume| {
        let name = volume.secret.as_ref()?.secret_name.clone()?;
        let mount = mounts.iter().find(|mount| mount.name == volume.name)?;
        assert!(mount.sub_path.is_none(), "the kubelet does not renew single files");
        Some((name, mount.mount_path.clone()))
    };
    let secrets: Vec<(String, String)> = volumes.iter().filter_map(secret).collect();
    let expected: &[(&str, &str)] = if combination.has(PROTECTED) {
        &[("agent-tls", "/etc/netwhy-tls"), ("clients", "/etc/netwhy-client-ca")]
    } else {
        &[]
    };
    assert_eq!(secrets, expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>());
}

/// The agent must accept its file, with the settings of the values.
fn configuration(documents: &Documents, combination: &Combination) {
    let map: ConfigMap = documents.one("ConfigMap");
    let data = map.data.expect("data");
    let config = Config::parse(&data["netwhy.yaml"], "netwhy.yaml").unwrap_or_else(|error| panic!("{error}"));
    if combination.has("config=") {
        assert_eq!(setting(&config, "limits.series"), "2000000");
        assert_eq!(setting(&config, "thresholds.loss_ratio"), "0.005");
        assert_eq!(setting(&config, "signals.drops"), "off");
        let api = if combination.has(PROXY) { "proxy" } else { "loopback" };
        assert_eq!((setting(&config, "http.api"), setting(&config, "http.api_port")), (api.into(), "9812".into()));
        assert_ne!(setting(&config, "peers.same_zone"), "[]");
    } else {
        let (slices, publish) = (combination.has_kube() && combination.has("peers="), combination.has(PUBLISH));
        let http = if combination.has(PROTECTED) {
            "{tls_certificate_file: /etc/netwhy-tls/tls.crt, tls_key_file: /etc/netwhy-tls/tls.key, \
             tls_client_ca_file: /etc/netwhy-client-ca/ca.crt, authorization: kubernetes}"
        } else {
            "{}"
        };
        let history = match combination.history() {
            Some(_) => "{folder: /var/lib/netwhy}",
            None => "{}",
        };
        let expected = format!(
            "history: {history}\nhttp: {http}\nkube: {{endpoint_slices: {slices}, publish_events: {publish}, publish_conditions: {publish}}}"
        );
        assert_eq!(config, Config::parse(&expected, "expected").unwrap_or_else(|error| panic!("{error}")));
    }
}

/// A setting as it would stand in the file.
fn setting(config: &Config, path: &str) -> String {
    KEYS.iter().find(|key| key.path == path).map_or_else(String::new, |key| key.value(config))
}
