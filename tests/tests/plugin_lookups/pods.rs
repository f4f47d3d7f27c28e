//! `logs` with a culprit that real agents name, and `shell` up to the point where a kubelet would run something.

use crate::{
    control_plane::{ADMIN, ControlPlane, ONCALL, READER},
    tools::eventually,
};
use jiff::{SignedDuration, Timestamp};
use netwhy_tests::lab::{Lab, Node, Program};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

/// A kubelet's port.
const PORT: &str = "10250";

/// Serves logs for the Nodes `a` and `b`. It ends with the program.
fn kubelet(lab: &Lab, plane: &ControlPlane, node: &Node) -> Program {
    let [key, certificate] = ["kubelet.key", "kubelet.crt"].map(|name| plane.scratch.file(name));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=kubelet", "-days", "2", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success(), "openssl makes a certificate");
    let script = plane.scratch.write("kubelet.py", include_str!("kubelet.py"));
    let line: [OsString; 6] = [
        "python3".into(),
        script.into(),
        PORT.into(),
        certificate.into(),
        key.into(),
        plane.scratch.file("logs").into(),
    ];
    lab.start_command(Some(&node.netns), None, &line).unwrap()
}

/// Where the API server looks for the kubelets.
fn addresses(plane: &ControlPlane, addresses: &Value) {
    for name in ["a", "b"] {
        let path = format!("/api/v1/nodes/{name}/status");
        let now = plane.kubectl(ADMIN, &["get", "--raw", &path], "").unwrap();
        let mut object: Value = serde_json::from_str(&now).unwrap();
        object["status"]["addresses"] = addresses.clone();
        plane.kubectl(ADMIN, &["replace", "--raw", &path, "-f", "-"], &object.to_string()).unwrap();
    }
}

/// `shop/db` refuses `shop/cart`, and the agents say so.
pub(crate) fn logs(lab: &Lab, plane: &ControlPlane, node: &Node) {
    plane.ask(ONCALL, &["logs", "pod/cart"]).failed(&["shop/", "forbidden", "pods/log"]);
    plane.ask(ADMIN, &["logs", "pod/none"]).failed(&["no Pod in namespace shop is named \"none\""]);
    plane.ask(ADMIN, &["logs", "pod/cart", "-c", "x"]).failed(&["is named \"x\"", "it has: app"]);
    plane.ask(ADMIN, &["logs", "pod/cart", "-w"]).failed(&["use -f"]);
    plane.ask(ADMIN, &["logs", "pod/cart", "-o", "mermaid"]).failed(&["logs are no diagram"]);
    // No kubelet answers yet.
    plane.ask(ADMIN, &["logs", "pod/cart"]).failed(&["none of 2 logs can be read; the first: log of shop/"]);

    let stamp = |ago: i64| (Timestamp::now() - SignedDuration::from_millis(ago)).to_string();
    fs::create_dir_all(plane.scratch.file("logs")).unwrap();
    let write = |pod: &str, lines: &[(i64, &str)]| {
        let lines: String = lines.iter().map(|(ago, text)| format!("{} {text}\n", stamp(*ago))).collect();
        plane.scratch.write(&format!("logs/shop-{pod}-app.log"), &lines);
    };
    write("cart", &[(86_400_000, "yesterday"), (4000, "GET /1"), (2000, "connection refused \x1b[31m")]);
    write("db", &[(3000, "listener closed"), (1000, "still closed")]);
    let _kubelet = kubelet(lab, plane, node);
    addresses(plane, &json!([{"type": "InternalIP", "address": node.ipv4.to_string()}]));
    let said = eventually("logs", || {
        let said = plane.ask(ADMIN, &["logs", "pod/cart"]);
        if said.code == 0 && !said.err.contains("warning") { Ok(said) } else { Err(said.err) }
    });
    println!("{}{}", said.err, said.out);
    assert!(
        said.err.contains("note: peer_refusing, at fault: ") && said.err.contains("! marks shop/db"),
        "{}",
        said.err
    );
    let lines: Vec<&str> = said.out.lines().map(|line| line.split_once('Z').unwrap().1).collect();
    assert_eq!(
        lines,
        [
            "   cart  GET /1",
            " ! db    listener closed",
            "   cart  connection refused \\x1b[31m",
            " ! db    still closed"
        ]
    );
    let objects = plane.ask(ADMIN, &["logs", "pod/cart", "-o", "json", "--since", "48h"]).well().out;
    let objects: Vec<Value> = objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<_> = objects.iter().map(|one| [&one["role"], &one["pod"], &one["message"]]).collect();
    assert_eq!(shown[0], [&json!("target"), &json!("cart"), &json!("yesterday")]);
    assert_eq!(shown[2], [&json!("culprit"), &json!("db"), &json!("listener closed")]);
    assert_eq!((objects.len(), &objects[0]["node"], &objects[0]["container"]), (5, &json!("a"), &json!("app")));

    let alone = plane.ask(ADMIN, &["logs", "pod/cart", "--no-culprit", "--since", "1m"]).well();
    assert_eq!((alone.out.lines().count(), alone.err.as_str()), (2, ""));

    // A log that can't be read is said, and hides nothing.
    fs::remove_file(plane.scratch.file("logs/shop-db-app.log")).unwrap();
    let said = plane.ask(ADMIN, &["logs", "pod/cart"]).well();
    let warnings: Vec<&str> = said.err.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!((said.out.lines().count(), warnings.len()), (2, 1), "{}{}", said.out, said.err);
    assert!(warnings[0].contains("log of shop/db, container app"), "{}", said.err);
    addresses(plane, &json!([]));
}

/// Writes the cluster's rules, or removes them.
fn rules(plane: &ControlPlane, text: Option<&str>) {
    let _ = plane.kubectl(ADMIN, &["-n", "netwhy", "delete", "configmap", "netwhy-shell", "--ignore-not-found"], "");
    if let Some(text) = text {
        plane.create(&json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "netwhy-shell", "namespace": "netwhy"},
            "data": {"shell.yaml": text}
        }));
    }
}

/// The lines of the record.
fn record(plane: &ControlPlane) -> Vec<Value> {
    let file = plane.scratch.file("state").join("netwhy/audit.jsonl");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Refusals, and the record of them.
pub(crate) fn shell(plane: &ControlPlane) {
    let ask = |args: &[&str]| plane.ask(ADMIN, &[&["shell", "cart"], args].concat());
    plane.ask(ADMIN, &["shell", "pod/none"]).failed(&["get Pod shop/none: not found"]);
    plane.ask(ADMIN, &["shell", "deploy/cart"]).failed(&["Deployment/cart is no Pod"]);
    ask(&["-c", "x"]).failed(&["has no container \"x\"", "it has: app"]);
    ask(&["-o", "json"]).failed(&["no output formats"]);
    ask(&["-A"]).failed(&["one namespace"]);
    plane.ask(ONCALL, &["shell", "cart"]).failed(&["cannot get resource \"pods/exec\"", "ask for that right"]);
    // Without the right to read them, rules might forbid it: there are none, and nobody tells this user so.
    plane.ask(READER, &["shell", "cart"]).failed(&["get ConfigMap netwhy/netwhy-shell", "forbidden", "docs/shell.md"]);
    ask(&["--agent-namespace", "shop"]).failed(&["namespace shop has no agents"]);
    // There is no kubelet here.
    ask(&["--", "id"]).failed(&["run a command in container app of shop/cart"]);
    rules(plane, Some("namespaces: [\"team-*\"]"));
    ask(&[]).failed(&["allow no shell in namespace shop (ConfigMap netwhy/netwhy-shell)", "team-*"]);
    rules(plane, Some("commands: [\"ss *\"]"));
    ask(&["--", "rm", "-rf", "/"]).failed(&["do not allow the command \"rm -rf /\""]);
    ask(&["--", "ss", "-tni"]).failed(&["run a command in container app"]);
    rules(plane, Some("record: required"));
    ask(&[]).failed(&["want a recording", "--record FILE"]);
    rules(plane, Some("recording: required"));
    ask(&[]).failed(&["ConfigMap netwhy/netwhy-shell: shell.yaml: ", "recording"]);
    rules(plane, None);

    let lines = record(plane);
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let (ran, refused) = (&["begin", "end"][..], &["refused"][..]);
    // A right of `pods/exec`; one of the ConfigMap; the agents' namespace; `id`; rules, which let `ss` through.
    let expected = [ran, refused, refused, ran, refused, refused, ran, refused, refused].concat();
    assert_eq!(events, expected, "{lines:?}");
    let why: Vec<&Value> = lines.iter().filter(|line| line["event"] == "refused").collect();
    let names = |index: usize, word: &str| why[index]["why"].as_str().is_some_and(|why| why.contains(word));
    assert!(names(0, "forbidden") && why[0]["policy"].is_null(), "rules that nobody could read: {}", why[0]);
    assert!(names(2, "allow no shell") && why[2]["policy"] == "netwhy/netwhy-shell", "{}", why[2]);
    let begin = lines.iter().find(|line| line["event"] == "begin" && line["command"] == json!(["id"])).unwrap();
    let end = lines.iter().find(|line| line["event"] == "end" && line["id"] == begin["id"]).unwrap();
    assert_eq!((&begin["container"], &begin["node"], &begin["pod"]), (&json!("app"), &json!("a"), &json!("cart")));
    assert_eq!((&end["end"], &end["code"], &end["pod_event"]), (&json!("failed"), &Value::Null, &json!("written")));
    assert!(begin["user"] == "admin" || begin["user_unknown"].is_string(), "from Kubernetes 1.28: {begin}");
    let events = plane.kubectl(ADMIN, &["-n", "shop", "get", "events", "-o", "json"], "").unwrap();
    let events: Value = serde_json::from_str(&events).unwrap();
    let began = |event: &&Value| event["reason"] == "NetwhyShellBegan" && event["involvedObject"]["name"] == "cart";
    let began: Vec<&Value> = events["items"].as_array().unwrap().iter().filter(began).collect();
    let says = |event: &&Value| event["message"].as_str().unwrap().ends_with(" runs id in container app");
    assert!(began.iter().any(says), "{began:?}");
}
