//! `top` in a real terminal: tmux, keys sent, screens captured.

use crate::{
    shop::Watched,
    tools::{eventually, plugin, skips},
};
use std::process::Command;

/// A terminal, closed on drop.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn start(name: &str, columns: u16, lines: u16, program: &str) -> Self {
        let this = Self { socket: format!("netwhy-{}-{name}", std::process::id()) };
        let size = [columns.to_string(), lines.to_string()];
        // A separate server without user settings. The shell stays, so that the screen after the exit is visible.
        this.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &size[0], "-y", &size[1], "sh"]);
        this.keys(&[&format!("PS1='prompt> '; clear; {program}"), "Enter"]);
        this
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output =
            Command::new("tmux").args(["-L", &self.socket]).args(args).env("TERM", "xterm-256color").output().unwrap();
        assert!(output.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// With colours.
    fn painted(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    /// Waits for a screen.
    #[track_caller]
    fn wait(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        eventually(what, || {
            let screen = self.screen();
            if is(&screen) { Ok(screen) } else { Err(format!("\n{screen}")) }
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

/// Names of the Pods on a screen, from the top.
fn pods(screen: &str) -> Vec<String> {
    let rows = screen.lines().skip(2).take_while(|line| line.contains('/'));
    rows.filter_map(|line| Some(line.split_whitespace().next()?.rsplit('/').next()?.to_owned())).collect()
}

/// Sorted by name, either way.
fn sorts(terminal: &Terminal) {
    terminal.keys(&["<", "<"]);
    let screen = terminal.wait("order by name", |screen| screen.contains("POD▼"));
    let names = pods(&screen);
    terminal.keys(&["r"]);
    let screen = terminal.wait("reversed order", |screen| screen.contains("POD▲"));
    assert_eq!(pods(&screen), names.into_iter().rev().collect::<Vec<_>>(), "{screen}");
    terminal.keys(&["r"]);
}

/// A filter, kept with Enter; then the details of a filtered Pod, and back to all of them.
fn filters_and_drills_down(terminal: &Terminal, all: usize) {
    terminal.keys(&["/", "c", "a", "r", "t"]);
    let screen = terminal.wait("filter being typed", |screen| screen.contains("/cart▏"));
    assert_eq!(pods(&screen), ["cart-a"], "{screen}");
    terminal.keys(&["Enter"]);
    terminal.wait("filter kept", |screen| screen.contains("filter: cart"));
    terminal.keys(&["Enter"]);
    let detail = terminal.wait("detail", |screen| screen.contains("cart-a on a"));
    println!("{detail}");
    assert!(detail.contains("normal") && detail.contains("loss"), "{detail}");
    terminal.keys(&["Escape"]);
    terminal.wait("list again", |screen| pods(screen) == ["cart-a"]);
    terminal.keys(&["Escape"]);
    terminal.wait("no filter", |screen| pods(screen).len() == all);
}

/// Smaller, then larger.
fn resizes(terminal: &Terminal) {
    for (columns, lines) in [("50", "10"), ("160", "40")] {
        terminal.tmux(&["resize-window", "-x", columns, "-y", lines]);
        terminal.wait("resized list", |screen| {
            let last = screen.trim_end().lines().last().unwrap_or_default();
            screen.contains("netwhy · 1 agent")
                && last.contains("↑↓ select")
                && screen.lines().count().to_string() == lines
        });
    }
}

#[test]
fn top_sorts_filters_drills_down_resizes_and_leaves_the_terminal_as_it_was() {
    if skips("top") {
        return;
    }
    if Command::new("tmux").arg("-V").output().is_err() {
        assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "top needs tmux, and CI=true");
        println!("SKIP top: needs tmux");
        return;
    }
    let watched = Watched::open();
    let program = format!("{} top --agent {}", plugin().display(), watched.url);
    let terminal = Terminal::start("top", 120, 24, &program);
    // The first view may lack Pods that have done nothing yet.
    let screen = terminal.wait("list", |screen| pods(screen).len() >= 7 && screen.contains("µs"));
    println!("{screen}");
    assert!(
        screen.starts_with("netwhy · 1 agent") && screen.contains("HINT▼") && screen.contains("q quit"),
        "{screen}"
    );
    assert!(terminal.painted().contains('\x1b'));
    let all = pods(&screen).len();

    sorts(&terminal);
    filters_and_drills_down(&terminal, all);
    resizes(&terminal);
    // It stays live.
    let seen = |screen: &str| screen.lines().next().unwrap_or_default().contains(" 0s ago");
    terminal.wait("new look", seen);

    // Quits, and leaves the shell's screen, cursor and echo as they were. (tmux keeps lines of a screen that shrank.)
    terminal.keys(&["q"]);
    terminal.wait("prompt", |screen| screen.trim_end().ends_with("prompt>"));
    terminal.keys(&["echo code $?", "Enter"]);
    terminal.wait("echo and exit code", |screen| screen.contains("echo code $?") && screen.contains("\ncode 0"));
    assert_eq!(terminal.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).trim(), "0 1");

    // Without color on request; Ctrl-C ends it too.
    terminal.keys(&[&format!("clear; NO_COLOR=1 {program}"), "Enter"]);
    terminal.wait("list without colour", |screen| screen.contains("web-a"));
    let codes = terminal.painted();
    assert!(!codes.contains("\x1b[31") && !codes.contains("\x1b[90"), "{codes:?}");
    terminal.keys(&["C-c"]);
    terminal.wait("prompt after Ctrl-C", |screen| screen.contains("prompt>") && !screen.contains("netwhy · "));
}
