//! The types of settings: how each is read from YAML, printed, and described in an error.

use super::{
    Key,
    yaml::{self, Value},
};

mod addresses;
mod numbers;
mod texts;
mod words;

pub use words::{ApiAccess, Authorization, RttBuckets, RunQueue, Switch};

/// One thing wrong with a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Position in a list. `None`: the whole value.
    pub(crate) element: Option<usize>,
    /// The mistake and its remedy.
    pub(crate) message: String,
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self { element: None, message }
    }
}

/// Kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole number.
    Whole,
    /// Number.
    Number,
    /// `true` or `false`.
    Bool,
    /// One of a list of words.
    Choice(&'static [&'static str]),
    /// Number of seconds.
    Seconds,
    /// Text; null means not set.
    OptionalText,
    /// `IP:PORT`.
    Listen,
    /// An address and port, or `null`.
    OptionalListen,
    /// List of address ranges.
    Ranges,
    /// List of Nodes with their address ranges.
    NodeRanges,
}

impl Kind {
    /// Whether `null` is a value.
    pub(super) fn allows_null(self) -> bool {
        matches!(self, Self::OptionalText | Self::OptionalListen)
    }

    /// Name for the documentation.
    pub fn name(self) -> String {
        match self {
            Self::Whole => "whole number".into(),
            Self::Number => "number".into(),
            Self::Bool => "`true` or `false`".into(),
            Self::Choice(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "),
            Self::Seconds => "seconds".into(),
            Self::OptionalText => "text or `null`".into(),
            Self::Listen => "`IP:PORT`".into(),
            Self::OptionalListen => "`IP:PORT` or `null`".into(),
            Self::Ranges => "list of address ranges".into(),
            Self::NodeRanges => "list of `NAME@ZONE=RANGE`".into(),
        }
    }
}

/// A type that a key can have.
pub(crate) trait Setting: Sized {
    /// The default, as the table writes it.
    type Default;
    /// The form in which readers get the value.
    type Ref<'a>
    where
        Self: 'a;
    /// For documentation and errors.
    const KIND: Kind;
    /// The default as a value.
    fn of(default: Self::Default) -> Self;
    /// Reads and checks a YAML value.
    fn read(value: &Value, key: &Key) -> Result<Self, Vec<Fault>>;
    /// The value in the syntax of the file.
    fn show(&self) -> String;
    /// The value for a reader.
    fn get(&self) -> Self::Ref<'_>;
}

fn refuse<T>(message: String) -> Result<T, Vec<Fault>> {
    Err(vec![message.into()])
}

/// A value for an error message; long text is cut.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "no value".into(),
        Value::Bool(b) => b.to_string(),
        Value::Whole(n) => n.to_string(),
        Value::Number(n) => n.to_string(),
        Value::Text(text) => {
            let cut: String = text.chars().take(40).collect();
            format!("{cut:?}{}", if cut.len() < text.len() { "…" } else { "" })
        }
        Value::List(_) => "a list".into(),
        Value::Section(_) => "a section".into(),
    }
}

/// `a, b or c`.
pub(super) fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
}

/// Text as YAML: plain if YAML reads it back as the same text, else in double quotes.
pub(super) fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._:-".contains(&b))
        && !text.ends_with(':')
        && yaml::read(text).is_ok_and(|v| v.as_str() == Some(text));
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
