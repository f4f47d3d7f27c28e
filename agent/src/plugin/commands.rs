//! Runs the commands: asks for reports and prints them.

mod forecast;
mod incidents;
mod logs;
pub(super) mod past;

use super::{
    Failure,
    cli::{Cli, Command, Format, Global},
    fetch::{self, Session},
    mcp,
    model::{
        SilentAgent,
        hints::{Hints, changes},
    },
    render::{Report, change_line, check_format, write, yaml},
    reports, respond,
    terminal::{now_ms, view},
    top, ui,
};
use crate::{
    api::Hint,
    text::{self, Text, complain},
};
use futures::future::join_all;
use std::{future::Future, sync::Arc, time::Duration};

/// Pause between two polls of `-w`.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// Runs one command.
///
/// # Errors
/// When there is nothing to show. Nothing was written to stdout then.
pub(super) async fn run(cli: &Cli) -> Result<(), Failure> {
    past::check(cli)?;
    let sessions = fetch::sessions(&cli.global).await?;
    match &cli.command {
        Command::Why { target, at: None } => {
            print_reports(cli, &sessions, |session| reports::why(session, target)).await
        }
        Command::Why { target, at: Some(at) } => {
            let sessions = past::about(&sessions, *at)?;
            print_reports(cli, &sessions, |session| reports::why(session, target)).await
        }
        Command::Changed(changed) => {
            let sessions = changed.at.map_or_else(|| Ok(sessions.clone()), |at| past::about(&sessions, at))?;
            print_reports(cli, &sessions, |session| reports::changed(session, &changed.target)).await
        }
        Command::Hints { .. } if cli.global.watch => watch_hints(cli, &sessions).await,
        Command::Hints { until } => match past::range(cli.global.since, *until)? {
            None => print_reports(cli, &sessions, reports::hints).await,
            Some(range) => print_reports(cli, &sessions, |session| past::hints(session, range)).await,
        },
        Command::Incidents(asked) => {
            let range = past::long_range(cli.global.since, asked.until)?;
            print_reports(cli, &sessions, |session| incidents::ask(session, range)).await
        }
        Command::Forecast(asked) => print_reports(cli, &sessions, |session| forecast::ask(session, asked)).await,
        Command::Nodes => print_reports(cli, &sessions, reports::nodes_with_differences).await,
        Command::Diff { node, other } => {
            print_reports(cli, &sessions, |session| reports::diff(session, node, other.as_ref())).await
        }
        Command::Map => print_reports(cli, &sessions, reports::map).await,
        Command::Matrix => print_reports(cli, &sessions, reports::all_pairs).await,
        Command::Diagnose => print_reports(cli, &sessions, reports::diagnosis).await,
        Command::Topology { target } => print_reports(cli, &sessions, |session| fetch::topology(session, target)).await,
        Command::WatchCloser { target, time, stop } => {
            // Once, also with `-w`: it writes.
            let cli = Cli { global: Global { watch: false, ..cli.global.clone() }, ..cli.clone() };
            let until = (!stop).then(|| end_after(*time)).transpose()?;
            print_reports(&cli, &sessions, |session| fetch::close_up(session, target, until)).await
        }
        Command::Logs(args) => logs::run(cli, args, &sessions).await,
        Command::Top if top::is_live(cli.global.output) => top::run(&sessions).await,
        Command::Top => print_reports(cli, &sessions, top::list).await,
        Command::Ui(flags) => ui::run(cli, flags, &sessions).await,
        Command::Mcp => mcp::serve(&sessions).await,
        Command::Respond(flags) => respond::serve(&cli.global, flags, &sessions).await,
        // `main` did them: the one needs no server, the other has an exit code of its own.
        Command::Completion { .. } | Command::Shell(_) => Ok(()),
    }
}

/// The time so far ahead, in whole seconds.
fn end_after(time: Duration) -> Result<jiff::Timestamp, Failure> {
    let seconds = now_ms() / 1000 + i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 2000);
    jiff::Timestamp::from_second(seconds).map_err(|error| Failure::new(format!("can't write that time: {error}"), ""))
}

/// Asks all contexts at once and prints their reports; with `-w` again and again.
async fn print_reports<'a, R, Ask, Fut>(cli: &Cli, sessions: &'a [Session], ask: Ask) -> Result<(), Failure>
where
    R: Report,
    Ask: Fn(&'a Session) -> Fut,
    Fut: Future<Output = Result<R, Failure>>,
{
    check_format::<R>(cli.global.output, cli.global.watch)?;
    let mut printed_before = false;
    loop {
        let reports = match collect_reports(sessions, &ask).await {
            Ok(reports) => reports,
            // A watch survives temporary failures.
            Err(failure) if printed_before => {
                complain(&format!("warning: {failure}"));
                tokio::time::sleep(WATCH_INTERVAL).await;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        printed_before = true;
        let mut text = write(&reports, cli.global.output, &past::view(sessions))?;
        let people = matches!(cli.global.output, Format::Table | Format::Wide);
        if cli.global.watch && people {
            // A terminal shows the newest report; a file gets one after the other.
            let mut screen = if view().paint.is_on() { Text::clear_screen() } else { Text::default() };
            screen.append(&text);
            if !view().paint.is_on() {
                screen.end_line();
            }
            text = screen;
        }
        print(&text)?;
        if !cli.global.watch {
            return Ok(());
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

/// The reports of all contexts. A context without an answer gets a line on stderr.
async fn collect_reports<'a, R, Ask, Fut>(
    sessions: &'a [Session],
    ask: &Ask,
) -> Result<Vec<(Option<String>, R)>, Failure>
where
    R: Report,
    Ask: Fn(&'a Session) -> Fut,
    Fut: Future<Output = Result<R, Failure>>,
{
    let answers = join_all(sessions.iter().map(|session| async move { (session, ask(session).await) })).await;
    let mut reports = Vec::new();
    let mut failures = Vec::new();
    for (session, answer) in answers {
        match answer {
            Ok(report) => {
                warn(session, report.not_answered());
                past::warn(session, report.missing());
                reports.push((session.context.clone(), report));
            }
            Err(failure) => failures.push((session, failure)),
        }
    }
    match (reports.is_empty(), failures.as_slice()) {
        (true, [(_, only), ..]) if sessions.len() == 1 => Err(only.clone()),
        (true, [(session, first), ..]) => {
            Err(Failure::new(format!("no context answered; {}{}", session.prefix(), first.what), &first.remedy))
        }
        _ => {
            for (session, failure) in &failures {
                complain(&format!("warning: {}{failure}", session.prefix()));
            }
            Ok(reports)
        }
    }
}

fn warn(session: &Session, silent: &[SilentAgent]) {
    for SilentAgent { node, agent, why } in silent {
        complain(&format!("warning: {}the agent on {node} ({agent}) did not answer: {why}", session.prefix()));
    }
}

/// Writes to stdout. A closed pipe ends the program without a failure.
fn print(text: &Text) -> Result<(), Failure> {
    match text::print(text) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.map_err(|error| Failure::new(format!("can't write to stdout: {error}"), "")),
    }
}

/// One line per hint that opens or closes.
async fn watch_hints(cli: &Cli, sessions: &[Session]) -> Result<(), Failure> {
    check_format::<Hints>(cli.global.output, true)?;
    // Agents report resolved hints only on request.
    let mut long = sessions.to_vec();
    for session in &mut long {
        let mut global = (*session.global).clone();
        global.since = Some(global.since.unwrap_or(WATCH_INTERVAL * 15));
        session.global = Arc::new(global);
    }
    let mut before: Vec<(Option<String>, Vec<Hint>)> = Vec::new();
    let mut warned: Vec<SilentAgent> = Vec::new();
    loop {
        let mut now = Vec::new();
        for session in &long {
            let list = match reports::hints(session).await {
                Ok(list) => list,
                // A watch survives temporary failures and keeps the last answer.
                Err(failure) if !before.is_empty() => {
                    complain(&format!("warning: {}{failure}", session.prefix()));
                    now.extend(before.iter().find(|(context, _)| *context == session.context).cloned());
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let new: Vec<SilentAgent> = list.not_answered.iter().filter(|s| !warned.contains(s)).cloned().collect();
            warn(session, &new);
            warned.extend(new);
            now.push((session.context.clone(), list.items));
        }
        for (context, items) in &now {
            let known = before.iter().find(|(c, _)| c == context).map(|(_, items)| items.as_slice());
            let mut lines = Text::default();
            for hint in changes(known.unwrap_or_default(), items) {
                // Hints that ended before the watch are shown only on request.
                if known.is_none() && hint.state == crate::api::HintState::Resolved && cli.global.since.is_none() {
                    continue;
                }
                lines.append(&change_text(cli, context.as_deref(), hint)?);
            }
            print(&lines)?;
        }
        before = now;
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

fn change_text(cli: &Cli, context: Option<&str>, hint: &Hint) -> Result<Text, Failure> {
    let mut out = Text::default();
    match cli.global.output {
        Format::Json => {
            let line = serde_json::to_string(hint).map_err(|e| Failure::new(e.to_string(), ""))?;
            out.append(&Text::json(&line));
            out.end_line();
        }
        Format::Yaml => {
            out.append(&Text::lines("---\n"));
            out.append(&yaml(hint)?);
        }
        Format::Mermaid => return Err(Failure::new("can't watch a diagram", "omit -w")),
        // Refused before.
        Format::Html => {}
        Format::Table | Format::Wide => {
            out.push(&context.map(|context| format!("{context}: ")).unwrap_or_default());
            out.append(&change_line(hint, &view()));
            out.end_line();
        }
    }
    Ok(out)
}
