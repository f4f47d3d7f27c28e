//! Reports as one HTML file, to attach to an incident. It has all that stderr says, for readers who don't see it.
//!
//! A report has HTML where its [`Report::HTML`] is true: [`Report::html`] then makes its [`Section`].

pub(super) mod incidents;
mod layers;
pub(super) mod map;
pub(super) mod matrix;
pub(super) mod why;

use super::{Colour, Report, View};
use crate::{
    plugin::{
        Failure,
        cli::Format,
        model::{SilentAgent, health::Fact, hints::MissingTime},
    },
    text::{
        Text,
        html::{Attribute, Html},
        printable,
    },
};

/// The style of all pages. Classes of colors are those of [`colour`].
const STYLE: &str = include_str!("html/style.css");

/// The report of one context.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// Heading, and title of the page.
    pub title: String,
    /// Everything below it.
    pub body: Html,
}

/// Refuses HTML for reports without it.
///
/// # Errors
/// When the format is HTML, and the report has none.
pub fn check<R: Report>(format: Format, watch: bool) -> Result<(), Failure> {
    match format {
        Format::Html if !R::HTML => Err(no_html()),
        Format::Html if watch => Err(Failure::new("can't watch a page", "omit -w")),
        _ => Ok(()),
    }
}

/// The command has no HTML.
pub(super) fn no_html() -> Failure {
    Failure::new("this command has no HTML", "use -o html with `why`, `matrix`, `map` or `incidents`, or another -o")
}

/// The reports of all contexts as one page.
pub(super) fn page<R: Report>(reports: &[(Option<String>, R)], view: &View) -> Text {
    let mut body = Html::default();
    let mut title = String::new();
    for (context, report) in reports {
        let section = report.html(view);
        let context = context.as_ref().map(|context| format!(" in context {context}")).unwrap_or_default();
        let heading = format!("{}{context}", section.title);
        if title.is_empty() {
            title = format!("netwhy: {heading}");
        }
        body.within("section", &[], |out| {
            out.element("h1", &[], &heading);
            let time = jiff::Timestamp::from_millisecond(view.now_ms).map(|time| time.to_string()).unwrap_or_default();
            out.element("p", &[("class", "grey")], &format!("kubectl netwhy, {time}"));
            out.append(&section.body);
            partial(out, report.not_answered(), report.missing());
        });
    }
    let mut main = Html::default();
    main.within("main", &[], |out| out.append(&body));
    Html::page(&title, STYLE, &main)
}

/// What makes the report partial.
fn partial(out: &mut Html, silent: &[SilentAgent], missing: &[MissingTime]) {
    let agents = silent.iter().map(|silent| Fact::new(format!("{} on {}", silent.agent, silent.node), &silent.why));
    facts(out, "Agents that did not answer", &agents.collect::<Vec<_>>());
    let times = missing
        .iter()
        .map(|MissingTime { node, gap }| Fact::new(format!("{node}, {} to {}", gap.from, gap.to), &gap.why));
    facts(out, "Times without a record", &times.collect::<Vec<_>>());
}

/// A list of facts below a heading; nothing without any.
fn facts(out: &mut Html, heading: &str, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    out.element("h2", &[], heading);
    out.within("dl", &[], |out| {
        for Fact { what, figures } in facts {
            out.element("dt", &[], what);
            out.element("dd", &[], figures);
        }
    });
}

/// Paragraphs below a heading; nothing without any.
fn paragraphs(out: &mut Html, heading: &str, lines: &[String]) {
    if lines.iter().all(String::is_empty) {
        return;
    }
    out.element("h2", &[], heading);
    for line in lines {
        out.element("p", &[], line);
    }
}

/// Class of a color.
pub(super) const fn colour(colour: Colour) -> &'static str {
    match colour {
        Colour::Green => "green",
        Colour::Yellow => "yellow",
        Colour::Red => "red",
        Colour::Grey => "grey",
    }
}

/// A picture of this size in px. It shrinks with the window.
fn svg(out: &mut Html, (width, height): (f64, f64), label: &str, fill: impl FnOnce(&mut Html)) {
    let view_box = format!("0 0 {} {}", px(width), px(height));
    let (width, height) = (px(width), px(height));
    let attributes: [Attribute<'_>; 4] =
        [("viewBox", &view_box), ("width", &width), ("height", &height), ("role", "img")];
    out.within("svg", &attributes, |out| {
        out.element("title", &[], label);
        fill(out);
    });
}

/// A rectangle, with a text that shows on hover; none if empty.
fn rect(out: &mut Html, (x, y): (f64, f64), (width, height): (f64, f64), class: &str, hover: &str) {
    let [x, y, width, height] = [x, y, width, height].map(px);
    let attributes: [Attribute<'_>; 5] =
        [("class", class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)];
    out.open("rect", &attributes);
    if !hover.is_empty() {
        out.open("title", &[]);
        out.text(hover);
        out.close("title");
    }
    out.close("rect");
    out.end_line();
}

/// A text in a picture.
fn label(out: &mut Html, (x, y): (f64, f64), class: &str, text: &str, more: &[Attribute<'_>]) {
    let (x, y) = (px(x), px(y));
    let mut attributes = vec![("class", class), ("x", x.as_str()), ("y", y.as_str())];
    attributes.extend(more);
    out.element("text", &attributes, text);
}

/// A length without needless digits.
fn px(length: f64) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// At most so many characters, once hidden ones are escaped.
fn clipped(text: &str, most: usize) -> String {
    let text = printable(text);
    if text.chars().count() <= most {
        return text.into_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
