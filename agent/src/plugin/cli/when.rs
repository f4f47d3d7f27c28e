//! Times on the command line: `03:12`, `2026-01-31 03:12`, RFC 3339, or so long ago, `40m`. Pure: now and the time zone
//! are arguments.

use jiff::{
    Timestamp,
    civil::{DateTime, Time},
    tz::TimeZone,
};
use std::time::Duration;

/// A time that somebody wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long before now.
    Ago(Duration),
    /// The newest such time of day, local.
    Clock(Time),
    /// Local.
    Local(DateTime),
    /// With its offset.
    Exact(Timestamp),
}

impl When {
    /// Reads it.
    ///
    /// # Errors
    /// When it is no time.
    pub fn parse(text: &str) -> Result<Self, String> {
        // `01:02:03` is a duration too, for jiff.
        let span = Some(text.strip_prefix('-').unwrap_or(text)).filter(|text| !text.contains(':'));
        let ago = span.and_then(super::duration).filter(|time| !time.is_zero()).map(Self::Ago);
        let exact = || text.parse().ok().map(Self::Exact);
        let local = || text.parse().ok().map(Self::Local);
        // `T03:12` is a time too; a date alone is not.
        let clock = || text.parse().ok().filter(|_| text.contains(':')).map(Self::Clock);
        let time = ago.or_else(exact).or_else(clock).or_else(local);
        time.ok_or_else(|| "write a time such as 03:12, 2026-01-31T03:12:00Z or -40m".to_owned())
    }

    /// The moment, where it is `now` in `zone`.
    ///
    /// # Errors
    /// When no such moment exists: it is out of range, or the clocks skipped it.
    pub fn moment(self, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
        let out_of_range = |error: jiff::Error| error.to_string();
        match self {
            Self::Exact(time) => Ok(time),
            Self::Ago(ago) => now.checked_sub(ago).map_err(out_of_range),
            Self::Local(time) => zone.to_ambiguous_timestamp(time).compatible().map_err(out_of_range),
            Self::Clock(time) => {
                let today = zone.to_datetime(now).date();
                let on = |day: jiff::civil::Date| {
                    zone.to_ambiguous_timestamp(day.to_datetime(time)).compatible().map_err(out_of_range)
                };
                let moment = on(today)?;
                if moment <= now { Ok(moment) } else { on(today.yesterday().map_err(out_of_range)?) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
