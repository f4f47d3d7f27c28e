//! `kubectl netwhy <TAB>`.

use crate::{
    reach_servers::Api,
    tools::{Said, Scratch, command, eventually, kubeconfig, plugin},
};
use std::{process::Command, time::Instant};

/// The plugin under both of its names in one folder, as the archives have it.
fn installed(scratch: &Scratch) {
    for name in ["kubectl-netwhy", "kubectl_complete-netwhy"] {
        std::os::unix::fs::symlink(plugin(), scratch.file(name)).unwrap();
    }
}

fn lines(said: &Said) -> Vec<&str> {
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    said.out.lines().collect()
}

#[test]
fn kubectl_completes_commands_flags_and_names_of_the_cluster() {
    let api = Api::start();
    let scratch = Scratch::new("completion");
    installed(&scratch);
    let contexts = [("one", api.url.as_str(), "t"), ("two", "http://127.0.0.1:1", "t")];
    let config = scratch.write("config", &kubeconfig(&contexts, "shop"));
    let run = |program: &str, words: &[&str]| {
        let mut line = Command::new(program);
        let path = format!("{}:{}", scratch.file("").display(), std::env::var("PATH").unwrap_or_default());
        Said::of(line.args(words).env("PATH", path).env("KUBECONFIG", &config).output().unwrap())
    };
    let own = scratch.file("kubectl_complete-netwhy");
    let own = own.to_str().unwrap();
    let complete = |words: &[&str]| lines(&run(own, words)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    // Names that come later than people wait are left out: on a busy machine again.
    let completes = |words: &[&str], expected: &[&str]| {
        eventually("candidates", || {
            let got = complete(words);
            if got == expected { Ok(()) } else { Err(format!("{words:?}: {got:?}, not {expected:?}")) }
        });
    };
    assert!(complete(&["wh"])[0].starts_with("why\t"));
    assert_eq!(complete(&["hints", "-o", "js"]), ["json\tFor programs", ":4"]);
    completes(&["why", "pod/pay"], &["pod/payment-1", ":4"]);
    assert!(api.take().contains("/namespaces/shop/pods?"));
    assert_eq!(complete(&["why", "node/", "-n", "x", "svc/"]), [":4"], "a second target");
    completes(&["-n", "x", "why", "deploy/"], &["deploy/payment-1", ":4"]);
    assert!(api.take().contains("/apis/apps/v1/namespaces/x/deployments?"));
    assert_eq!(complete(&["why", "no"]), ["node/", ":6"]);
    completes(&["hints", "-n", ""], &["payment-1", ":4"]);
    assert_eq!(complete(&["hints", "--contexts", "one,t"]), ["one,two", ":4"]);
    assert_eq!(complete(&["hints", "--kubeconfig", ""]), [":0"]);
    api.take();
    completes(&["shell", "pod/two-containers", "-c", ""], &["app", "proxy", ":4"]);
    assert!(api.take().contains("/namespaces/shop/pods/two-containers "));
    completes(&["logs", "two-containers", "--container", "pr"], &["proxy", ":4"]);
    api.take();
    assert_eq!(complete(&["logs", "node/two-containers", "-c", ""]), [":4"], "any containers");
    assert_eq!(api.take(), "");
    if Command::new("kubectl").arg("version").arg("--client").output().is_ok_and(|output| output.status.success()) {
        let said = run("kubectl", &["__complete", "netwhy", "why", "pod/"]);
        assert_eq!(said.out.lines().collect::<Vec<_>>(), ["pod/payment-1", ":4"], "{}", said.err);
    } else {
        println!("SKIP kubectl itself: there is none");
    }
}

#[test]
fn completion_is_quick_and_silent_whatever_happens() {
    let (silent, scratch) = (Api::silent(), Scratch::new("silence"));
    let slow = scratch.write("slow", &kubeconfig(&[("one", &silent.url, "t")], "shop"));
    let broken = scratch.write("broken", "{");
    let complete =
        |file: &str| Said::of(command(&["__complete", "why", "--kubeconfig", file, "pod/"]).output().unwrap());
    assert_eq!(lines(&complete(broken.to_str().unwrap())), [":4"]);
    assert_eq!(lines(&complete("/nonexistent")), [":4"]);
    let begin = Instant::now();
    assert_eq!(lines(&complete(slow.to_str().unwrap())), [":4"]);
    // Its own limit is 0.9 s, that of other commands 5 s. A process may take a while to start.
    assert!(begin.elapsed().as_millis() < 4_500, "{:?}", begin.elapsed());
}
