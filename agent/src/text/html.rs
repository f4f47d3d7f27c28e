//! HTML pages that are safe to open: one file that asks for nothing and runs nothing.
//!
//! Tags and names of attributes are this program's. Texts and values from outside pass [`escaped`], and no attribute
//! that holds one can name an address, a style or a script.

use super::{Text, printable};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

/// HTML. Only the methods here add tags; all else is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

/// An attribute: its name, and any value.
pub type Attribute<'a> = (&'static str, &'a str);

impl Html {
    /// Adds a text.
    pub fn text(&mut self, text: &str) {
        self.0.push_str(&escaped(text));
    }

    /// Opens an element.
    pub fn open(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            debug_assert!(!is_active(name), "{name} may hold an address, a style or a script");
            self.0.push_str(&format!(" {name}=\"{}\"", escaped(value)));
        }
        self.0.push('>');
    }

    /// Closes an element.
    pub fn close(&mut self, tag: &'static str) {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// An element with a text, on a line of its own.
    pub fn element(&mut self, tag: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.open(tag, attributes);
        self.text(text);
        self.close(tag);
        self.end_line();
    }

    /// An element within other elements.
    pub fn within(&mut self, tag: &'static str, attributes: &[Attribute<'_>], fill: impl FnOnce(&mut Self)) {
        self.open(tag, attributes);
        self.end_line();
        fill(self);
        self.close(tag);
        self.end_line();
    }

    /// Adds HTML.
    pub fn append(&mut self, html: &Self) {
        self.0.push_str(&html.0);
    }

    /// Ends the line.
    pub fn end_line(&mut self) {
        self.0.push('\n');
    }

    /// True if it has nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A page with this title and body. Browsers load nothing else for it, and apply no style but this one.
    pub fn page(title: &str, style: &'static str, body: &Self) -> Text {
        let digest = BASE64_STANDARD.encode(Sha256::digest(style.as_bytes()));
        let policy = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'");
        let mut out = Self("<!DOCTYPE html>\n".to_owned());
        out.within("html", &[("lang", "en")], |html| {
            html.within("head", &[], |head| {
                let mut meta = |attributes: &[Attribute<'_>]| {
                    head.open("meta", attributes);
                    head.end_line();
                };
                meta(&[("charset", "utf-8")]);
                // The browser reads it before anything that it is about.
                meta(&[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
                meta(&[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
                meta(&[("name", "color-scheme"), ("content", "light dark")]);
                meta(&[("name", "referrer"), ("content", "no-referrer")]);
                head.element("title", &[], title);
                head.open("style", &[]);
                // Not escaped: it is this program's, and its digest is that of the raw text.
                head.0.push_str(style);
                head.close("style");
                head.end_line();
            });
            html.within("body", &[], |html| html.append(body));
        });
        Text(out.0)
    }
}

/// Whether a browser loads, runs or applies an attribute's value.
fn is_active(name: &str) -> bool {
    let loads = ["href", "src", "srcset", "action", "formaction", "data", "style", "background", "poster", "ping"];
    name.starts_with("on") || name.contains(':') || loads.contains(&name)
}

/// A text for an element or a quoted attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests;
