//! The page of `why`: the screen, with where the time goes as bars.

use super::{Section, facts, paragraphs, rect, svg};
use crate::{
    plugin::{
        model::{
            health::{Fact, seconds},
            waterfall::{TimeRow, Waterfall},
            why::{Explanation, State},
        },
        render::{
            Colour, Table, View,
            hints::one_line,
            why::{self, waterfall},
        },
    },
    text::html::Html,
};

/// Most items of a list.
const MAX_ITEMS: usize = 100;
/// Size of the longest bar, px.
const BAR: (f64, f64) = (700.0, 16.0);

/// Everything that the screen has with `-o wide`.
pub(in crate::plugin::render) fn section(case: &Explanation, view: &View) -> Section {
    let mut body = Html::default();
    verdict(&mut body, case, view);
    evidence(&mut body, case);
    let ruled: Vec<Fact> = case.ruled_out.iter().map(|r| Fact::new(&r.cause, &r.because)).collect();
    facts(&mut body, "Ruled out", &ruled);
    let links: Vec<String> = case.chain.iter().map(|link| format!("{} ({})", link.what, link.who)).collect();
    paragraphs(&mut body, "Chain", &[links.join(" → ")]);
    paragraphs(&mut body, "Next step", std::slice::from_ref(&case.next_step));
    time(&mut body, &case.waterfall);
    let also: Vec<String> = case.also.iter().take(MAX_ITEMS).map(one_line).collect();
    paragraphs(&mut body, "Also", &also);
    for (heading, list) in
        [("Measured and normal", &case.normal), ("Unusual, but no hint", &case.unusual), ("No data", &case.no_data)]
    {
        facts(&mut body, heading, list);
    }
    if let Some(changed) = &case.changed {
        let (heading, list) = changed.section(true);
        facts(&mut body, &heading, &list);
    }
    if let Some(differs) = &case.differs {
        let (heading, list) = differs.section(true);
        facts(&mut body, &heading, &list);
    }
    facts(&mut body, "Unknown", &case.unknown);
    if !case.pods.is_empty() {
        body.element("h2", &[], "Pods");
        body.append(&why::pod_table(&case.pods, MAX_ITEMS).html());
    }
    facts(&mut body, "Related", &case.related);
    facts(&mut body, "Warnings", &case.events);
    queries(&mut body, case);
    Section { title: why::title(case), body }
}

/// Class of a verdict.
pub(in crate::plugin::render) const fn verdict_colour(state: State) -> Colour {
    match state {
        State::CauseFound => Colour::Red,
        State::Resolved => Colour::Yellow,
        State::NothingFound => Colour::Green,
        State::NoData => Colour::Grey,
    }
}

fn verdict(out: &mut Html, case: &Explanation, view: &View) {
    let class = format!("verdict {}", super::colour(verdict_colour(case.verdict.state)));
    out.within("header", &[("class", &class)], |out| {
        out.element("p", &[("class", "lead")], &case.verdict.sentence);
        let parts = why::verdict_parts(&case.verdict, view.now_ms);
        if !parts.is_empty() {
            out.element("p", &[], &parts.join(" · "));
        }
    });
}

fn evidence(out: &mut Html, case: &Explanation) {
    if case.evidence.is_empty() {
        return;
    }
    let mut table = Table::new(&["SIGNAL", "NOW", "BASELINE", "WHERE"], "");
    for e in &case.evidence {
        let baseline = e.baseline.map_or_else(|| "–".to_owned(), |b| why::value(e, b));
        table.row(vec![e.signal.clone(), why::value(e, e.observed), baseline, e.place.clone()]);
    }
    out.element("h2", &[], "Evidence");
    out.append(&table.html());
}

fn time(out: &mut Html, Waterfall { rows, missing }: &Waterfall) {
    if rows.is_empty() && missing.is_empty() {
        return;
    }
    out.element("h2", &[], "Where the time goes");
    let longest = rows.iter().map(waterfall::length).fold(0.0, f64::max);
    for row in rows {
        let margin = ["", "d1", "d2", "d3", "d4"][row.depth.min(4)];
        out.within("section", &[("class", &format!("time {margin}"))], |out| time_row(out, row, longest));
    }
    for why in missing {
        out.element("p", &[("class", "grey")], why);
    }
}

fn time_row(out: &mut Html, row: &TimeRow, longest: f64) {
    out.element("h3", &[], &waterfall::head(row));
    let figures = waterfall::figures(row);
    if !figures.is_empty() {
        out.element("p", &[], &figures.join(" · "));
    }
    let parts: Vec<waterfall::Part> = waterfall::parts(row).into_iter().filter(|part| part.seconds > 0.0).collect();
    if longest > 0.0 && !parts.is_empty() {
        svg(out, (BAR.0, BAR.1), "Mean time of a request by stage", |out| {
            rect(out, (0.0, 0.0), BAR, "track", "");
            let mut x = 0.0;
            for part in &parts {
                let width = part.seconds / longest * BAR.0;
                rect(out, (x, 0.0), (width, BAR.1), stage(&part.label), &legend(part));
                x += width;
            }
        });
        out.within("ul", &[("class", "stages")], |out| {
            for part in &parts {
                out.open("li", &[]);
                out.open("span", &[("class", &format!("dot {}", stage(&part.label)))]);
                out.close("span");
                out.text(&legend(part));
                out.close("li");
                out.end_line();
            }
        });
    }
    for (colour, note) in waterfall::notes(row) {
        out.element("p", &[("class", super::colour(colour))], &note);
    }
}

/// `application 50 ms (normally 2.00 ms)`.
fn legend(part: &waterfall::Part) -> String {
    let normally = part.normally.map(|normal| format!(" (normally {})", seconds(normal))).unwrap_or_default();
    format!("{} {}{normally}", part.label, seconds(part.seconds))
}

/// Class of a stage's label.
fn stage(label: &str) -> &'static str {
    match label {
        "handshake" => "s1",
        "network" => "s2",
        "retransmission" => "s3",
        "unread" | "its unread" => "s4",
        "peer" | "between" => "s6",
        _ => "s5",
    }
}

fn queries(out: &mut Html, case: &Explanation) {
    if case.promql.is_empty() {
        return;
    }
    out.element("h2", &[], "PromQL");
    for query in &case.promql {
        out.within("p", &[], |out| {
            out.element("code", &[], &query.query);
            out.element("span", &[("class", "grey")], &query.shows);
        });
    }
}
