//! One Node's facts.

use super::super::health::Fact;
use crate::api::FactRow;
use serde::Serialize;
use std::collections::BTreeMap;

/// Kinds of facts, those next to the network first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Of an interface: driver, MTU, offloads …
    Interface,
    /// Of the kernel's network.
    Sysctl,
    /// Kernel, machine, agent.
    Machine,
    /// Versions and settings of the Node object.
    Kubernetes,
    /// Conditions and taints of the Node object.
    Condition,
    /// Labels of the Node object.
    Label,
}

impl Kind {
    /// Name in tables.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Interface => "interface",
            Self::Sysctl => "sysctl",
            Self::Machine => "machine",
            Self::Kubernetes => "kubernetes",
            Self::Condition => "condition",
            Self::Label => "label",
        }
    }
}

/// Name of a fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Kind.
    pub kind: Kind,
    /// Name.
    pub fact: String,
    /// Interface. `None`: the Node as a whole.
    pub on: Option<String>,
}

/// Value of a fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A setting or a name.
    Text(String),
    /// A quantity and its unit.
    Number(f64, String),
    /// The Node has none.
    Absent,
    /// It is not known whether there is one.
    Unknown,
}

impl Value {
    /// The text or number. `None`: there is none.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number, _) => Some(format!("{number}")),
            Self::Absent | Self::Unknown => None,
        }
    }

    pub(super) fn unit(&self) -> Option<&str> {
        match self {
            Self::Number(_, unit) => Some(unit),
            _ => None,
        }
    }
}

/// One Node's facts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Name of the Node.
    pub node: String,
    facts: BTreeMap<Key, Value>,
    /// Its interfaces, in the agent's order.
    interfaces: Vec<String>,
    /// Whether its object was read: a label that is missing there is absent.
    has_object: bool,
    /// Facts that could not be read, with the reason.
    pub unread: Vec<Fact>,
}

impl Profile {
    /// Without facts yet.
    pub fn new(node: &str) -> Self {
        Self { node: node.to_owned(), ..Self::default() }
    }

    /// Adds the facts of its agent.
    pub fn add_agent(&mut self, rows: &[FactRow]) {
        if rows.is_empty() {
            let why = "its agent reports none: it is older than this plugin, or does not read the Node's signals";
            return self.unread.push(Fact::new("the agent's facts", why));
        }
        for row in rows {
            let kind = match &row.on {
                Some(_) => Kind::Interface,
                None if row.fact.contains('.') => Kind::Sysctl,
                None => Kind::Machine,
            };
            if let Some(on) = row.on.as_ref().filter(|on| !self.interfaces.contains(on)) {
                self.interfaces.push(on.clone());
                let key = Key { kind, fact: "name".to_owned(), on: Some(on.clone()) };
                self.facts.insert(key, Value::Text(on.clone()));
            }
            let key = Key { kind, fact: row.fact.clone(), on: row.on.clone() };
            let value = match (&row.value, &row.unit, row.state.as_str()) {
                (Some(value), None, _) => Value::Text(value.clone()),
                (Some(value), Some(unit), _) => match value.parse::<f64>() {
                    Ok(number) if number.is_finite() => Value::Number(number, unit.clone()),
                    _ => Value::Unknown,
                },
                (None, _, "absent") => Value::Absent,
                (None, ..) => Value::Unknown,
            };
            if value == Value::Unknown {
                let on = row.on.as_ref().map(|on| format!(" on {on}")).unwrap_or_default();
                let why = row.why.clone().unwrap_or_else(|| "no reason given".to_owned());
                self.unread.push(Fact::new(format!("{}{on}", row.fact), format!("{}: {why}", row.state)));
            }
            self.facts.insert(key, value);
        }
        self.fold_unread();
    }

    /// The reason of many facts is shown once.
    fn fold_unread(&mut self) {
        let mut by_reason: Vec<(String, Vec<String>)> = Vec::new();
        for fact in std::mem::take(&mut self.unread) {
            match by_reason.iter_mut().find(|(why, _)| *why == fact.figures) {
                Some((_, names)) => names.push(fact.what),
                None => by_reason.push((fact.figures, vec![fact.what])),
            }
        }
        self.unread = by_reason
            .into_iter()
            .map(|(why, names)| match names.as_slice() {
                [first, _, ..] => Fact::new(format!("{first} and {} more", names.len() - 1), why),
                _ => Fact::new(names.join(""), why),
            })
            .collect();
    }

    /// Adds facts of its Node object.
    pub fn add_object(&mut self, facts: impl IntoIterator<Item = (Kind, String, Value)>) {
        self.has_object = true;
        self.facts.extend(facts.into_iter().map(|(kind, fact, value)| (Key { kind, fact, on: None }, value)));
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.facts.keys()
    }

    /// The value of a fact. An object lists all that the Node has; an agent names what it could not read, and other
    /// versions of it may know other facts.
    pub(super) fn get(&self, key: &Key) -> &Value {
        let is_read = match key.kind {
            Kind::Interface | Kind::Sysctl | Kind::Machine => false,
            Kind::Kubernetes | Kind::Condition | Kind::Label => self.has_object,
        };
        self.facts.get(key).unwrap_or(if is_read { &Value::Absent } else { &Value::Unknown })
    }

    /// The same with its interfaces under the names of those of `node`: equal names first, then by position.
    pub(super) fn aligned_to(&self, node: &Self) -> Self {
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for (position, theirs) in node.interfaces.iter().enumerate() {
            let has_it = |own: &&String| **own == *theirs;
            let by_position = || {
                let own = self.interfaces.get(position)?;
                (!node.interfaces.contains(own)).then_some(own)
            };
            if let Some(own) = self.interfaces.iter().find(has_it).or_else(by_position) {
                names.insert(own, theirs);
            }
        }
        let renamed = |(key, value): (&Key, &Value)| {
            let on = match &key.on {
                Some(on) => Some((*names.get(on.as_str())?).to_owned()),
                None => None,
            };
            Some((Key { on, ..key.clone() }, value.clone()))
        };
        Self { facts: self.facts.iter().filter_map(renamed).collect(), ..self.clone() }
    }
}
