//! The page of `incidents`: when each fired, as bars over the time that was asked about.

use super::{Section, clipped, facts, label, paragraphs, rect, svg};
use crate::{
    plugin::{
        model::incidents::{Incident, Incidents, Occurrence},
        render::incidents::{self, chain_line, clock, time},
    },
    text::html::Html,
};
use jiff::Timestamp;

/// Most incidents in the picture, in the list, and most chains. The most frequent and the newest stay.
const MAX_ROWS: usize = 40;
const MAX_ITEMS: usize = 200;
const MAX_CHAINS: usize = 50;
/// Longest name, characters, and its width at 12 px.
const MAX_NAME: usize = 60;
const NAME: f64 = 420.0;
/// Width of the time, and what its last label needs beyond it, px.
const TIME: f64 = 640.0;
const EDGE: f64 = 48.0;
/// Height of the labels of time, and of a row, px.
const HEAD: f64 = 24.0;
const ROW: f64 = 22.0;
/// Narrowest bar, px: some seconds of a week can be seen.
const NARROWEST: f64 = 2.0;
/// Parts of the time between labels.
const TICKS: u32 = 4;

/// Everything that the screen has with `-o wide`, and when it fired.
pub(in crate::plugin::render) fn section(report: &Incidents) -> Section {
    let mut body = Html::default();
    body.element("p", &[("class", "grey")], &report.source());
    timeline(&mut body, report);
    body.element("h2", &[], "Incidents");
    body.append(&report.list(true, MAX_ITEMS).html());
    more(&mut body, report.items.len(), MAX_ITEMS, "incidents");
    let chains: Vec<String> = report.chains.iter().take(MAX_CHAINS).map(chain_line).collect();
    paragraphs(&mut body, "What came first", &chains);
    more(&mut body, report.chains.len(), MAX_CHAINS, "chains");
    facts(&mut body, "Unknown", &report.unknown);
    let [from, to] = &report.between;
    Section { title: format!("Incidents from {from} to {to}"), body }
}

/// Says what a list left out.
fn more(out: &mut Html, all: usize, shown: usize, what: &str) {
    if all > shown {
        out.element("p", &[("class", "grey")], &format!("{shown} of {all} {what}; -o json has all"));
    }
}

fn timeline(out: &mut Html, report: &Incidents) {
    let [from, to] = report.between.each_ref().map(|stamp| millis(stamp));
    let Some((from, to)) = from.zip(to).filter(|(from, to)| from < to) else { return };
    let rows = &report.items[..report.items.len().min(MAX_ROWS)];
    if rows.is_empty() {
        return;
    }
    out.element("h2", &[], "Timeline");
    let size = (NAME + TIME + EDGE, HEAD + ROW * rows.len() as f64);
    svg(out, size, "When each incident fired", |out| {
        for tick in 0..=TICKS {
            let share = f64::from(tick) / f64::from(TICKS);
            let at = from + ((to - from) as f64 * share) as i64;
            let text = Timestamp::from_millisecond(at).map(|at| clock(&at.to_string())).unwrap_or_default();
            label(out, (NAME + TIME * share, 14.0), "mid grey", &text, &[]);
        }
        for (number, item) in rows.iter().enumerate() {
            row(out, item, HEAD + ROW * number as f64, (from, to));
        }
    });
    let legend = "Bars: occurrences, the newest 50 of each. Orange: over. Red: it still fired at the end of the time.";
    out.element("p", &[("class", "grey")], legend);
    more(out, report.items.len(), MAX_ROWS, "incidents, the most frequent");
}

fn row(out: &mut Html, item: &Incident, top: f64, range: (i64, i64)) {
    let name = clipped(&incidents::label(&item.fingerprint), MAX_NAME);
    label(out, (NAME - 12.0, top + 15.0), "end", &name, &[]);
    rect(out, (NAME, top + 3.0), (TIME, ROW - 6.0), "track", "");
    let newest = item.occurrences.len().saturating_sub(1);
    for (number, occurrence) in item.occurrences.iter().enumerate() {
        let Some((x, width)) = place(occurrence, range) else { continue };
        let class = if item.lasts && number == newest { "h4" } else { "h3" };
        let Occurrence { from, to, seconds } = occurrence;
        let hover = format!("{from} to {to}, fired {}", time(*seconds));
        rect(out, (NAME + x, top + 3.0), (width, ROW - 6.0), class, &hover);
    }
}

/// Left end and width of a bar, px from the begin of the time.
fn place(occurrence: &Occurrence, (from, to): (i64, i64)) -> Option<(f64, f64)> {
    let x = |stamp: &str| {
        let share = (millis(stamp)? - from) as f64 / (to - from) as f64;
        Some(share.clamp(0.0, 1.0) * TIME)
    };
    let (begin, end) = (x(&occurrence.from)?, x(&occurrence.to)?);
    let width = (end - begin).max(NARROWEST);
    Some((begin.min(TIME - width), width))
}

/// ms since the Unix epoch of an RFC 3339 time.
fn millis(stamp: &str) -> Option<i64> {
    stamp.parse::<Timestamp>().ok().map(|time| time.as_millisecond())
}

#[cfg(test)]
mod tests;
