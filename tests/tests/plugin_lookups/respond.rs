//! `respond`: requests as Alertmanager sends them, and a server that keeps the answers.

use crate::{
    control_plane::{ControlPlane, NOBODY, ONCALL},
    fleet::Fleet,
    tools::{Scratch, ask, command, eventually, kubeconfig, plugin},
};
use netwhy_tests::{
    inbox::{Inbox, Letter},
    lab::Node,
};
use rustix::{
    process::{Pid, Signal, kill_process},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// A running `respond`; killed on drop.
struct Respond {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Respond {
    /// Waits until it listens.
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("no listener: {}", log.lock().unwrap())).unwrap();
            if let Some((_, rest)) = line.split_once("webhook at http://") {
                break rest.trim_end_matches("/webhook").parse().unwrap();
            }
            log.lock().unwrap().push_str(&line);
        };
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, address, log }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    fn end(&mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
        eventually("end after a signal", || self.child.try_wait().unwrap().ok_or_else(|| self.log()))
    }
}

impl Drop for Respond {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body of the answer to a request.
fn exchange(mut stream: TcpStream, request: &str) -> (u16, String) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

fn post(address: SocketAddr, headers: &str, body: &str) -> u16 {
    exchange(TcpStream::connect(address).unwrap(), &request("POST", "/webhook", headers, body)).0
}

fn get(address: SocketAddr, path: &str) -> String {
    exchange(TcpStream::connect(address).unwrap(), &request("GET", path, "", "")).1
}

/// A request of Alertmanager with firing alerts that have these labels.
fn alerts(labels: &[Value]) -> String {
    let one = |labels: &Value| {
        json!({
            "status": "firing", "labels": labels, "annotations": {}, "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": labels.to_string()
        })
    };
    json!({
        "version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "netwhy", "truncatedAlerts": 0,
        "alerts": labels.iter().map(one).collect::<Vec<_>>()
    })
    .to_string()
}

fn pod(alert: &str, namespace: &str, name: &str) -> Value {
    json!({"alertname": alert, "severity": "warning", "namespace": namespace, "pod": name})
}

/// The first letters, once so many came.
fn letters(inbox: &Inbox, number: usize) -> Vec<Letter> {
    eventually("posted verdicts", || {
        let letters = inbox.letters();
        if letters.len() >= number { Ok(letters) } else { Err(format!("{letters:?}")) }
    })
}

fn inbox() -> Inbox {
    Inbox::new(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap()
}

/// The command over a fleet, with an inbox' URL.
fn over(fleet: &Fleet, scratch: &Scratch, inbox: &Inbox, args: &[&str]) -> Command {
    let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
    let url = scratch.write("url", &format!("http://{}/hooks/secret\n", inbox.address()));
    let mut command = command(&["respond", "--listen", "127.0.0.1:0"]);
    command.arg("--kubeconfig").arg(config).arg("--post-url-file").arg(url).args(args);
    command
}

#[test]
fn each_object_of_a_request_gets_one_verdict_until_the_alert_comes_back() {
    let (fleet, scratch, inbox) = (Fleet::start(12, 1), Scratch::new("respond"), inbox());
    let mut respond = Respond::start(over(&fleet, &scratch, &inbox, &["--request-timeout", "5s"]));
    let known = alerts(&[
        pod("CartSlow", "shop", "app-00007-0"),
        pod("CartLossy", "shop", "app-00007-0"),
        json!({"alertname": "NodeDown", "node": "node-00000", "pod": "exporter", "namespace": "shop"}),
        pod("Gone", "shop", "nobody"),
        json!({"alertname": "Watchdog"}),
    ]);
    for _ in 0..3 {
        assert_eq!(post(respond.address, "", &known), 202);
    }
    let mut got = letters(&inbox, 3);
    got.sort_by_key(|letter| letter.body.clone());
    let [slow, gone, node] = &got[..] else { panic!("{got:?}") };
    println!("{}\n{}\n{}", slow.body, gone.body, node.body);
    assert_eq!(slow.line, "POST /hooks/secret HTTP/1.1");
    assert_eq!(slow.headers["content-type"], "text/plain; charset=utf-8");
    assert!(slow.body.starts_with("CartSlow (warning), CartLossy (warning): Pod shop/app-00007-0\n"), "{}", slow.body);
    assert!(slow.body.contains("app-00007-0 loses packets to node-00000"), "{}", slow.body);
    assert!(slow.body.ends_with("\nMore: kubectl netwhy why pod/app-00007-0 -n shop\n"), "{}", slow.body);
    assert!(gone.body.contains("No answer: ") && gone.body.contains("\"nobody\""), "{}", gone.body);
    assert!(node.body.starts_with("NodeDown: Node node-00000\n"), "{}", node.body);
    assert_eq!(get(respond.address, "/livez"), "ok\n");
    let metrics = get(respond.address, "/metrics");
    for line in [
        "deliveries_total{result=\"taken\"} 3",
        "alerts_total{result=\"queued\"} 4",
        "alerts_total{result=\"repeated\"} 8",
        "alerts_total{result=\"no_target\"} 3",
        "answers_total{result=\"no_answer\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let later = known.replace("2026-01-01", "2026-01-02");
    assert_eq!(post(respond.address, "", &later), 202);
    letters(&inbox, 6);
    assert!(respond.end(Signal::TERM).success(), "{}", respond.log());
    assert!(!respond.log().contains("secret"), "{}", respond.log());
    assert_eq!(inbox.letters().len(), 6);
}

#[test]
fn answers_have_the_form_of_the_flags() {
    let (fleet, scratch) = (Fleet::start(12, 0), Scratch::new("respond-forms"));
    let template = scratch.write("template", r#"{"content": "{{target}}: {{cause}}", "all": "{{answer}}"}"#);
    let about = |args: &[&str]| -> Value {
        let inbox = inbox();
        let mut respond = Respond::start(over(&fleet, &scratch, &inbox, args));
        // The second has no cause.
        let both = alerts(&[pod("Well", "shop", "nobody"), pod("CartSlow", "shop", "app-00007-0")]);
        assert_eq!(post(respond.address, "", &both), 202);
        let letter = letters(&inbox, 1).remove(0);
        assert!(respond.end(Signal::INT).success(), "{}", respond.log());
        assert_eq!((inbox.letters().len(), letter.headers["content-type"].as_str()), (1, "application/json"));
        serde_json::from_str(&letter.body).unwrap_or_else(|error| panic!("{error}: {}", letter.body))
    };
    let only = "--only-causes";
    let json = about(&["--format", "json", only]);
    assert_eq!((json["target"].as_str(), json["state"].as_str()), (Some("Pod shop/app-00007-0"), Some("cause_found")));
    assert_eq!((json["cause"].as_str(), json["alerts"][0].as_str()), (Some("path_loss"), Some("CartSlow (warning)")));
    let own = about(&["--format", "json", "--template", template.to_str().unwrap(), only]);
    assert_eq!(own["content"], "Pod shop/app-00007-0: path_loss");
    assert_eq!(own["all"]["state"], "cause_found");
    let slack = about(&["--format", "slack", only]);
    assert_eq!(slack["blocks"][0]["type"], "header");
    assert!(slack["text"].as_str().unwrap().contains("loses packets to node-00000"), "{slack}");
}

#[test]
fn overload_is_told_and_nothing_is_lost_that_was_taken() {
    // Agents that do not answer: look-ups take their time.
    let (fleet, scratch, inbox) = (Fleet::start(4, 3), Scratch::new("respond-overload"), inbox());
    let token = scratch.write("token", "abc\n");
    let args = ["--request-timeout", "1s", "--max-per-minute", "3", "--token-file", token.to_str().unwrap()];
    let mut respond = Respond::start(over(&fleet, &scratch, &inbox, &args));
    let bearer = "Authorization: Bearer abc\r\n";
    assert_eq!(post(respond.address, "", &alerts(&[])), 401);
    assert_eq!(post(respond.address, "Authorization: Bearer abd\r\n", &alerts(&[])), 401);
    assert_eq!(post(respond.address, bearer, "{\"version\": \"3\"}"), 400);
    let mut statuses = Vec::new();
    for request in 0..8 {
        let many: Vec<Value> = (0..64).map(|n| pod("Slow", "shop", &format!("p{request}-{n}"))).collect();
        statuses.push(post(respond.address, bearer, &alerts(&many)));
    }
    assert!(statuses[..3].iter().all(|status| *status == 202), "{statuses:?}");
    assert_eq!(statuses[7], 503, "{statuses:?}");
    let taken = statuses.iter().filter(|status| **status == 202).count();
    let metrics = get(respond.address, "/metrics");
    assert!(metrics.contains(&format!("deliveries_total{{result=\"overload\"}} {}\n", 8 - taken)), "{metrics}");
    assert!(metrics.contains(&format!("alerts_total{{result=\"queued\"}} {}\n", 64 * taken)), "{metrics}");
    // The rate holds.
    letters(&inbox, 3);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(inbox.letters().len(), 3);
    // A second signal ends the wait for the rest.
    let pid = Pid::from_child(&respond.child);
    kill_process(pid, Signal::TERM).unwrap();
    eventually("begin of the end", || respond.log().contains("stops").then_some(()).ok_or_else(|| respond.log()));
    assert_eq!(respond.end(Signal::TERM).code(), Some(1));
}

#[test]
fn a_verdict_that_nobody_takes_is_asked_for_again() {
    let (fleet, scratch, inbox) = (Fleet::start(12, 0), Scratch::new("respond-refused"), inbox());
    let mut respond = Respond::start(over(&fleet, &scratch, &inbox, &[]));
    inbox.answer_with(403);
    let one = alerts(&[pod("CartSlow", "shop", "app-00007-0")]);
    assert_eq!(post(respond.address, "", &one), 202);
    eventually("told refusal", || {
        let log = respond.log();
        log.contains("was not posted: ").then_some(()).ok_or(log)
    });
    assert!(respond.log().contains("403 Forbidden") && !respond.log().contains("secret"), "{}", respond.log());
    assert_eq!(inbox.letters().len(), 1, "403 is not tried again");
    // 5xx is.
    inbox.answer_with(502);
    eventually("a second look-up", || {
        post(respond.address, "", &one);
        (inbox.letters().len() > 1).then_some(()).ok_or_else(String::new)
    });
    inbox.answer_with(200);
    letters(&inbox, 3);
    eventually("a taken verdict", || {
        let metrics = get(respond.address, "/metrics");
        metrics.contains("posts_total{result=\"done\"} 1").then_some(()).ok_or(metrics)
    });
    assert!(respond.end(Signal::TERM).success(), "{}", respond.log());
}

#[test]
fn flags_and_files_that_can_not_be_used_are_one_line() {
    let scratch = Scratch::new("respond-flags");
    let file = |name: &str, text: &str| scratch.write(name, text).to_str().unwrap().to_owned();
    let (good, bad, empty) =
        (file("good", "http://127.0.0.1:9/x"), file("bad", "hooks.example/secret"), file("empty", "\n"));
    let (template, config) = (
        file("template", "{\"a\": \"{{verdikt}}\"}"),
        file("config", &kubeconfig(&[("c", "http://127.0.0.1:9", "t"), ("d", "http://127.0.0.1:9", "t")], "shop")),
    );
    let failed = |args: &[&str], words: &[&str]| {
        let all = [&["respond", "--listen", "127.0.0.1:0", "--kubeconfig", &config], args].concat();
        ask(&all).failed(words);
    };
    failed(&["--post-url-file", "/nowhere"], &["can't read /nowhere"]);
    failed(&["--post-url-file", &bad], &["not an HTTP URL", "write it as https://"]);
    failed(&["--post-url-file", &empty], &["is empty"]);
    failed(&["--post-url-file", &good, "--token-file", &empty], &["is empty"]);
    failed(&["--post-url-file", &good, "--template", &template], &["--template is for JSON", "--format json"]);
    let json = ["--post-url-file", &good, "--format", "json", "--template", &template];
    failed(&json, &["no placeholder is named \"verdikt\"", "docs/respond.md"]);
    failed(&["--post-url-file", &good, "--all-contexts"], &["respond serves one cluster"]);
    failed(&["--post-url-file", &good, "-o", "json"], &["respond prints no report", "--format"]);
    failed(&["--alertmanager", "am:9093/x"], &["--alertmanager am:9093/x", "not an HTTP URL"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["respond", "--kubeconfig", &config, "--post-url-file", &good, "--listen", &address];
    ask(&args).failed(&["the port is in use", "--listen"]);
    let without = ask(&["respond"]);
    assert!(without.code == 1 && without.err.contains("--post-url-file"), "{}", without.err);
}

/// Runs on a thread that is in a Node's network namespace: sockets that it makes stay there.
fn on_node<T: Send>(node: &Node, act: impl FnOnce() -> T + Send) -> T {
    let path = Path::new("/run/netns").join(&node.netns);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let file = File::open(&path).unwrap();
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            act()
        });
        thread.join().unwrap()
    })
}

/// Alerts about Pods, Nodes and addresses of a real API server, with the rights of the kubeconfig and no others.
pub(crate) fn check(plane: &ControlPlane, node: &Node, pod_address: &str) {
    let inbox = Inbox::new(on_node(node, || TcpListener::bind("127.0.0.1:0").unwrap())).unwrap();
    let url: PathBuf = plane.scratch.write("respond-url", &format!("http://{}/", inbox.address()));
    let run = |token| {
        let line = [plugin().to_str().unwrap(), "respond", "--listen", "127.0.0.1:0", "--format", "json"];
        let mut command = plane.inside(line.iter().map(Into::into).collect());
        command.env_remove("KUBECONFIG").arg("--kubeconfig").arg(plane.config(token));
        Respond::start({
            command.arg("--post-url-file").arg(&url);
            command
        })
    };
    let said = |respond: &Respond, labels: &[Value], before: usize| {
        let stream = on_node(node, || TcpStream::connect(respond.address).unwrap());
        assert_eq!(exchange(stream, &request("POST", "/webhook", "", &alerts(labels))).0, 202);
        let got = letters(&inbox, before + labels.len());
        let json = |letter: &Letter| serde_json::from_str::<Value>(&letter.body).unwrap();
        got[before..].iter().map(json).collect::<Vec<_>>()
    };
    let mut respond = run(ONCALL);
    let labels = [
        pod("CartSlow", "shop", "cart"),
        json!({"alertname": "NodeSlow", "node": "a"}),
        json!({"alertname": "ScrapeSlow", "instance": format!("{pod_address}:8080")}),
        json!({"alertname": "Missing", "namespace": "shop", "deployment": "nobody"}),
    ];
    let got = said(&respond, &labels, 0);
    println!("{got:#?}\n{}", respond.log());
    let about = |alert: &str| {
        let is_it = |one: &&Value| one["alerts"][0].as_str().unwrap().starts_with(alert);
        got.iter().find(is_it).unwrap_or_else(|| panic!("no {alert}: {got:?}"))
    };
    assert_eq!(
        (about("CartSlow")["target"].as_str(), about("CartSlow")["nodes"][0].as_str()),
        (Some("Pod shop/cart"), Some("a"))
    );
    assert_eq!(about("NodeSlow")["target"], "Node a");
    assert_eq!(about("ScrapeSlow")["target"], "Pod shop/cart");
    assert_eq!(about("ScrapeSlow")["command"], "kubectl netwhy why pod/cart -n shop");
    assert_eq!(about("Missing")["state"], "no_answer");
    assert!(respond.end(Signal::TERM).success(), "{}", respond.log());
    let mut refused = run(NOBODY);
    let none = said(&refused, &labels[..1], 4);
    assert!(none[0]["state"] == "no_answer" && none[0]["verdict"].as_str().unwrap().contains("forbidden"), "{none:?}");
    assert!(refused.end(Signal::TERM).success(), "{}", refused.log());
    drop(fs::remove_file(url));
}
