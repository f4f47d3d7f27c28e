//! `ui` in a real browser: Chromium without a screen, driven by Playwright, in front of real agents.

use crate::{
    fleet::Fleet,
    shop::Watched,
    tools::{Said, Scratch, command, kubeconfig, skips},
};
use netwhy_tests::{browser, lab::Fault};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plugin_lookups/ui_browser.mjs");
/// Where pictures of the page are kept.
const PICTURES: &str = env!("CARGO_TARGET_TMPDIR");

/// The plugin's page. Killed on drop.
struct Page {
    child: Child,
    url: String,
}

impl Page {
    fn open(flags: &[&str]) -> Self {
        let mut command = command(&["ui", "--no-browser"]);
        let mut child = command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let output = child.wait_with_output().unwrap();
            panic!("no URL: {}", String::from_utf8_lossy(&output.stderr));
        }
        Self { child, url: line.trim().to_owned() }
    }

    /// Its port and token.
    fn place(&self) -> (u16, &str) {
        let rest = self.url.strip_prefix("http://127.0.0.1:").unwrap();
        let (port, path) = rest.split_once('/').unwrap();
        (port.parse().unwrap(), path.strip_suffix('/').unwrap())
    }

    /// Status of a request as it stands.
    fn ask(&self, method: &str, path: &str, host: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.place().0)).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(mut self) -> Said {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Said { code: self.child.wait().unwrap().code().unwrap_or(-1), out, err }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command line of the browser. `None`: there is none, which is said.
fn driver(test: &str) -> Option<Command> {
    // target/debug/deps/plugin_lookups-…
    let own = std::env::current_exe().unwrap();
    let target = own.ancestors().nth(3).map(Path::to_path_buf).unwrap();
    match browser::find(&target) {
        Ok(browser) => {
            let mut command = Command::new(browser.node);
            command.arg(SCRIPT).env("DRIVER", browser.driver.join("index.mjs")).env("CHROMIUM", browser.chromium);
            Some(command)
        }
        Err(missing) => {
            assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "{test} needs {missing}, and CI=true");
            println!("SKIP {test}: no {missing}: `cargo xtask test` installs it");
            None
        }
    }
}

/// Runs a scenario of the script, which fails with what was wrong on the screen.
fn run(mut driver: Command, scenario: &str, url: &str) {
    let pictures = PathBuf::from(PICTURES).join("ui");
    fs::create_dir_all(&pictures).unwrap();
    let output = driver.args([scenario, url]).arg(&pictures).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    println!("{}", text(&output.stdout));
    assert!(output.status.success(), "{scenario}: {}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn a_real_fault_is_on_the_page_and_the_keyboard_leads_to_its_cause() {
    let test = "ui on a real agent";
    if skips(test) {
        return;
    }
    let Some(driver) = driver(test) else { return };
    let scratch = Scratch::new("ui");
    let history = scratch.file("history");
    let text = format!("signals:\n  responses: on\nhistory:\n  folder: {}\n", history.display());
    let settings = format!("--config={}", scratch.write("netwhy.yaml", &text).display());
    let mut watched = Watched::open_with(&[&settings]);
    let fault: Fault = "refused".parse().unwrap();
    let injected = fault.inject(&mut watched.shop).unwrap();
    let page = Page::open(&["--agent", &watched.url]);
    run(driver, "fault", &page.url);
    injected.heal(&mut watched.shop).unwrap();
    let said = page.interrupt();
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
}

#[test]
fn nodes_of_a_fleet_are_a_heat_map_that_the_keyboard_walks() {
    let Some(driver) = driver("ui on a fleet") else { return };
    let fleet = Fleet::start(12, 1);
    let scratch = Scratch::new("ui-fleet");
    let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
    let page = Page::open(&["--kubeconfig", config.to_str().unwrap(), "--request-timeout", "3s", "-A"]);
    run(driver, "fleet", &page.url);
}

/// Sockets of a process that listen: address and port as in /proc/net/tcp.
fn listening(pid: u32) -> Vec<String> {
    let fds = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links: Vec<String> =
        fds.filter_map(|fd| Some(fs::read_link(fd.path()).ok()?.to_string_lossy().into_owned())).collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        let rows = text.lines().skip(1).map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let own = rows.filter(|row| row[3] == "0A" && links.contains(&format!("socket:[{}]", row[9])));
        found.extend(own.map(|row| row[1].clone()));
    }
    found
}

#[test]
fn the_page_is_on_loopback_needs_its_token_and_ends_with_ctrl_c() {
    let fleet = Fleet::start(3, 0);
    let scratch = Scratch::new("ui-door");
    let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
    let page = Page::open(&["--kubeconfig", config.to_str().unwrap()]);
    let (port, token) = page.place();
    assert_eq!(listening(page.child.id()), [format!("0100007F:{port:04X}")]);

    let hints = format!("/{token}/api/hints?namespace=*");
    let (status, answer) = page.ask("GET", &hints, "127.0.0.1");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(status, 200, "{answer}");
    assert!(head.to_lowercase().contains("content-security-policy: default-src 'none'; script-src 'self';"), "{head}");
    let hints_json: Value = serde_json::from_str(body).unwrap();
    assert_eq!(hints_json["agents"], 3, "{body}");
    assert_eq!(page.ask("GET", &format!("/{token}/"), "localhost").0, 200);
    for (method, path, host, status) in [
        ("GET", hints.as_str(), "evil.example", 403),
        ("GET", "/api/hints", "localhost", 403),
        ("GET", "/", "localhost", 403),
        ("GET", &format!("/{}/", "A".repeat(token.len())), "localhost", 403),
        ("POST", hints.as_str(), "localhost", 405),
        ("GET", &format!("/{token}/none"), "localhost", 404),
    ] {
        assert_eq!(page.ask(method, path, host).0, status, "{method} {path} {host}");
    }

    // An open connection does not hold it.
    let idle = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let said = page.interrupt();
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
    assert!(said.err.contains("only this URL opens the page; Ctrl-C ends it"), "{}", said.err);
    drop(idle);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn without_an_agent_or_a_port_it_fails_like_other_commands() {
    let ask = |args: &[&str]| Said::of(command(args).output().unwrap());
    ask(&["ui", "--no-browser", "--agent", "http://127.0.0.1:9"]).failed(&["127.0.0.1:9"]);
    ask(&["ui", "-o", "json", "--agent", "http://127.0.0.1:9"]).failed(&["ui has no output formats"]);
    let fleet = Fleet::start(2, 0);
    let scratch = Scratch::new("ui-port");
    let config = scratch.write("config", &kubeconfig(&[("c", &fleet.url, "t")], "shop"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    ask(&["ui", "--no-browser", "--port", &port, "--kubeconfig", config.to_str().unwrap()])
        .failed(&["can't listen on 127.0.0.1", "pass another --port"]);
}
