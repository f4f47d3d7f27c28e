//! One function per command: ask, put in order, write.

use super::{
    Trouble,
    cli::{Cli, Command, Format},
    fetch::{self, Agent, Reach, Session},
    model::{
        Silent, Target,
        case::case,
        diagnose::{Diagnosis, diagnose},
        hints::{Hints, Wanted, changes},
        matrix::{Matrix, matrix},
        nodes::{Nodes, nodes},
        status,
    },
    render::{self, Paint, Report, View, change_line, write},
    top,
};
use crate::{
    api::Hint,
    hints::{Family, RULES},
    http::json::{PeerRow, PodRow},
    pods::{PodInfo, pod_info},
};
use futures::future::join_all;
use std::{
    future::Future,
    io::{IsTerminal as _, Write as _},
    sync::Arc,
    time::Duration,
};

/// Between two looks of `-w`.
const AGAIN: Duration = Duration::from_secs(2);
/// Columns where there is no terminal to ask.
const WIDTH: usize = 120;

/// Does what the command line says.
///
/// # Errors
/// When nothing can be shown; then nothing was written to stdout.
pub(super) async fn run(cli: &Cli) -> Result<(), Trouble> {
    let sessions = fetch::sessions(&cli.global).await?;
    match &cli.command {
        Command::Why { target } => shown(cli, &sessions, |session| why(session, target)).await,
        Command::Hints if cli.global.watch => watch_hints(cli, &sessions).await,
        Command::Hints => shown(cli, &sessions, hints).await,
        Command::Nodes => shown(cli, &sessions, all_nodes).await,
        Command::Matrix => shown(cli, &sessions, all_pairs).await,
        Command::Diagnose => shown(cli, &sessions, diagnosis).await,
        Command::Topology { target } => shown(cli, &sessions, |session| fetch::topology(session, target)).await,
        Command::Top => top::run(cli, &sessions).await,
        // It needs no server: done before.
        Command::Completion { .. } => Ok(()),
    }
}

/// The present, ms since the Unix epoch.
pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// How stdout is to be written to.
pub(super) fn view() -> View {
    let terminal = std::io::stdout().is_terminal();
    let size = terminal.then(ratatui::crossterm::terminal::size).and_then(Result::ok);
    View {
        paint: Paint::new(terminal, std::env::var_os("NO_COLOR").as_deref()),
        wide: false,
        width: size.map_or(WIDTH, |(columns, _)| usize::from(columns)),
        now_ms: now_ms(),
    }
}

fn wanted(session: &Session) -> Wanted {
    Wanted { namespace: session.namespace.clone(), since: session.global.since, now_ms: now_ms() }
}

/// Asks all contexts at once and writes their reports; again and again with `-w`.
async fn shown<'a, R, Ask, Fut>(cli: &Cli, sessions: &'a [Session], ask: Ask) -> Result<(), Trouble>
where
    R: Report,
    Ask: Fn(&'a Session) -> Fut,
    Fut: Future<Output = Result<R, Trouble>>,
{
    let mut shown_before = false;
    loop {
        let reports = match asked(sessions, &ask).await {
            Ok(reports) => reports,
            // A watch outlives what passes.
            Err(trouble) if shown_before => {
                eprintln!("warning: {trouble}");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(trouble) => return Err(trouble),
        };
        shown_before = true;
        let mut text = write(&reports, cli.global.output, &view())?;
        let people = matches!(cli.global.output, Format::Table | Format::Wide);
        if cli.global.watch && people {
            // A terminal shows the newest; anything else gets one after the other.
            text = if view().paint.is_on() { format!("\x1b[H\x1b[2J{text}") } else { format!("{text}\n") };
        }
        print(&text)?;
        if !cli.global.watch {
            return Ok(());
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What all contexts say; who does not answer gets a line on stderr.
async fn asked<'a, R, Ask, Fut>(sessions: &'a [Session], ask: &Ask) -> Result<Vec<(Option<String>, R)>, Trouble>
where
    R: Report,
    Ask: Fn(&'a Session) -> Fut,
    Fut: Future<Output = Result<R, Trouble>>,
{
    let answers = join_all(sessions.iter().map(|session| async move { (session, ask(session).await) })).await;
    let mut reports = Vec::new();
    let mut troubles = Vec::new();
    for (session, answer) in answers {
        match answer {
            Ok(report) => {
                warn(session, report.not_answered());
                reports.push((session.context.clone(), report));
            }
            Err(trouble) => troubles.push((session, trouble)),
        }
    }
    match (reports.is_empty(), troubles.as_slice()) {
        (true, [(_, only), ..]) if sessions.len() == 1 => Err(only.clone()),
        (true, [(session, first), ..]) => {
            Err(Trouble::new(format!("no context answers; {}{}", session.prefix(), first.what), &first.remedy))
        }
        _ => {
            for (session, trouble) in &troubles {
                eprintln!("warning: {}{trouble}", session.prefix());
            }
            Ok(reports)
        }
    }
}

fn warn(session: &Session, silent: &[Silent]) {
    for Silent { node, agent, why } in silent {
        eprintln!("warning: {}the agent on {node} ({agent}) did not answer: {why}", session.prefix());
    }
}

/// Writes to stdout; a reader that went away is no failure.
fn print(text: &str) -> Result<(), Trouble> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.map_err(|error| Trouble::new(format!("can't write: {error}"), "")),
    }
}

async fn why(session: &Session, target: &Target) -> Result<super::model::case::Case, Trouble> {
    let facts = fetch::why(session, target, now_ms()).await?;
    // A group's or Pod's namespace is the target's: peers in other namespaces matter too.
    Ok(case(facts, &Wanted { namespace: None, ..wanted(session) }))
}

async fn hints(session: &Session) -> Result<Hints, Trouble> {
    let wanted = wanted(session);
    let mut path = String::from("/api/v1/hints?");
    if session.global.since.is_none() {
        path.push_str("state=firing&");
    }
    if let Some(namespace) = &session.namespace {
        path.push_str(&format!("namespace={namespace}&"));
    }
    let answers = session.ask_all::<Vec<Hint>>(path.trim_end_matches(['?', '&'])).await?;
    let agents = answers.got.len();
    Ok(Hints::new(answers.got.into_iter().flat_map(|(_, hints)| hints), &wanted, agents, answers.silent))
}

/// One line per hint that begins or ends.
async fn watch_hints(cli: &Cli, sessions: &[Session]) -> Result<(), Trouble> {
    // What ended since the last look is only told by agents that are asked for it.
    let mut long = sessions.to_vec();
    for session in &mut long {
        let mut global = (*session.global).clone();
        global.since = Some(global.since.unwrap_or(AGAIN * 15));
        session.global = Arc::new(global);
    }
    let mut before: Vec<(Option<String>, Vec<Hint>)> = Vec::new();
    let mut warned: Vec<Silent> = Vec::new();
    loop {
        let mut now = Vec::new();
        for session in &long {
            let list = match hints(session).await {
                Ok(list) => list,
                // A watch outlives what passes; what was known stays known.
                Err(trouble) if !before.is_empty() => {
                    eprintln!("warning: {}{trouble}", session.prefix());
                    now.extend(before.iter().find(|(context, _)| *context == session.context).cloned());
                    continue;
                }
                Err(trouble) => return Err(trouble),
            };
            let fresh: Vec<Silent> = list.not_answered.iter().filter(|s| !warned.contains(s)).cloned().collect();
            warn(session, &fresh);
            warned.extend(fresh);
            now.push((session.context.clone(), list.items));
        }
        for (context, items) in &now {
            let known = before.iter().find(|(c, _)| c == context).map(|(_, items)| items.as_slice());
            let mut lines = String::new();
            for hint in changes(known.unwrap_or_default(), items) {
                // What was over before the watch began is news only to who asked for it.
                if known.is_none() && hint.state == crate::api::HintState::Resolved && cli.global.since.is_none() {
                    continue;
                }
                lines.push_str(&change(cli, context.as_deref(), hint)?);
            }
            print(&lines)?;
        }
        before = now;
        tokio::time::sleep(AGAIN).await;
    }
}

fn change(cli: &Cli, context: Option<&str>, hint: &Hint) -> Result<String, Trouble> {
    let place = context.map(|context| format!("{context}: ")).unwrap_or_default();
    match cli.global.output {
        Format::Json => {
            serde_json::to_string(hint).map(|line| line + "\n").map_err(|e| Trouble::new(e.to_string(), ""))
        }
        Format::Yaml => {
            let text = serde_norway::to_string(hint).map_err(|e| Trouble::new(e.to_string(), ""))?;
            Ok(format!("---\n{text}"))
        }
        Format::Mermaid => Err(Trouble::new("a diagram can't be watched", "leave out -w")),
        Format::Table | Format::Wide => Ok(format!("{place}{}\n", change_line(hint, &view()))),
    }
}

async fn rows_of(agent: Agent) -> Result<(Vec<PeerRow>, Vec<Hint>), Trouble> {
    let rows = agent.door.get("/api/v1/edges?by=peer_node").await?;
    Ok((rows, agent.door.get("/api/v1/hints?state=firing").await?))
}

async fn all_nodes(session: &Session) -> Result<Nodes, Trouble> {
    let answers = session.ask_each(rows_of).await?;
    let mut names: Vec<String> = Vec::new();
    let (mut rows, mut hints) = (Vec::new(), Vec::new());
    for (node, (some, more)) in answers.got {
        // An agent that was asked by URL is known by its rows only.
        names.push(if node.is_empty() { some.first().map(|r| r.node.clone()).unwrap_or_default() } else { node });
        rows.extend(some);
        hints.extend(more);
    }
    Ok(nodes(&rows, &hints, &names, answers.silent))
}

async fn all_pairs(session: &Session) -> Result<Matrix, Trouble> {
    let answers = session.ask_all::<Vec<PeerRow>>("/api/v1/edges?by=peer_node").await?;
    let agents = answers.got.len();
    let rows: Vec<PeerRow> = answers.got.into_iter().flat_map(|(_, rows)| rows).collect();
    Ok(matrix(&rows, agents, answers.silent))
}

async fn diagnosis(session: &Session) -> Result<Diagnosis, Trouble> {
    let Reach::Cluster(client) = &session.reach else { return direct_diagnosis(session).await };
    let pods = fetch::pods(session, client).await?;
    let known: Vec<(String, Arc<PodInfo>)> = pods
        .iter()
        .filter_map(|pod| {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
            Some((node, Arc::new(pod_info(pod)?)))
        })
        .collect();
    let hints = status::judge(&known, now_ms());
    Ok(diagnose(&known, &hints, Vec::new()))
}

/// With one agent only: its own Pods, as it sees them.
async fn direct_diagnosis(session: &Session) -> Result<Diagnosis, Trouble> {
    let rows = session.ask_all::<Vec<PodRow>>("/api/v1/pods").await?;
    let hints = session.ask_all::<Vec<Hint>>("/api/v1/hints?state=firing").await?;
    let in_namespace = |namespace: &str| session.namespace.as_ref().is_none_or(|wanted| wanted == namespace);
    let rows = rows.got.into_iter().flat_map(|(_, rows)| rows).filter(|row| in_namespace(&row.namespace));
    let pods: Vec<(String, Arc<PodInfo>)> = rows
        .map(|row| {
            // Without Kubernetes there is no status: what is there is a name.
            let nameless =
                || Arc::new(PodInfo { namespace: row.namespace.clone(), name: row.name.clone(), ..PodInfo::default() });
            (row.node.clone(), row.status.clone().unwrap_or_else(nameless))
        })
        .collect();
    let is_status = |hint: &Hint| RULES.iter().any(|rule| rule.id == hint.cause && rule.family == Family::Status);
    let hints: Vec<Hint> = hints.got.into_iter().flat_map(|(_, hints)| hints).filter(is_status).collect();
    Ok(diagnose(&pods, &hints, Vec::new()))
}

/// One look for `top`: rows and firing hints of every agent.
pub(super) async fn look(session: &Session) -> Result<fetch::Answers<(Vec<PodRow>, Vec<Hint>)>, Trouble> {
    let filter = session.namespace.as_ref().map(|ns| format!("namespace={ns}")).unwrap_or_default();
    let filter = Arc::new(filter);
    session
        .ask_each(move |agent: Agent| {
            let filter = Arc::clone(&filter);
            async move {
                let pods = agent.door.get(&format!("/api/v1/pods?{filter}")).await?;
                Ok((pods, agent.door.get(&format!("/api/v1/hints?state=firing&{filter}")).await?))
            }
        })
        .await
}

pub(super) use render::one_line;
