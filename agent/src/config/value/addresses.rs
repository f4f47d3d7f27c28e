//! Addresses and their ranges.

use super::{Fault, Kind, Setting, describe, quoted, refuse};
use crate::config::{Cidr, Key, yaml::Value};
use std::net::SocketAddr;

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
