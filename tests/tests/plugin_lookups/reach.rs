//! Ways to API servers that kubectl knows: flags, proxies, several contexts, credential plugins.

use crate::{
    reach_servers::{Api, proxy, socks},
    tools::{Said, Scratch, command, kubeconfig},
};
use serde_json::{Value, json};
use std::time::Instant;

/// Asks for Pods, which needs no agent. `env`: variables beside the test's own without those of proxies.
fn diagnose(args: &[&str], env: &[(&str, &str)]) -> Said {
    let mut line = command(&["diagnose", "-A"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
        line.env_remove(name).env_remove(name.to_ascii_lowercase());
    }
    Said::of(line.args(args).envs(env.iter().copied()).output().unwrap())
}

/// A kubeconfig of one context with more settings of its cluster and its user.
fn config(server: &str, cluster: Value, user: Value) -> Value {
    let mut cluster = cluster;
    cluster["server"] = server.into();
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "one",
        "clusters": [{"name": "one", "cluster": cluster}],
        "users": [{"name": "one", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
    })
}

fn exec(script: &str) -> Value {
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script],
        "interactiveMode": "Never",
    }})
}

#[test]
fn flags_of_kubectl_override_the_kubeconfig() {
    let (api, other) = (Api::start(), Api::start());
    let scratch = Scratch::new("flags");
    let contexts = [("one", api.url.as_str(), "first"), ("two", other.url.as_str(), "second")];
    let file = scratch.write("config", &kubeconfig(&contexts, "shop"));
    let file = ["--kubeconfig", file.to_str().unwrap()];
    let run = |args: &[&str]| diagnose(&[&file, args].concat(), &[]).well();

    run(&["--as=ann", "--as-group=a", "--as-group", "b", "--as-uid=7"]);
    let head = api.take();
    for line in ["Impersonate-User: ann", "Impersonate-Group: a", "Impersonate-Group: b", "Impersonate-Uid: 7"] {
        assert!(head.contains(&line.to_ascii_lowercase()), "{line} in {head}");
    }
    run(&["--token", "other"]);
    assert!(api.take().contains("bearer other"));
    run(&["--user=two"]);
    assert!(api.take().contains("bearer second"));
    for args in [&["--cluster=two"][..], &["-s", &other.url], &["--server", &other.url], &["--context=two"]] {
        run(args);
        assert_eq!((api.take(), other.take().is_empty()), (String::new(), false), "{args:?}");
    }
    diagnose(&["--server", &api.url, "--token=t"], &[]).well();
    assert!(api.take().contains("bearer t"), "without a kubeconfig");
    diagnose(&[&file[..], &["--cluster=none"]].concat(), &[]).failed(&["no cluster is named \"none\"", "one, two"]);
}

#[test]
fn several_files_are_one_kubeconfig_and_missing_ones_are_none() {
    let (api, other) = (Api::start(), Api::start());
    let scratch = Scratch::new("files");
    let one = scratch.write("one", &kubeconfig(&[("one", &api.url, "first")], "shop"));
    let two = scratch.write("two", &kubeconfig(&[("two", &other.url, "second")], "shop"));
    let list = std::env::join_paths([scratch.file("missing"), one, two]).unwrap();
    let env = [("KUBECONFIG", list.to_str().unwrap())];
    diagnose(&[], &env).well();
    assert!(api.take().contains("bearer first") && other.take().is_empty());
    diagnose(&["--context=two"], &env).well();
    assert!(other.take().contains("bearer second"));
    let said = diagnose(&["--all-contexts", "-o", "json"], &env).well();
    assert_eq!(said.json().as_array().map(Vec::len), Some(2));
}

#[test]
fn proxies_of_the_kubeconfig_and_of_the_environment_are_used() {
    let api = Api::start();
    let scratch = Scratch::new("proxies");
    // Only the proxies know this name.
    let server = "http://api.test:6443";
    let plain = scratch.write("plain", &config(server, json!({}), json!({})).to_string());
    let kubeconfig = ("KUBECONFIG", plain.to_str().unwrap());
    for proxy in [proxy(&api, "200 OK"), socks(&api, 0)] {
        diagnose(&[], &[kubeconfig, ("HTTP_PROXY", &proxy.url)]).well();
        assert_eq!(proxy.take(), "api.test:6443", "{}", proxy.url);
        diagnose(&[], &[kubeconfig, ("http_proxy", &proxy.url), ("NO_PROXY", "api.test")])
            .failed(&["can't connect to api.test:6443"]);
        let own = config(server, json!({"proxy-url": proxy.url}), json!({})).to_string();
        let own = scratch.write("own", &own);
        diagnose(&[], &[("KUBECONFIG", own.to_str().unwrap()), ("NO_PROXY", "*")]).well();
        assert_eq!(proxy.take(), "api.test:6443", "{}", proxy.url);
    }
    for (proxy, why) in [(proxy(&api, "403 Forbidden"), "403 Forbidden"), (socks(&api, 2), "not allowed")] {
        let said = diagnose(&[], &[kubeconfig, ("HTTP_PROXY", &proxy.url)]);
        said.failed(&[&proxy.url, "does not connect to api.test:6443", why, "NO_PROXY"]);
    }
    diagnose(&[], &[kubeconfig, ("HTTP_PROXY", "http://127.0.0.1:1")])
        .failed(&["can't connect to the proxy 127.0.0.1:1", "refused"]);
    diagnose(&[], &[kubeconfig, ("HTTP_PROXY", "ftp://x")]).failed(&["HTTP_PROXY", "http://HOST:PORT"]);
}

#[test]
fn broken_and_hanging_contexts_hide_no_other() {
    let (api, silent) = (Api::start(), Api::silent());
    let missing = json!({"client-certificate": "/nonexistent", "client-key": "/nonexistent"});
    let broken = [
        ("down", config("http://127.0.0.1:1", json!({}), json!({})), "can't connect to 127.0.0.1:1"),
        ("silent", config(&silent.url, json!({}), json!({})), "no answer within 3 s"),
        ("certificate", config("https://127.0.0.1:1", json!({}), missing), "client certificate of user certificate"),
        ("fails", config("https://127.0.0.1:1", json!({}), exec("echo log in >&2; exit 1")), "log in"),
        ("hangs", config("https://127.0.0.1:1", json!({}), exec("sleep 60")), "did not end within 15 s"),
    ];
    let mut all = config(&api.url, json!({}), json!({}));
    for (name, other, _) in &broken {
        for (list, part) in [("clusters", "cluster"), ("users", "user")] {
            let named = json!({"name": name, part: other[list][0][part]});
            all[list].as_array_mut().unwrap().push(named);
        }
        let context = json!({"name": name, "context": {"cluster": name, "user": name}});
        all["contexts"].as_array_mut().unwrap().push(context);
    }
    let scratch = Scratch::new("contexts");
    let file = scratch.write("config", &all.to_string());
    let begin = Instant::now();
    let args = ["--all-contexts", "-o", "json", "--request-timeout=3s", "--kubeconfig", file.to_str().unwrap()];
    let said = diagnose(&args, &[]).well();
    assert!(begin.elapsed().as_secs() < 45, "{:?}", begin.elapsed());
    assert_eq!(said.json()[0]["context"], "one");
    for (name, _, why) in broken {
        let said = said.err.lines().any(|line| line.starts_with(&format!("warning: {name}: ")) && line.contains(why));
        assert!(said, "{name}: {why}");
    }
}
