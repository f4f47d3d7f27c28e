//! Colors: only on terminals, and never with `NO_COLOR`.

use crate::text::Text;

/// Whether to write colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

/// The colors and their meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Healthy.
    Green,
    /// Unusual.
    Yellow,
    /// A problem.
    Red,
    /// Secondary.
    Grey,
}

impl Paint {
    /// No colors.
    pub const PLAIN: Self = Self(false);

    /// Colors on a terminal, unless `NO_COLOR` is set to a value.
    pub fn new(terminal: bool, no_color: Option<&std::ffi::OsStr>) -> Self {
        Self(terminal && no_color.is_none_or(std::ffi::OsStr::is_empty))
    }

    /// True if there are colors.
    pub const fn is_on(self) -> bool {
        self.0
    }

    /// A text in a color.
    pub fn colour(self, colour: Colour, text: &str) -> Text {
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "31",
            Colour::Grey => "90",
        };
        self.with(code, text)
    }

    /// A text in the color of the nth of several things. None of these colors has a meaning.
    pub fn series(self, n: usize, text: &str) -> Text {
        const CODES: [&str; 6] = ["36", "35", "34", "96", "95", "94"];
        self.with(CODES[n % CODES.len()], text)
    }

    /// A text in bold.
    pub fn bold(self, text: &str) -> Text {
        self.with("1", text)
    }

    fn with(self, code: &'static str, text: &str) -> Text {
        if self.0 && !text.is_empty() { Text::styled(code, text) } else { Text::new(text) }
    }
}

#[cfg(test)]
mod tests;
