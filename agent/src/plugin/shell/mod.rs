//! `shell`: a command or shell in a container, within the cluster's rules, with a record of who did what where.
//!
//! ```text
//! place ─► policy ─► audit ─► talk ─► audit
//!                              ├─ stdin: which protocol; the end of stdin
//!                              ├─ local: terminal, keys, output      asciicast: the recording
//!                              └─ remote: pods/exec over a WebSocket
//! ```
//! Its output is the container's, byte by byte: this is the user's terminal in the container. All else is escaped.

mod asciicast;
mod audit;
mod local;
mod policy;
mod remote;
mod stdin;
mod talk;

use super::{
    Failure,
    cli::{Cli, Format, ShellArgs},
    fetch::{self, Place, Session, Streams},
    terminal::now_ms,
};
use crate::{system, text::complain};
use asciicast::{Cast, Head, NO_TERMINAL};
use audit::{About, Audit, Entry, shortened};
use jiff::Timestamp;
use policy::{KEY, Limits, NAME, Policy, Request};
use std::{fs::File, path::Path, process::ExitCode, time::Duration};
use talk::{Outcome, Plan, talk};

/// The default: the better shell of those that there are.
const SHELL: [&str; 3] = ["sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh"];
/// Its name in rules, records and Events.
const SHELL_NAME: &str = "sh";
/// Reasons of the Events.
const BEGAN: &str = "NetwhyShellBegan";
const ENDED: &str = "NetwhyShellEnded";
/// Longest name of a program in an Event, characters. Its arguments may be secrets, and many may read Events.
const MAX_PROGRAM: usize = 64;

/// Runs the command, and ends with its exit code.
///
/// # Errors
/// When it may not run, or its end is not known.
pub(super) async fn run(cli: &Cli, args: &ShellArgs) -> Result<ExitCode, Failure> {
    check(cli)?;
    let sessions = fetch::sessions(&cli.global).await?;
    let [session] = sessions.as_slice() else {
        return Err(Failure::new("shell needs one cluster", "pass --context NAME"));
    };
    let place = fetch::place(session, &args.target, args.container.as_deref()).await?;
    let streams = streams(args, local::terminals());
    let mut audit = Audit::open(&audit::path(std::env::var_os("XDG_STATE_HOME"), std::env::home_dir())?)?;
    let command = named(args);
    let mut about = about(session, cli, args, &place, streams).await;
    let limits = match decide(session, args, &mut about, &command).await {
        Ok(limits) => limits,
        Err(failure) => {
            audit.add(&Entry::Refused { time: time(), about: &about, why: failure.to_string() })?;
            return Err(failure);
        }
    };
    let run = if args.command.is_empty() { SHELL.map(str::to_owned).to_vec() } else { args.command.clone() };
    let recording = args.record.as_ref().map(|path| record(path, &place, &command, streams)).transpose()?;
    audit.add(&Entry::Begin { time: time(), about: &about })?;
    let pod_event = announce_begin(session, &place, &about, &command).await;
    if !place.is_named && place.containers > 1 {
        complain(&format!("note: container {} of {} in this Pod; -c names another", place.container, place.containers));
    }
    let outcome = talk(session, &place, Plan { command: run, streams, limits, recording }).await;
    audit.add(&Entry::End {
        time: time(),
        id: &about.id,
        seconds: outcome.time.as_millis() as f64 / 1e3,
        end: outcome.label(),
        code: outcome.code(),
        why: outcome.why(),
        bytes_in: outcome.bytes_in,
        bytes_out: outcome.bytes_out,
        pod_event: pod_event.as_ref().map_or_else(ToString::to_string, |()| "written".to_owned()),
    })?;
    if pod_event.is_ok() {
        announce_end(session, &place, &about, &command, &outcome).await;
    }
    exit(outcome)
}

/// Checks the text of the rules, as the chart writes it.
///
/// # Errors
/// When the plugin would refuse every session because of it.
pub fn check_rules(text: &str) -> Result<(), Failure> {
    Policy::read(Some(text), NAME).map(drop)
}

/// Refuses flags that mean nothing here.
fn check(cli: &Cli) -> Result<(), Failure> {
    let refuse = |what: &str, remedy: &str| Err(Failure::new(what, remedy));
    match &cli.global {
        global if global.output != Format::Table => refuse("shell has no output formats", "omit -o"),
        global if global.watch => refuse("shell can't be watched", "omit -w"),
        global if global.since.is_some() => refuse("shell has no --since", "omit it"),
        global if global.all_contexts || global.contexts.len() > 1 => {
            refuse("shell needs one cluster", "pass --context NAME")
        }
        _ => Ok(()),
    }
}

/// A terminal in the container if there is one here; else stdin, unless it is a terminal, which nobody types at.
fn streams(args: &ShellArgs, (stdin, stdout): (bool, bool)) -> Streams {
    let tty = stdin && stdout && !args.no_tty && !args.no_stdin;
    Streams { tty, stdin: !args.no_stdin && (tty || !stdin || args.no_tty) }
}

/// Words of the command, as rules and records have them.
fn named(args: &ShellArgs) -> Vec<String> {
    if args.command.is_empty() { vec![SHELL_NAME.to_owned()] } else { args.command.clone() }
}

async fn about(session: &Session, cli: &Cli, args: &ShellArgs, place: &Place, streams: Streams) -> About {
    let (user, user_unknown, groups) = match fetch::user(session).await {
        Ok((name, groups)) => (Some(name), None, groups),
        Err(failure) => (None, Some(failure.to_string()), Vec::new()),
    };
    About {
        id: format!("{}-{}", now_ms(), std::process::id()),
        user,
        user_unknown,
        groups,
        local_user: system::local_user(),
        host: system::host_name(),
        context: cli.global.context.clone(),
        namespace: place.namespace.clone(),
        pod: place.pod.clone(),
        uid: place.uid.clone(),
        container: place.container.clone(),
        node: place.node.clone(),
        command: shortened(&named(args)),
        tty: streams.tty,
        recording: args.record.as_ref().map(|path| path.display().to_string()),
        policy: None,
    }
}

/// Asks for the cluster's rules and follows them.
async fn decide(session: &Session, args: &ShellArgs, about: &mut About, command: &[String]) -> Result<Limits, Failure> {
    let rules = fetch::rules(session, NAME, KEY).await?;
    about.policy = rules.as_ref().map(|rules| rules.place.clone());
    allow(rules.as_ref(), args, &about.namespace, command)
}

/// The limits of the session, if the rules allow it.
fn allow(
    rules: Option<&fetch::Rules>,
    args: &ShellArgs,
    namespace: &str,
    command: &[String],
) -> Result<Limits, Failure> {
    let limits = Limits { idle: args.idle_timeout, max: args.max_time };
    let Some(rules) = rules else { return Ok(limits) };
    let request = Request { namespace, command, is_recorded: args.record.is_some(), limits };
    Policy::read(rules.text.as_deref(), &rules.place)?.allow(&rules.place, &request)
}

fn record(path: &Path, place: &Place, command: &[String], streams: Streams) -> Result<Cast<File>, Failure> {
    let size = if streams.tty { local::size() } else { None };
    let title = format!("{}/{}, container {}", place.namespace, place.pod, place.container);
    let begin = Timestamp::now().as_second();
    asciicast::create(path, &Head { size: size.unwrap_or(NO_TERMINAL), begin, command, title: &title })
}

fn time() -> String {
    Timestamp::now().to_string()
}

fn who(about: &About) -> String {
    about.user.clone().unwrap_or_else(|| format!("local user {} on {}", about.local_user, about.host))
}

/// Tells others who look at the Pod. It needs a right that not everybody has.
async fn announce_begin(session: &Session, place: &Place, about: &About, command: &[String]) -> Result<(), Failure> {
    let text = format!("{} runs {} in container {}", who(about), program(command), place.container);
    fetch::announce(session, place, BEGAN, &text).await
}

async fn announce_end(session: &Session, place: &Place, about: &About, command: &[String], outcome: &Outcome) {
    let code = outcome.code().map(|code| format!(", exit code {code}")).unwrap_or_default();
    let (who, program, container, time) = (who(about), program(command), &place.container, outcome.time.as_secs());
    let text = format!("{who}: {program} in container {container} ended after {time} s{code}");
    if let Err(failure) = fetch::announce(session, place, ENDED, &text).await {
        complain(&format!("warning: {failure}"));
    }
}

/// Name of the program, without its arguments.
fn program(command: &[String]) -> String {
    command.first().map(|word| word.chars().take(MAX_PROGRAM).collect()).unwrap_or_default()
}

/// The exit code of this program.
fn exit(outcome: Outcome) -> Result<ExitCode, Failure> {
    let (code, why) = (outcome.exit_code(), outcome.why());
    match code {
        Some(code) => {
            if !why.is_empty() {
                complain(&format!("netwhy: {why}"));
            }
            Ok(ExitCode::from(code))
        }
        None => Err(outcome.failure()),
    }
}

/// So long ago or long, in words: `15m`, `90s`.
fn span(time: Duration) -> String {
    let s = time.as_secs();
    if s >= 120 && s.is_multiple_of(60) { format!("{}m", s / 60) } else { format!("{s}s") }
}

#[cfg(test)]
mod tests;
