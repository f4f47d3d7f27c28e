//! The types of settings: how each is read from YAML, printed, and described in an error.

use super::{
    Cidr, Key,
    yaml::{self, Value},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Whether a signal or feature is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// Used if the machine supports it.
    #[default]
    Auto,
    /// Used; the agent does not start without it.
    On,
    /// Not used.
    Off,
}

/// When the run queue probe is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunQueue {
    /// Never.
    Off,
    /// Always; the agent does not start without it.
    On,
    /// While the Node or a Pod is under CPU pressure.
    #[default]
    Pressure,
}

/// Buckets of the exported RTT histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RttBuckets {
    /// 9 bounds from 50 µs to 10 s.
    #[default]
    Coarse,
    /// Every bucket of the kernel side.
    Fine,
}

/// Who may read what the main listener serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// Every client that can connect.
    #[default]
    None,
    /// Clients whose bearer token the API server accepts for `/metrics`.
    Kubernetes,
}

/// Who reaches `/api/v1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiAccess {
    /// Clients on the Pod's own loopback: port-forwards.
    #[default]
    Loopback,
    /// Every client of the main listener, such as the API server's Pod proxy.
    Proxy,
}

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

impl Setting for u64 {
    type Default = Self;
    type Ref<'a> = Self;
    const KIND: Kind = Kind::Whole;

    fn of(default: Self) -> Self {
        default
    }

    fn read(value: &Value, key: &Key) -> Result<Self, Vec<Fault>> {
        let number = number(value, key)?;
        match value.as_u64() {
            Some(whole) => Ok(whole),
            None => refuse(format!("{number} is not a whole number: give {}", key.wanted())),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn get(&self) -> Self::Ref<'_> {
        *self
    }
}

impl Setting for f64 {
    type Default = Self;
    type Ref<'a> = Self;
    const KIND: Kind = Kind::Number;

    fn of(default: Self) -> Self {
        default
    }

    fn read(value: &Value, key: &Key) -> Result<Self, Vec<Fault>> {
        number(value, key)
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn get(&self) -> Self::Ref<'_> {
        *self
    }
}

impl Setting for Duration {
    type Default = u64;
    type Ref<'a> = Self;
    const KIND: Kind = Kind::Seconds;

    fn of(default: u64) -> Self {
        Self::from_secs(default)
    }

    fn read(value: &Value, key: &Key) -> Result<Self, Vec<Fault>> {
        let seconds = number(value, key)?;
        Self::try_from_secs_f64(seconds)
            .map_err(|_| vec![format!("{seconds} is not a duration: give {}", key.wanted()).into()])
    }

    fn show(&self) -> String {
        self.as_secs_f64().to_string()
    }

    fn get(&self) -> Self::Ref<'_> {
        *self
    }
}

impl Setting for bool {
    type Default = Self;
    type Ref<'a> = Self;
    const KIND: Kind = Kind::Bool;

    fn of(default: Self) -> Self {
        default
    }

    fn read(value: &Value, _: &Key) -> Result<Self, Vec<Fault>> {
        match value.as_bool() {
            Some(b) => Ok(b),
            None => refuse(format!("{} is neither true nor false: write one of them, without quotes", describe(value))),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn get(&self) -> Self::Ref<'_> {
        *self
    }
}

/// Implements [`Setting`] for an enum by a table of its words.
macro_rules! choice {
    ($Type:ident: $($word:literal => $variant:ident),+) => {
        impl Setting for $Type {
            type Default = Self;
            type Ref<'a> = Self;
            const KIND: Kind = Kind::Choice(&[$($word),+]);

            fn of(default: Self) -> Self {
                default
            }

            fn read(value: &Value, _: &Key) -> Result<Self, Vec<Fault>> {
                match value.as_str() {
                    $(Some($word) => Ok(Self::$variant),)+
                    _ => refuse(format!("{} is not known: write {}", describe(value), either(&[$($word),+]))),
                }
            }

            fn show(&self) -> String {
                match self { $(Self::$variant => $word,)+ }.to_owned()
            }

            fn get(&self) -> Self {
                *self
            }
        }
    };
}

choice!(Switch: "auto" => Auto, "on" => On, "off" => Off);
choice!(RunQueue: "off" => Off, "on" => On, "pressure" => Pressure);
choice!(RttBuckets: "coarse" => Coarse, "fine" => Fine);
choice!(ApiAccess: "loopback" => Loopback, "proxy" => Proxy);
choice!(Authorization: "none" => None, "kubernetes" => Kubernetes);

impl Setting for Option<String> {
    type Default = Self;
    type Ref<'a> = Option<&'a str>;
    const KIND: Kind = Kind::OptionalText;

    fn of(default: Self) -> Self {
        default
    }

    fn read(value: &Value, _: &Key) -> Result<Self, Vec<Fault>> {
        optional_text(value)
    }

    fn show(&self) -> String {
        self.as_deref().map_or_else(|| "null".into(), quoted)
    }

    fn get(&self) -> Self::Ref<'_> {
        self.as_deref()
    }
}

impl Setting for Option<PathBuf> {
    type Default = Self;
    type Ref<'a> = Option<&'a Path>;
    const KIND: Kind = Kind::OptionalText;

    fn of(default: Self) -> Self {
        default
    }

    fn read(value: &Value, _: &Key) -> Result<Self, Vec<Fault>> {
        Ok(optional_text(value)?.map(PathBuf::from))
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "null".into(), |path| quoted(&path.to_string_lossy()))
    }

    fn get(&self) -> Self::Ref<'_> {
        self.as_deref()
    }
}

impl Setting for SocketAddr {
    type Default = ([u8; 4], u16);
    type Ref<'a> = Self;
    const KIND: Kind = Kind::Listen;

    fn of(default: ([u8; 4], u16)) -> Self {
        Self::from(default)
    }

    fn read(value: &Value, _: &Key) -> Result<Self, Vec<Fault>> {
        let address = value.as_str().and_then(|text| text.parse().ok());
        address.ok_or_else(|| {
            let found = describe(value);
            vec![
                format!("{found} is not an address to listen on: write IP:PORT such as 0.0.0.0:9810 or \"[::]:9810\"")
                    .into(),
            ]
        })
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }

    fn get(&self) -> Self::Ref<'_> {
        *self
    }
}

impl Setting for Option<SocketAddr> {
    type Default = Self;
    type Ref<'a> = Self;
    const KIND: Kind = Kind::OptionalListen;

    fn of(default: Self) -> Self {
        default
    }

    fn read(value: &Value, key: &Key) -> Result<Self, Vec<Fault>> {
        if value.is_null() { Ok(None) } else { <SocketAddr as Setting>::read(value, key).map(Some) }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "null".into(), Setting::show)
    }

    fn get(&self) -> Self {
        *self
    }
}

impl Setting for Vec<Cidr> {
    type Default = &'static [Cidr];
    type Ref<'a> = &'a [Cidr];
    const KIND: Kind = Kind::Ranges;

    fn of(default: &'static [Cidr]) -> Self {
        default.to_vec()
    }

    fn read(value: &Value, _: &Key) -> Result<Self, Vec<Fault>> {
        let Some(list) = value.as_list() else {
            return refuse(format!(
                "{} is not a list: write [10.0.0.0/8] or one \"- 10.0.0.0/8\" a line",
                describe(value)
            ));
        };
        let mut ranges = Self::new();
        let mut faults = Vec::new();
        for (i, item) in list.iter().enumerate() {
            let range = match item.as_str() {
                Some(text) => text.parse::<Cidr>(),
                None => Err(format!("{} is not an address range: write one such as 10.0.0.0/8", describe(item))),
            };
            match range {
                Ok(range) if ranges.contains(&range) => {
                    faults.push(Fault { element: Some(i), message: format!("{range} is listed twice: remove one") });
                }
                Ok(range) => ranges.push(range),
                Err(message) => faults.push(Fault { element: Some(i), message }),
            }
        }
        if faults.is_empty() { Ok(ranges) } else { Err(faults) }
    }

    fn show(&self) -> String {
        let ranges: Vec<_> = self.iter().map(|range| quoted(&range.to_string())).collect();
        format!("[{}]", ranges.join(", "))
    }

    fn get(&self) -> Self::Ref<'_> {
        self
    }
}

/// A number within the key's range.
fn number(value: &Value, key: &Key) -> Result<f64, Vec<Fault>> {
    let Some(n) = value.as_f64().filter(|n| !n.is_nan()) else {
        return refuse(match value.as_str() {
            Some(text) if text.parse::<f64>().is_ok() => {
                format!("{} is text: give {}, without quotes", describe(value), key.wanted())
            }
            _ => format!("{} is not a number: give {}", describe(value), key.wanted()),
        });
    };
    let (low, high) = key.range.unwrap_or((f64::MIN, f64::MAX));
    if n < low {
        return refuse(format!("{n} is below {low}: give {}", key.wanted()));
    }
    if n > high {
        return refuse(format!("{n} is above {high}: give {}", key.wanted()));
    }
    Ok(n)
}

fn optional_text(value: &Value) -> Result<Option<String>, Vec<Fault>> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) if text.trim().is_empty() => refuse("is empty: write null or remove the line".into()),
        Value::Text(text) => Ok(Some(text.clone())),
        Value::Whole(_) | Value::Number(_) | Value::Bool(_) => {
            refuse(format!("{} is not text: put it in quotes", describe(value)))
        }
        _ => refuse(format!("{} is not text: write one word or null", describe(value))),
    }
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
