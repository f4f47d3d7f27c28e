//! `forecast`: what fills up and when, by a Prometheus, else by the flight recorders.

use crate::plugin::{
    Failure, cli,
    fetch::{self, Session},
    model::{forecast::Forecast, health::Fact},
};
use jiff::Timestamp;
use std::time::Duration;

/// Range of the lines by default.
const RANGE: Duration = Duration::from_secs(6 * 3600);

/// The figures that fill up within the time that is asked about.
///
/// # Errors
/// When neither a Prometheus nor the agents' flight recorders have figures.
pub(super) async fn ask(session: &Session, asked: &cli::Forecast) -> Result<Forecast, Failure> {
    let now = Timestamp::now();
    let (now, within) = (Timestamp::from_second(now.as_second()).unwrap_or(now), asked.within);
    let range = session.global.since.unwrap_or(RANGE);
    let (mut out, more) = match fetch::prometheus(session).await {
        Ok(Some(prometheus)) => (prometheus.forecast(now, range, within).await?, None),
        Ok(None) => (fetch::recorded_figures(session, now, range, within).await?, None),
        // A Prometheus that the flag names must be asked.
        Err(failure) if session.global.prometheus.is_some() => return Err(failure),
        Err(failure) => {
            let more = Fact::new("Prometheus", failure.to_string());
            (fetch::recorded_figures(session, now, range, within).await?, Some(more))
        }
    };
    out.unknown.extend(more);
    if out.figures.iter().all(|figure| figure.known == 0) {
        let what = format!("{} had no figures of agents in that time", out.source);
        out.unknown
            .push(Fact::new("figures", format!("{what}: check that it scrapes them, or pass another --prometheus")));
    }
    Ok(out.sorted())
}
