//! This process's clock and terminal.

use super::render::{Paint, View};
use jiff::tz::TimeZone;
use std::{fs, io::IsTerminal as _, path::Path};

/// The zone of this machine (tzfile(5)), and where the others are.
const LOCALTIME: &str = "/etc/localtime";
const ZONES: &str = "/usr/share/zoneinfo";

/// Columns without a terminal.
const DEFAULT_WIDTH: usize = 120;

/// The time of day, ms since the Unix epoch.
pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Format of stdout: colors and width.
pub(super) fn view() -> View {
    let terminal = std::io::stdout().is_terminal();
    let size = terminal.then(ratatui::crossterm::terminal::size).and_then(Result::ok);
    View {
        paint: Paint::new(terminal, std::env::var_os("NO_COLOR").as_deref()),
        wide: false,
        width: size.map_or(DEFAULT_WIDTH, |(columns, _)| usize::from(columns)),
        now_ms: now_ms(),
    }
}

/// The user's time zone: that of `TZ`, else the machine's. UTC where there is none.
pub(super) fn zone() -> TimeZone {
    let read = |path: &Path| TimeZone::tzif("local", &fs::read(path).ok()?).ok();
    let named = match std::env::var("TZ") {
        Ok(name) => zone_of(&name, read),
        Err(_) => read(Path::new(LOCALTIME)),
    };
    named.unwrap_or(TimeZone::UTC)
}

/// The zone of a value of `TZ` (tzset(3)): a file, the name of a zone, or a rule such as `CET-1CEST`. `None`: none of
/// them, or empty, which is UTC.
fn zone_of(name: &str, read: impl Fn(&Path) -> Option<TimeZone>) -> Option<TimeZone> {
    let name = name.strip_prefix(':').unwrap_or(name);
    // A path of its own replaces the folder.
    let file = (!name.is_empty()).then(|| Path::new(ZONES).join(name));
    file.and_then(|file| read(&file)).or_else(|| TimeZone::posix(name).ok())
}

#[cfg(test)]
mod tests;
