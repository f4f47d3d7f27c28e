//! What went wrong, on one line that says what to do.

use serde::Serialize;
use std::fmt;

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What and where.
    pub what: String,
    /// How to mend it; empty when nobody can say.
    pub remedy: String,
}

impl Trouble {
    /// From any text; line breaks are taken out.
    pub fn new(what: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { what: line(what.as_ref()), remedy: line(remedy.as_ref()) }
    }

    /// Says where it happened.
    #[must_use]
    pub fn at(self, place: impl AsRef<str>) -> Self {
        Self::new(format!("{}: {}", place.as_ref(), self.what), self.remedy)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, remedy } = self;
        f.write_str(what)?;
        if remedy.is_empty() { Ok(()) } else { write!(f, "; {remedy}") }
    }
}

impl std::error::Error for Trouble {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_one_line_with_its_remedy() {
        let trouble = Trouble::new("no\n  answer", "raise --request-timeout").at("agent netwhy/x");
        assert_eq!(trouble.to_string(), "agent netwhy/x: no answer; raise --request-timeout");
        assert_eq!(Trouble::new("gone", "").to_string(), "gone");
    }
}
