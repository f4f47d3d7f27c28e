//! Commands about the past, which the agents' flight recorders have.

use crate::{
    api::{Hint, History},
    plugin::{
        Failure,
        cli::{Cli, Command, When},
        fetch::Session,
        model::hints::{Hints, MissingTime},
        render::View,
        terminal,
    },
    text::complain,
};
use jiff::Timestamp;
use std::time::Duration;

/// Agents keep hints for so long: older ones are in the history alone.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Most lines about times that are not recorded.
const MAX_MISSING: usize = 8;

/// Refuses flags that do not go together. Clap can't: some stand before the command.
pub(super) fn check(cli: &Cli) -> Result<(), Failure> {
    let refuse = |what: &str, remedy: &str| Err(Failure::new(what, remedy));
    match &cli.command {
        Command::Why { at: Some(_), .. } if cli.global.watch => refuse("--at shows one moment", "omit -w"),
        Command::Why { at: Some(_), .. } if cli.global.since.is_some() => {
            refuse("--at shows one moment", "omit --since, or use `hints --since 6h --until 5h`")
        }
        Command::Hints { until: Some(_) } if cli.global.watch => refuse("--until ends the time", "omit -w"),
        Command::Hints { until: Some(_) } if cli.global.since.is_none() => {
            refuse("--until needs the begin of the time", "add it, such as --since 6h")
        }
        _ => Ok(()),
    }
}

fn moment(when: When, flag: &str) -> Result<Timestamp, Failure> {
    when.moment(Timestamp::now(), &terminal::zone())
        .map_err(|error| Failure::new(format!("{flag}: {error}"), "write RFC 3339"))
}

/// The sessions, with agents asked about this time.
pub(super) fn about(sessions: &[Session], at: When) -> Result<Vec<Session>, Failure> {
    let now = Timestamp::now();
    let at = moment(at, "--at")?;
    if at > now {
        return Err(Failure::new(format!("--at: {at} is in the future"), "omit --at for the present"));
    }
    Ok(sessions.iter().map(|session| session.about(at)).collect())
}

/// The time that is to be read from the history. `None`: what agents remember suffices.
pub(super) fn range(since: Option<Duration>, until: Option<When>) -> Result<Option<(Timestamp, Timestamp)>, Failure> {
    let now = Timestamp::now();
    let Some(since) = since.filter(|since| until.is_some() || *since > REMEMBERED) else { return Ok(None) };
    let from = moment(When::Ago(since), "--since")?;
    let to = until.map_or(Ok(now), |until| moment(until, "--until"))?;
    if from > to {
        return Err(Failure::new(
            format!("--since is {from} and --until {to}, which is before it"),
            "write the earlier time with --since",
        ));
    }
    Ok(Some((from, to.min(now))))
}

/// The view of a report: ages count from the moment that it is of.
pub(super) fn view(sessions: &[Session]) -> View {
    let view = terminal::view();
    match sessions.first().and_then(|session| session.at) {
        Some(at) => View { now_ms: at.as_millisecond(), ..view },
        None => view,
    }
}

/// Hints that fired between two times.
pub(super) async fn hints(session: &Session, (from, to): (Timestamp, Timestamp)) -> Result<Hints, Failure> {
    let times = format!("from={from}&to={to}");
    let namespace = session.namespace.as_ref().map(|namespace| format!("&namespace={namespace}")).unwrap_or_default();
    let (hints, history) = (format!("/api/v1/hints?{times}{namespace}"), format!("/api/v1/history?{times}"));
    let answers = session
        .ask_each(move |agent| {
            let (hints, history) = (hints.clone(), history.clone());
            async move {
                let client = &agent.client;
                let (hints, history) = tokio::try_join!(client.get(&hints), client.get(&history))?;
                let answer: (Vec<Hint>, History) = (hints, history);
                Ok(answer)
            }
        })
        .await?;
    let agents = answers.got.len();
    let (mut all, mut missing) = (Vec::new(), Vec::new());
    for (_, (hints, history)) in answers.got {
        all.extend(hints);
        let node = history.node;
        missing.extend(history.gaps.into_iter().map(|gap| MissingTime { node: node.clone(), gap }));
    }
    Ok(Hints::of_time(all, (from, to), agents, answers.silent, missing))
}

/// One line for each time that is not recorded.
pub(super) fn warn(session: &Session, missing: &[MissingTime]) {
    for MissingTime { node, gap } in missing.iter().take(MAX_MISSING) {
        let (from, to, why) = (&gap.from, &gap.to, &gap.why);
        complain(&format!("warning: {}no record of {node} from {from} to {to}: {why}", session.prefix()));
    }
    if missing.len() > MAX_MISSING {
        let more = missing.len() - MAX_MISSING;
        complain(&format!("warning: {}{more} more times are not recorded: see -o json", session.prefix()));
    }
}

#[cfg(test)]
mod tests;
