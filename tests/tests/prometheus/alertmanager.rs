//! `kubectl netwhy respond` with a real Alertmanager (Debian's package) and alerts of a real Prometheus.

use crate::{
    http,
    scraper::{Scraper, find},
    world::{Scratch, TRAFFIC, World, wait_until},
};
use netwhy_tests::{built::built, inbox::Inbox, ports};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
};

/// A program that is killed on drop.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// True if Alertmanager is not here; prints it.
fn lacks_alertmanager(test: &str) -> bool {
    if find("prometheus-alertmanager").is_some() {
        return false;
    }
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "{test} needs prometheus-alertmanager, and CI=true");
    println!("SKIP {test}: needs prometheus-alertmanager: `cargo xtask test` unpacks it");
    true
}

fn start(program: &Path, args: &[String], address: SocketAddr, log: &Path, ready: &str) -> Running {
    // Ends with us, even when we are killed.
    let mut command = Command::new(TRAFFIC);
    command.args(["exec", "--"]).arg(program).args(args).env_remove("KUBECONFIG");
    let log = File::create(log).unwrap();
    let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let running = Running { child, address };
    wait_until(ready, || http::get(address, ready, "*/*").is_some_and(|(status, _)| status == 200));
    running
}

/// An Alertmanager with this configuration.
fn alertmanager(dir: &Path, config: &str) -> Running {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("alertmanager.yml"), config).unwrap();
    let address = ports::free().unwrap();
    let args = [
        format!("--config.file={}", dir.join("alertmanager.yml").display()),
        format!("--storage.path={}", dir.join("data").display()),
        format!("--web.listen-address={address}"),
        "--cluster.listen-address=".to_owned(),
    ];
    let program = find("prometheus-alertmanager").unwrap();
    start(&program, &args, address, &dir.join("alertmanager.log"), "/-/ready")
}

/// Alerts as Alertmanager has them.
fn known(alertmanager: &Running) -> Vec<Value> {
    let (status, body) = http::get(alertmanager.address, "/api/v2/alerts", "application/json").unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

fn inbox() -> Inbox {
    Inbox::new(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap()
}

/// The route of docs/respond.md, with shorter times.
fn routes(respond: SocketAddr, people: &Inbox, token: &Path) -> String {
    format!(
        "route:\n  receiver: people\n  group_by: [alertname, namespace, pod]\n  group_wait: 10s\n  \
         group_interval: 1m\n  repeat_interval: 4h\n  routes:\n    \
         - {{receiver: netwhy, group_wait: 0s, continue: true}}\n    - {{receiver: people}}\nreceivers:\n  \
         - name: netwhy\n    webhook_configs:\n      - url: http://{respond}/webhook\n        \
         http_config: {{authorization: {{credentials_file: {}}}}}\n  - name: people\n    webhook_configs:\n      \
         - url: http://{}/\n",
        token.display(),
        people.address()
    )
}

#[test]
fn an_alert_has_its_verdict_when_people_are_told_and_ends_as_without_it() {
    let test = "an_alert_has_its_verdict_when_people_are_told_and_ends_as_without_it";
    if lacks_alertmanager(test) {
        return;
    }
    let Some(mut world) = World::open(test) else { return };
    let dir = world.dir.0.join("alerting");
    fs::create_dir_all(&dir).unwrap();
    let (people, posted, respond_at) = (inbox(), inbox(), ports::free().unwrap());
    let (url, token) = (dir.join("url"), dir.join("token"));
    fs::write(&url, format!("http://{}/hook\n", posted.address())).unwrap();
    fs::write(&token, "secret\n").unwrap();
    let alertmanager = alertmanager(&dir, &routes(respond_at, &people, &token));
    let args = [
        "respond".to_owned(),
        format!("--listen={respond_at}"),
        format!("--agent=http://{}", world.agent().address),
        format!("--alertmanager=http://{}", alertmanager.address),
        format!("--post-url-file={}", url.display()),
        format!("--token-file={}", token.display()),
    ];
    let program = built("NETWHY_PLUGIN", ["--bin", "kubectl-netwhy"]).unwrap();
    let log = dir.join("respond.log");
    let mut respond = start(&program, &args, respond_at, &log, "/livez");
    let read_log = || fs::read_to_string(&log).unwrap();

    let rule = "groups: [{name: shop, interval: 1s, rules: [{alert: CartSends, labels: {severity: info}, \
                annotations: {summary: cart sends}, \
                expr: 'sum by (namespace, pod, node) (rate(netwhy_tcp_segments_sent_total{pod=\"cart-a\"}[6s])) > 0'}]}]";
    fs::write(dir.join("shop.yaml"), rule).unwrap();
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\nrule_files: [shop.yaml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}\nscrape_configs:\n  \
         - {{job_name: netwhy, honor_labels: true, static_configs: [{{targets: ['{}']}}]}}\n",
        alertmanager.address,
        world.agent().address
    );
    let prometheus = Scraper::with(&dir, &config);

    wait_until("people are told", || !people.letters().is_empty());
    let letters = people.letters();
    let told: Value = serde_json::from_str(&letters[0].body).unwrap();
    println!("{told:#}\n{}", read_log());
    let alert = &told["alerts"][0];
    let verdict = alert["annotations"]["netwhy"].as_str().unwrap_or_else(|| panic!("{told}\n{}", read_log()));
    assert!(verdict.contains("cart-a"), "{verdict}");
    assert_eq!(alert["annotations"]["summary"], "cart sends", "its own annotations stay");
    assert!(alert["generatorURL"].as_str().unwrap().contains("/graph"), "{alert}");
    assert_eq!(posted.letters().len(), 1, "{}", read_log());
    let text = &posted.letters()[0].body;
    assert!(text.starts_with("CartSends (info): Pod "), "{text}");
    assert!(text.lines().nth(1).is_some_and(|sentence| verdict.starts_with(sentence)), "{text}\n{verdict}");
    // One notification, though the alert has two versions.
    assert_eq!((letters.len(), told["alerts"].as_array().unwrap().len()), (1, 1));

    // The alert ends with its cause, not with our version's timeout of five minutes.
    assert_eq!(known(&alertmanager).len(), 1);
    world.shop.program("cart-a").unwrap().stop();
    wait_until("the alert is over", || known(&alertmanager).is_empty());
    drop(prometheus);
    kill_process(Pid::from_child(&respond.child), Signal::TERM).unwrap();
    assert!(respond.child.wait().unwrap().success(), "{}", read_log());
}

/// Why `respond` tells overload with 503.
#[test]
fn alertmanager_repeats_what_got_503_and_not_what_got_429() {
    let test = "alertmanager_repeats_what_got_503_and_not_what_got_429";
    if lacks_alertmanager(test) {
        return;
    }
    let scratch = Scratch::new("alertmanager-retries");
    for (status, repeats) in [(503, true), (429, false)] {
        let (people, busy) = (inbox(), inbox());
        busy.answer_with(status);
        let token = scratch.0.join("token");
        fs::write(&token, "secret").unwrap();
        let alertmanager = alertmanager(&scratch.0.join(status.to_string()), &routes(busy.address(), &people, &token));
        let alert = json!([{"labels": {"alertname": "X"}, "annotations": {}}]).to_string();
        let answer = http::post_json(alertmanager.address, "/api/v2/alerts", &alert).unwrap();
        assert_eq!(answer.0, 200, "{answer:?}");
        // By then it had ten seconds for its attempts.
        wait_until("people are told", || !people.letters().is_empty());
        let attempts = busy.letters();
        assert_eq!(attempts.len() > 1, repeats, "{status}: {} attempts", attempts.len());
        assert_eq!(attempts[0].headers["authorization"], "Bearer secret");
        let sent: Value = serde_json::from_str(&attempts[0].body).unwrap();
        assert_eq!((sent["version"].as_str(), sent["alerts"][0]["status"].as_str()), (Some("4"), Some("firing")));
        assert!(sent["alerts"][0]["fingerprint"].as_str().is_some_and(|text| !text.is_empty()), "{sent}");
    }
}
