//! Tables in the style of kubectl.

use super::{Colour, View, html::colour as class};
use crate::text::{Text, html::Html, printable};

/// Space between columns.
const GAP: usize = 3;

/// A table. Cells can have a color; they are escaped when they are added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<(String, Option<Colour>)>>,
    /// Text instead of an empty table.
    nothing: String,
}

impl Table {
    /// A table with these headings; `nothing` replaces an empty table.
    pub fn new(head: &[&str], nothing: &str) -> Self {
        let head = head.iter().map(|text| printable(text).into_owned()).collect();
        Self { head, rows: Vec::new(), nothing: nothing.to_owned() }
    }

    /// Adds a row of plain cells.
    pub fn row(&mut self, cells: Vec<String>) {
        self.coloured(cells.into_iter().map(|cell| (cell, None)).collect());
    }

    /// Adds a row of cells that can have a color.
    pub fn coloured(&mut self, cells: Vec<(String, Option<Colour>)>) {
        let escaped = |(cell, colour): (String, _)| (printable(&cell).into_owned(), colour);
        self.rows.push(cells.into_iter().map(escaped).collect());
    }

    /// Several clusters' tables as one, with the context in the first column.
    pub fn side_by_side(tables: Vec<(String, Self)>) -> Self {
        let mut out = Self::default();
        for (context, table) in tables {
            let context = printable(&context).into_owned();
            if out.head.is_empty() {
                out.head = std::iter::once("CONTEXT".to_owned()).chain(table.head).collect();
                out.nothing = table.nothing;
            }
            out.rows.extend(
                table.rows.into_iter().map(|row| std::iter::once((context.clone(), None)).chain(row).collect()),
            );
        }
        out
    }

    /// The table as HTML.
    pub fn html(&self) -> Html {
        let mut out = Html::default();
        if self.rows.is_empty() {
            out.element("p", &[("class", "grey")], &self.nothing);
            return out;
        }
        out.within("table", &[], |out| {
            out.within("tr", &[], |out| self.head.iter().for_each(|text| out.element("th", &[], text)));
            for row in &self.rows {
                out.within("tr", &[], |out| {
                    for (text, colour) in row {
                        let class = colour.map(|colour| ("class", class(colour)));
                        out.element("td", class.as_slice(), text.trim());
                    }
                });
            }
        });
        out
    }

    /// The table as text, without blanks at the end of lines.
    pub fn render(&self, view: &View) -> Text {
        let mut out = Text::default();
        if self.rows.is_empty() {
            out.push(&self.nothing);
            out.end_line();
            return out;
        }
        let columns = self.head.len();
        let width = |text: &str| text.chars().count();
        let widths: Vec<usize> = (0..columns)
            .map(|i| {
                let cells = self.rows.iter().filter_map(|row| row.get(i)).map(|(text, _)| width(text));
                cells.chain([width(&self.head[i])]).max().unwrap_or(0)
            })
            .collect();
        let head: Vec<(String, Option<Colour>)> = self.head.iter().map(|text| (text.clone(), None)).collect();
        for (number, row) in std::iter::once(&head).chain(&self.rows).enumerate() {
            let mut line = Text::default();
            for (i, (text, colour)) in row.iter().enumerate() {
                let shown = match colour {
                    Some(colour) => view.paint.colour(*colour, text),
                    None if number == 0 => view.paint.bold(text),
                    None => Text::new(text),
                };
                line.append(&shown);
                if i + 1 < row.len() {
                    line.push(&" ".repeat(widths[i] + GAP - width(text)));
                }
            }
            out.append(&line.trimmed());
            out.end_line();
        }
        out
    }
}
