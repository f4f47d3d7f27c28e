//! The demo's outcome as a terminal picture in SVG. README.md shows one.

use anstyle_svg::Term;
use anyhow::{Context as _, Result};
use std::{fs, path::Path};

/// Width of the picture. README pages show about this many columns without scaling.
const COLUMNS: usize = 98;
/// Replaces the terminal's palette: dark text on light pages, light text on dark pages.
const COLOURS: &str = "    .fg { fill: #1f2328 } .bg { fill: #f6f8fa } .fg-red { fill: #cf222e }
    @media (prefers-color-scheme: dark) {
      .fg { fill: #e6edf3 } .bg { fill: #161b22 } .fg-red { fill: #ff7b72 }
    }
";

#[cfg(test)]
mod tests;

/// Writes text with ANSI styles as a picture.
pub(super) fn save(file: &Path, text: &str) -> Result<()> {
    fs::write(file, svg(text)).with_context(|| format!("write {}", file.display()))
}

fn svg(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(wrapped).collect();
    let picture = Term::new().render_svg(&lines.join("\n"));
    picture.replacen("  </style>", &format!("{COLOURS}  </style>"), 1)
}

/// Long lines continue below their value: `  cause       path_loss` has it in column 14.
fn wrapped(line: &str) -> String {
    let spaces = |text: &str| text.len() - text.trim_start().len();
    let start = spaces(line);
    let value = line[start..].find("  ").map_or(start, |gap| start + gap + spaces(&line[start + gap..]));
    textwrap::fill(line, textwrap::Options::new(COLUMNS).subsequent_indent(&" ".repeat(value)))
}
