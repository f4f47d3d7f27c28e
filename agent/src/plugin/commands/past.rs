//! Commands about the past, which the agents' flight recorders have.

use crate::{
    api::{Hint, History},
    plugin::{
        Failure,
        cli::{Cli, Command, When},
        fetch::Session,
        model::{
            SilentAgent,
            hints::{Hints, MissingTime},
        },
        render::View,
        terminal,
    },
    text::complain,
};
use jiff::Timestamp;
use std::{collections::BTreeMap, time::Duration};

/// Agents keep hints for so long: older ones are in the history alone.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// How far `incidents` looks back by default, and at most.
const LOOK_BACK: Duration = Duration::from_secs(7 * 86_400);
const MAX_LOOK_BACK: Duration = Duration::from_secs(90 * 86_400);
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
        Command::Changed(changed) if changed.at.is_some() && cli.global.watch => {
            refuse("--at shows one moment", "omit -w")
        }
        Command::Hints { until: Some(_) } if cli.global.watch => refuse("--until ends the time", "omit -w"),
        Command::Hints { until: Some(_) } if cli.global.since.is_none() => {
            refuse("--until needs the begin of the time", "add it, such as --since 6h")
        }
        Command::Incidents(_) if cli.global.watch => refuse("incidents shows the past", "omit -w, or use `hints -w`"),
        _ => Ok(()),
    }
}

fn moment(when: When, flag: &str) -> Result<Timestamp, Failure> {
    when.moment(Timestamp::now(), &terminal::zone())
        .map_err(|error| Failure::new(format!("{flag}: {error}"), "write RFC 3339"))
}

/// The sessions, with agents asked about this time.
pub(super) fn about(sessions: &[Session], at: When) -> Result<Vec<Session>, Failure> {
    let at = past_moment(at, "--at")?;
    Ok(sessions.iter().map(|session| session.about(at)).collect())
}

/// A moment that is over.
pub(in crate::plugin) fn past_moment(at: When, flag: &str) -> Result<Timestamp, Failure> {
    let at = moment(at, flag)?;
    if at > Timestamp::now() {
        return Err(Failure::new(format!("{flag}: {at} is in the future"), format!("omit {flag} for the present")));
    }
    Ok(at)
}

/// The time that is to be read from the history. `None`: what agents remember suffices.
pub(super) fn range(since: Option<Duration>, until: Option<When>) -> Result<Option<(Timestamp, Timestamp)>, Failure> {
    let read = since.is_some_and(|since| until.is_some() || since > REMEMBERED);
    read.then(|| range_of(since, until)).transpose()
}

/// The time from `since` until `until`, else until now.
pub(in crate::plugin) fn range_of(
    since: Option<Duration>,
    until: Option<When>,
) -> Result<(Timestamp, Timestamp), Failure> {
    between(since.unwrap_or(REMEMBERED), until, Timestamp::now())
}

/// The time of a look back over days.
pub(super) fn long_range(since: Option<Duration>, until: Option<When>) -> Result<(Timestamp, Timestamp), Failure> {
    let since = since.unwrap_or(LOOK_BACK);
    if since > MAX_LOOK_BACK {
        let days = MAX_LOOK_BACK.as_secs() / 86_400;
        return Err(Failure::new("--since is too long ago", format!("write {days}d or less")));
    }
    let (from, to) = between(since, until, Timestamp::now())?;
    // Whole seconds read better, and no hint is known as exactly.
    let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
    Ok((whole(from), whole(to)))
}

fn between(since: Duration, until: Option<When>, now: Timestamp) -> Result<(Timestamp, Timestamp), Failure> {
    let from = moment(When::Ago(since), "--since")?;
    let to = until.map_or(Ok(now), |until| moment(until, "--until"))?;
    if from > to {
        return Err(Failure::new(
            format!("--since is {from} and --until {to}, which is before it"),
            "write the earlier time with --since",
        ));
    }
    Ok((from, to.min(now)))
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
pub(in crate::plugin) async fn hints(session: &Session, (from, to): (Timestamp, Timestamp)) -> Result<Hints, Failure> {
    let Recorded { hints, agents, silent, missing, .. } = recorded(session, (from, to)).await?;
    Ok(Hints::of_time(hints, (from, to), agents, silent, missing))
}

/// Records of a time from flight recorders.
#[derive(Default)]
pub(super) struct Recorded {
    /// Hints that fired.
    pub(super) hints: Vec<Hint>,
    /// Agents that answered.
    pub(super) agents: usize,
    /// Agents that did not.
    pub(super) silent: Vec<SilentAgent>,
    /// Times of which nothing is recorded.
    pub(super) missing: Vec<MissingTime>,
    /// Newest recorded moment of each Node.
    pub(super) until: BTreeMap<String, Timestamp>,
}

/// Asks all agents what they have of the time between two moments.
///
/// # Errors
/// When no agent answers.
pub(super) async fn recorded(session: &Session, (from, to): (Timestamp, Timestamp)) -> Result<Recorded, Failure> {
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
    let mut out = Recorded { agents, silent: answers.silent, ..Recorded::default() };
    for (_, (hints, history)) in answers.got {
        out.hints.extend(hints);
        let node = history.node;
        let ends = history.spans.iter().filter_map(|span| span.to.parse::<Timestamp>().ok());
        out.until.extend(ends.max().map(|end| (node.clone(), end)));
        out.missing.extend(history.gaps.into_iter().map(|gap| MissingTime { node: node.clone(), gap }));
    }
    Ok(out)
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
