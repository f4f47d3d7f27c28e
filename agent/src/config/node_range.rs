//! Address ranges of Nodes, for machines without Kubernetes.

use super::{
    Cidr, Key, Kind,
    value::{Fault, Setting, describe, quoted},
    yaml::Value,
};
use std::{fmt, str::FromStr};

/// `NAME=RANGE` or `NAME@ZONE=RANGE`: a Node's name, its zone, and addresses of it and its Pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRange {
    /// Name, as hints show it.
    pub name: String,
    /// Zone. `None`: not known.
    pub zone: Option<String>,
    /// Addresses.
    pub range: Cidr,
}

impl fmt::Display for NodeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, zone, range } = self;
        match zone {
            Some(zone) => write!(f, "{name}@{zone}={range}"),
            None => write!(f, "{name}={range}"),
        }
    }
}

impl FromStr for NodeRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((who, range)) = text.split_once('=') else {
            return Err(format!("{text:?} names no Node: write one such as node-b@zone-1=10.0.2.0/24"));
        };
        let (name, zone) = who.split_once('@').map_or((who, None), |(name, zone)| (name, Some(zone)));
        for word in [Some(name), zone].into_iter().flatten() {
            if let Some(message) = super::check::node_name(word) {
                return Err(format!("{word:?} is {message}"));
            }
        }
        Ok(Self { name: name.to_owned(), zone: zone.map(str::to_owned), range: range.parse()? })
    }
}

impl Setting for Vec<NodeRange> {
    type Default = [NodeRange; 0];
    type Ref<'a> = &'a [NodeRange];
    const KIND: Kind = Kind::NodeRanges;

    fn of(default: [NodeRange; 0]) -> Self {
        default.into()
    }

    fn read(value: &Value, _: &Key) -> Result<Self, Vec<Fault>> {
        let Some(list) = value.as_list() else {
            let message = format!("{} is not a list: write one \"- NAME@ZONE=RANGE\" a line", describe(value));
            return Err(vec![message.into()]);
        };
        let mut ranges = Self::new();
        let mut faults = Vec::new();
        for (i, item) in list.iter().enumerate() {
            let text = item.as_str().ok_or_else(|| format!("{} is not NAME@ZONE=RANGE", describe(item)));
            let range = text.and_then(str::parse::<NodeRange>).and_then(|new| {
                let taken = ranges.iter().find(|known| known.range == new.range);
                taken.map_or(Ok(new), |known| Err(format!("{} is {}'s already: remove one", known.range, known.name)))
            });
            match range {
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

#[cfg(test)]
mod tests;
