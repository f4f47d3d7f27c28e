//! The page's files, which are part of the program.

/// A file of the page.
pub(super) struct Asset {
    /// Name in the URL.
    pub(super) name: &'static str,
    /// Its Content-Type.
    pub(super) kind: &'static str,
    /// Its bytes.
    pub(super) bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const ICON: &str = "image/svg+xml";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Lists files with their types.
macro_rules! assets {
    ($(($kind:ident, $name:literal)),+ $(,)?) => {
        &[$(Asset { name: $name, kind: $kind, bytes: include_bytes!(concat!("assets/", $name)) }),+]
    };
}

/// All files.
pub(super) static ASSETS: &[Asset] = assets![
    (HTML, "index.html"),
    (ICON, "icon.svg"),
    (STYLE, "style.css"),
    (SCRIPT, "app.js"),
    (SCRIPT, "dom.js"),
    (SCRIPT, "format.js"),
    (SCRIPT, "keys.js"),
    (SCRIPT, "series.js"),
    (SCRIPT, "hints.js"),
    (SCRIPT, "map.js"),
    (SCRIPT, "layout.js"),
    (SCRIPT, "nodes.js"),
    (SCRIPT, "why.js"),
    (SCRIPT, "waterfall.js"),
    // uPlot 1.6.32, unchanged.
    (SCRIPT, "uplot.js"),
    (STYLE, "uplot.css"),
    (PLAIN, "uplot.LICENSE.txt"),
];

/// The file of this name.
pub(super) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

#[cfg(test)]
mod tests;
