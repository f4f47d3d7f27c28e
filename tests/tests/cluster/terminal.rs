//! `shell` in a terminal of its own: tmux, keys sent, screens captured.

use crate::{
    SOON,
    kube::{Cluster, eventually},
    pods::{command, text},
};
use std::{fs, process::Command};

/// Prompt of the shell around the session.
const HERE: &str = "here>";

/// Closed on drop.
struct Terminal<'c> {
    cluster: &'c Cluster,
    socket: String,
}

impl Terminal<'_> {
    fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        let output = command.args(["-L", &self.socket]).args(args).env("TERM", "xterm-256color").output().unwrap();
        assert!(output.status.success(), "tmux {args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Types a line.
    fn line(&self, line: &str) {
        self.tmux(&["send-keys", line, "Enter"]);
    }

    #[track_caller]
    fn wait(&self, what: &str, is: impl Fn(&str) -> bool) {
        eventually(self.cluster, SOON, what, || {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if is(screen.trim_end()) { Ok(()) } else { Err(format!("\n{screen}")) }
        });
    }

    /// Waits until the session is over. Keys before that would be the container's.
    #[track_caller]
    fn is_back(&self) {
        self.wait("own prompt", |screen| screen.ends_with(HERE));
    }

    /// Waits until a program in the container has the terminal's size.
    #[track_caller]
    fn has_size(&self) {
        let size = self.tmux(&["display-message", "-p", "#{pane_height} #{pane_width}"]);
        let size = format!("\n{}\n", size.trim());
        eventually(self.cluster, SOON, "size of the terminal", || {
            self.line("clear; echo; stty size; echo");
            let screen = self.tmux(&["capture-pane", "-p"]);
            if screen.contains(&size) { Ok(()) } else { Err(format!("no {size:?}:\n{screen}")) }
        });
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

pub(crate) fn is_possible() -> bool {
    Command::new("tmux").arg("-V").output().is_ok()
}

/// Keys, Ctrl-C, sizes and the exit code go through, and the terminal is as before.
pub(crate) fn terminal(cluster: &Cluster) {
    if !is_possible() {
        assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "terminal of shell needs tmux, and CI=true");
        println!("SKIP terminal of shell: needs tmux");
        return;
    }
    let terminal = Terminal { cluster, socket: format!("netwhy-shell-{}", std::process::id()) };
    terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "sh"]);
    terminal.line(&format!("PS1='{HERE} '; clear"));
    terminal.is_back();
    let plain = command(cluster, &["shell", "server-0"]);
    let mut line = format!("clear; XDG_STATE_HOME={}", cluster.state().display());
    for word in std::iter::once(plain.get_program()).chain(plain.get_args()) {
        line.push(' ');
        line.push_str(word.to_str().unwrap());
    }
    let cast = cluster.state().join("tty.cast");
    terminal.line(&format!("{line} --record {}", cast.display()));
    // root's prompt, in whatever folder: `~ #` or `/ #`.
    terminal.wait("prompt of the container", |screen| screen.ends_with('#'));
    terminal.has_size();
    terminal.tmux(&["resize-window", "-x", "90", "-y", "20"]);
    terminal.has_size();
    terminal.line("clear; echo waits; sleep 1000");
    terminal.wait("a program that waits", |screen| screen.lines().any(|line| line == "waits"));
    terminal.tmux(&["send-keys", "C-c"]);
    terminal.line("echo still $((40+2))");
    terminal.wait("shell after Ctrl-C", |screen| screen.lines().any(|line| line == "still 42"));
    terminal.line("clear; exit 3");
    terminal.is_back();
    // Three settings of a terminal that a person types at.
    let settings = "stty -a | tr ' ;' '\\n\\n' | grep -cx -e icanon -e echo -e isig";
    let sane = |code: u8| {
        terminal.line(&format!("echo code $?; {settings}"));
        let expected = format!("\ncode {code}\n3\n");
        terminal.wait("exit code and a sane terminal", |screen| screen.contains(&expected));
    };
    sane(3);
    let text = fs::read_to_string(&cast).unwrap();
    assert!(text.contains("\"r\",\"90x20\"") && text.contains("still 42"), "{text}");

    // A limit ends it, and the terminal is restored too.
    terminal.line(&format!("{line} --max-time 3s"));
    terminal.wait("end of the longest session", |screen| screen.contains("a session lasts 3s at most"));
    terminal.is_back();
    sane(124);
}
