//! `shell` on a real kubelet: exit codes, streams, stdin and its end, limits, rules with a recording, and the record.
//! Its API server (1.20) can't pass on the end of stdin.

use crate::{
    SOON,
    kube::Cluster,
    pods::{command, text, well},
    terminal::terminal,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub(crate) fn shell(cluster: &Cluster) {
    commands(cluster);
    stdin(cluster);
    closed_pipe(cluster);
    limits(cluster);
    rules(cluster);
    terminal(cluster);
    record(cluster);
}

/// Waits for its end. `None`: it was killed, because it did not end.
fn status(child: &mut Child) -> Option<ExitStatus> {
    let begun = Instant::now();
    // One command sleeps for 45 s.
    while begun.elapsed() < 2 * SOON {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

fn read(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        from.read_to_end(&mut all).unwrap();
        all
    })
}

/// Runs it. A session that hangs is a failure, and no test that hangs.
#[track_caller]
fn output(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (read(child.stdout.take().unwrap()), read(child.stderr.take().unwrap()));
    let status = status(&mut child);
    let (stdout, stderr) = (out.join().unwrap(), err.join().unwrap());
    let Some(status) = status else {
        panic!("no end within {:?}: {} bytes, {}", 2 * SOON, stdout.len(), text(&stderr));
    };
    Output { status, stdout, stderr }
}

/// Runs a command in a container.
#[track_caller]
fn run(cluster: &Cluster, line: &[&str]) -> Output {
    output(command(cluster, &[&["shell", "server-0", "--"], line].concat()))
}

/// The same with this stdin, from a file: it has an end.
#[track_caller]
fn with_input(cluster: &Cluster, args: &[&str], input: &[u8]) -> Output {
    let path = cluster.state().join("stdin");
    fs::write(&path, input).unwrap();
    let mut command = command(cluster, &[&["shell", "server-0"], args].concat());
    command.stdin(fs::File::open(path).unwrap());
    output(command)
}

fn commands(cluster: &Cluster) {
    let output = run(cluster, &["sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!(
        (output.status.code(), text(&output.stdout), text(&output.stderr)),
        (Some(7), "out\n".into(), "err\n".into())
    );
    assert_eq!(well(&run(cluster, &["hostname"])), ("server-0\n".into(), String::new()));
    let none = run(cluster, &["no-such-program"]);
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    assert!(text(&none.stderr).starts_with("error: ") && text(&none.stderr).lines().count() == 1, "{none:?}");
}

/// A command that waits for the end of stdin ends, although v4 of the protocol has no such end.
fn stdin(cluster: &Cluster) {
    let counted = with_input(cluster, &["--", "wc", "-c"], b"hel\0o");
    assert_eq!(well(&counted).0.trim(), "5");
    // More than all buffers hold, back and forth.
    let long: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let same = with_input(cluster, &["--", "cat"], &long);
    assert!(same.status.success() && same.stdout == long, "{} bytes, {}", same.stdout.len(), text(&same.stderr));
    assert_eq!(well(&with_input(cluster, &["--", "cat"], b"")), (String::new(), String::new()));
    let script = with_input(cluster, &[], b"echo from a script\nexit 5\n");
    assert_eq!((script.status.code(), text(&script.stdout).as_str()), (Some(5), "from a script\n"), "{script:?}");
    // A command that does not read all of it.
    let first = with_input(cluster, &["--", "sh", "-c", "read line; echo $line"], &[&b"one\n"[..], &long].concat());
    assert_eq!(well(&first).0, "one\n");

    // A pipe, as `echo select 1 | kubectl netwhy shell …` makes it.
    let mut piped = command(cluster, &["shell", "server-0", "--", "cat"]);
    let mut echo = Command::new("echo").arg("select 1").stdout(Stdio::piped()).spawn().unwrap();
    piped.stdin(echo.stdout.take().unwrap());
    assert_eq!(well(&output(piped)).0, "select 1\n");
    assert!(echo.wait().unwrap().success());

    // Too long to go by its length: one line, and nothing runs.
    let refused = with_input(cluster, &["--", "sh", "-c", "echo ran"], &vec![b'x'; 9 << 20]);
    assert_eq!((refused.status.code(), refused.stdout.as_slice()), (Some(1), &b""[..]), "{refused:?}");
    let said = text(&refused.stderr);
    let line = "error: the command did not run: stdin is longer than 8 MiB";
    assert!(said.starts_with(line) && said.contains("kubectl exec -i") && said.lines().count() == 1, "{said}");

    // A folder can't be read: that is no end of stdin.
    let mut broken = command(cluster, &["shell", "server-0", "--", "sh", "-c", "echo ran"]);
    broken.stdin(fs::File::open(cluster.state()).unwrap());
    let broken = output(broken);
    assert_eq!((broken.status.code(), broken.stdout.as_slice()), (Some(1), &b""[..]), "{broken:?}");
    let said = text(&broken.stderr);
    assert!(said.starts_with("error: the command did not run: stdin can't be read: "), "{said}");

    // A command that reads its stdin late.
    let late = with_input(cluster, &["--", "sh", "-c", "sleep 45; wc -c"], &long);
    assert_eq!(well(&late).0.trim(), "1000000");

    // A stdin without an end is waited for, with a note, within the limits.
    let (silent, open) = std::io::pipe().unwrap();
    let mut endless = command(cluster, &["shell", "server-0", "--max-time", "4s", "--", "sh", "-c", "echo ran"]);
    endless.stdin(silent);
    let endless = output(endless);
    drop(open);
    assert_eq!((endless.status.code(), endless.stdout.as_slice()), (Some(124), &b""[..]), "{endless:?}");
    let said = text(&endless.stderr);
    assert!(said.contains("note: waits for the end of stdin") && said.contains("a session lasts 4s at most"), "{said}");
}

/// `shell … | head -1`: no failure, and no message.
fn closed_pipe(cluster: &Cluster) {
    let mut long = command(cluster, &["shell", "server-0", "--", "sh", "-c", "yes | head -c 20000000; sleep 5"]);
    let mut child = long.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let err = read(child.stderr.take().unwrap());
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 2]).unwrap();
    drop(out);
    let code = status(&mut child).map(|status| status.code());
    let said = text(&err.join().unwrap());
    assert_eq!((code, said.as_str()), (Some(Some(0)), ""), "{code:?} {said}");
}

fn limits(cluster: &Cluster) {
    for flag in ["--idle-timeout", "--max-time"] {
        // The command itself would end after 30 s.
        let begun = Instant::now();
        let output = output(command(cluster, &["shell", "server-0", flag, "1s", "--", "sleep", "30"]));
        assert_eq!(output.status.code(), Some(124), "{output:?}");
        assert!(text(&output.stderr).contains("ended: ") && begun.elapsed() < Duration::from_secs(25), "{output:?}");
    }
    let mut child = command(cluster, &["shell", "server-0", "--", "sh", "-c", "echo runs; sleep 30"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 5]).unwrap();
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(status(&mut child).unwrap().code(), Some(143));
}

/// Rules that the chart writes, with a recording.
fn rules(cluster: &Cluster) {
    cluster.apply(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: netwhy-shell, namespace: netwhy}\n\
         data: {shell.yaml: \"record: required\\ncommands: [hostname]\"}\n",
    );
    let refused = run(cluster, &["hostname"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("pass --record FILE"), "{refused:?}");
    let file = cluster.state().join("one.cast");
    let name = file.to_str().unwrap();
    let recorded = output(command(cluster, &["shell", "server-0", "--record", name, "--", "hostname"]));
    assert_eq!(well(&recorded).0, "server-0\n");
    let lines: Vec<Value> =
        fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["version"], &lines[0]["command"]), (&2.into(), &"hostname".into()));
    assert_eq!((&lines[1][1], &lines[1][2]), (&"o".into(), &"server-0\n".into()));
    let other = output(command(cluster, &["shell", "server-0", "--record", name, "--", "id"]));
    assert!(text(&other.stderr).contains("do not allow the command"), "{other:?}");
    cluster.kubectl(&["delete", "configmap", "-n", "netwhy", "netwhy-shell"]);
}

/// Each session has its two lines, and Events on the Pod.
fn record(cluster: &Cluster) {
    let file = cluster.state().join("netwhy/audit.jsonl");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let lines: Vec<Value> =
        fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    let (begun, ended) = (of("begin"), of("end"));
    assert_eq!(begun.len(), ended.len(), "{lines:?}");
    let end = |begin: &Value| {
        let mut ends = ended.iter().filter(|end| end["id"] == begin["id"]);
        let end = *ends.next().unwrap_or_else(|| panic!("no end of {begin}"));
        assert!(ends.next().is_none(), "two ends of {begin}");
        end
    };
    assert!(begun.iter().all(|begin| end(begin)["pod_event"] == "written"), "{ended:?}");
    let session = |command: Value| {
        let begin = begun.iter().find(|begin| begin["command"] == command).unwrap_or_else(|| panic!("{command}"));
        (*begin, end(begin))
    };
    let (begin, exit) = session(json!(["sh", "-c", "echo out; echo err >&2; exit 7"]));
    assert_eq!((&begin["namespace"], &begin["pod"]), (&json!("default"), &json!("server-0")), "{begin}");
    assert_eq!((&begin["container"], &begin["tty"]), (&json!("c"), &json!(false)), "{begin}");
    assert!(begin["user"].is_string() || begin["user_unknown"].is_string(), "{begin}");
    assert_eq!((&exit["end"], &exit["code"], &exit["bytes_out"]), (&json!("exit"), &json!(7), &json!(8)), "{exit}");
    // The command as it was given, without what passes stdin on.
    let (_, counted) = session(json!(["wc", "-c"]));
    assert_eq!((&counted["code"], &counted["bytes_in"]), (&json!(0), &json!(5)), "{counted}");
    assert!(begun.iter().any(|begin| begin["tty"] == true) || !crate::terminal::is_possible(), "{begun:?}");
    // Each way to end has its name.
    for (name, least) in
        [("idle_timeout", 1), ("max_time", 2), ("signal", 1), ("not_run", 1), ("unread", 1), ("failed", 1)]
    {
        let count = ended.iter().filter(|end| end["end"] == name).count();
        assert!(count >= least, "{count} times {name}: {ended:?}");
    }
    let refused = of("refused");
    assert!(refused.len() == 2 && refused.iter().all(|line| line["policy"] == "netwhy/netwhy-shell"), "{refused:?}");

    let events = cluster.kubectl(&["get", "events", "-o", "json"]);
    let events: Value = serde_json::from_str(&events).unwrap();
    for reason in ["NetwhyShellBegan", "NetwhyShellEnded"] {
        let is_it = |event: &Value| event["reason"] == reason && event["involvedObject"]["name"] == "server-0";
        assert!(events["items"].as_array().unwrap().iter().any(is_it), "no {reason}");
    }
}
