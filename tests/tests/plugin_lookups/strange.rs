//! Servers that are not agents, have another version, or never answer.

use crate::tools::{Scratch, ask, kubeconfig};
use netwhy_tests::ports;
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    time::{Duration, Instant},
};

/// A server that sends these bytes for every request; `None`: no answer. It ends with the process.
fn server(answer: Option<String>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            match &answer {
                None => held.push(stream),
                Some(answer) => {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request);
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        }
    });
    url
}

fn answer(head: &str, body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()))
}

/// Sequences that terminals obey, and characters that hide or reorder text.
const HOSTILE: &str = "\x1b[31mEVIL\x1b]52;c;ZXZpbA==\x07\rOVER\x08\u{9b}2J\u{202e}\u{200b}\u{ad}\nerror: forged";

#[test]
fn hostile_texts_reach_no_terminal() {
    let quoted = serde_json::json!(HOSTILE).to_string();
    // A header with other bytes is none that tells a version.
    let visible: String = HOSTILE.chars().filter(char::is_ascii_graphic).collect();
    let servers = [
        server(answer("500 Oops", &format!("{{\"error\":{quoted}}}"))),
        server(answer("500 Oops\r\nServer: netwhy-agent/0.1.0", &format!("{{\"error\":{quoted}}}"))),
        server(answer("404 Not Found", HOSTILE)),
        server(answer("200 OK", &format!("[{{\"id\":{quoted},\"state\":{quoted}}}]"))),
        server(answer(&format!("200 OK\r\nServer: netwhy-agent/9.9{visible}"), "[]")),
    ];
    for url in servers.iter().map(String::as_str).chain([HOSTILE]) {
        for command in
            COMMANDS.into_iter().chain([&["why", HOSTILE][..], &["hints", HOSTILE], &["hints", "-n", HOSTILE]])
        {
            let args: Vec<&str> = command.iter().copied().chain(["--agent", url]).collect();
            let said = ask(&args);
            assert_eq!((said.code, said.out.as_str()), (1, ""), "{args:?}");
            assert_visible(&said.err);
        }
    }
    let scratch = Scratch::new("hostile");
    let contexts = [(HOSTILE, "http://127.0.0.1:1", "t"), ("two", "http://127.0.0.1:1", "t")];
    let file = scratch.write("config", &kubeconfig(&contexts, "shop"));
    let file = file.to_str().unwrap();
    for more in [&["--all-contexts"][..], &["--context", "three"], &["--context", HOSTILE]] {
        let args: Vec<&str> = ["hints", "--kubeconfig", file].iter().chain(more).copied().collect();
        assert_visible(&ask(&args).err);
    }
}

/// Panics if a text has a character that a terminal obeys or hides, or a forged line.
#[track_caller]
fn assert_visible(text: &str) {
    let hidden = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{200b}\u{ad}".contains(c));
    assert!(!text.contains(hidden), "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("error: forged")), "{text:?}");
    assert!(text.contains("error: "), "{text:?}");
}

const COMMANDS: [&[&str]; 5] = [&["why", "pod/x"], &["hints"], &["nodes"], &["matrix"], &["diagnose"]];

#[test]
fn nobody_listens() {
    let free = ports::free().unwrap();
    for command in COMMANDS {
        let args: Vec<&str> = command.iter().copied().chain(["--agent", "URL"]).collect();
        let url = format!("http://{free}");
        let args: Vec<&str> = args.into_iter().map(|arg| if arg == "URL" { url.as_str() } else { arg }).collect();
        ask(&args).failed(&["no agent answers at", "check that it runs"]);
    }
}

#[test]
fn an_agent_of_another_version_is_named_with_both_versions() {
    let url = server(answer("200 OK\r\nServer: netwhy-agent/9.9.9\r\nContent-Type: application/json", "[]"));
    for command in COMMANDS {
        let args: Vec<&str> = command.iter().copied().chain(["--agent", &url]).collect();
        ask(&args).failed(&["version 9.9.9", env!("CARGO_PKG_VERSION"), "use the plugin of the agents' version"]);
    }
}

#[test]
fn an_agent_of_the_next_version_is_asked_and_what_it_has_more_is_passed_over() {
    let mut numbers = env!("CARGO_PKG_VERSION").split('.').map(|number| number.parse::<u64>().unwrap());
    let (major, minor) = (numbers.next().unwrap(), numbers.next().unwrap());
    let head = format!("200 OK\r\nServer: netwhy-agent/{major}.{}.0\r\nContent-Type: application/json", minor + 1);
    ask(&["hints", "--agent", &server(answer(&head, "[]"))]).well();
    // One line says what is not understood.
    let url = server(answer(&head, "[{\"id\":\"a\",\"state\":\"of a newer agent\"}]"));
    ask(&["hints", "--agent", &url]).failed(&["can't read the answer", "of a newer agent", "use the plugin of"]);
}

#[test]
fn another_program_on_the_port_is_no_agent() {
    let url = server(answer("404 Not Found\r\nServer: nginx", "<html>\n<body>404</body></html>"));
    ask(&["hints", "--agent", &url]).failed(&["answers 404", "check that this is netwhy's port"]);
    let url = server(answer("200 OK", "<html>hello</html>"));
    ask(&["hints", "--agent", &url]).failed(&["can't read"]);
}

#[test]
fn a_silent_server_is_given_up_after_the_time_that_was_asked_for() {
    let url = server(None);
    // The first use may build the plugin.
    ask(&["--version"]).well();
    let begin = Instant::now();
    ask(&["why", "x", "--agent", &url, "--request-timeout", "1s"])
        .failed(&["no answer within 1 s", "--request-timeout"]);
    assert!((1.0..20.0).contains(&begin.elapsed().as_secs_f64()), "{:?}", begin.elapsed());
    let begin = Instant::now();
    let said = ask(&["hints", "--agent", &url, "--request-timeout", "3"]);
    said.failed(&["no answer within 3 s"]);
    assert!(said.err.contains("0 of 1 agents have answered"), "a wait is explained: {}", said.err);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn configurations_that_can_not_be_used_are_told_in_one_line() {
    ask(&["hints"]).failed(&["no cluster found", "--agent URL"]);
    ask(&["hints", "--kubeconfig", "/nonexistent"]).failed(&["/nonexistent"]);
    ask(&["hints", "--agent", "ftp://x"]).failed(&["http://HOST:9812"]);
    let scratch = Scratch::new("config");
    let file = scratch.write("config", &kubeconfig(&[("one", "http://127.0.0.1:1", "t")], "shop"));
    let file = file.to_str().unwrap();
    ask(&["hints", "--kubeconfig", file, "--context", "two"]).failed(&["no context is named \"two\"", "one"]);
    ask(&["hints", "--kubeconfig", file]).failed(&["the API server does not answer", "check --context"]);
    ask(&["why", "pod/x", "--kubeconfig", file]).failed(&["Pod shop/x", "the API server does not answer"]);
    let broken = scratch.write("broken", "{");
    ask(&["hints", "--kubeconfig", broken.to_str().unwrap()]).failed(&["invalid kubeconfig"]);
}

#[test]
fn bad_usage_ends_with_1_and_help_with_0() {
    for bad in
        [&["why"][..], &["why", "secret/x"], &["nonsense"], &["hints", "-o", "xml"], &["hints", "--since", "soon"]]
    {
        let said = ask(bad);
        assert_eq!((said.code, said.out.as_str()), (1, ""), "{bad:?}");
        assert!(said.err.starts_with("error: "), "{}", said.err);
    }
    let help = ask(&["--help"]).well();
    assert!(help.out.contains("Usage: kubectl netwhy") && help.out.contains("why pod/payment"), "{}", help.out);
    assert!(ask(&["--version"]).well().out.contains(env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        let script = ask(&["completion", shell]).well().out;
        assert!(script.contains("kubectl-netwhy") && script.contains("topology"), "{shell}");
    }
}
