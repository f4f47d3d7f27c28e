//! Numbers, durations, `true` and `false`.

use super::{Fault, Kind, Setting, describe, refuse};
use crate::config::{Key, yaml::Value};
use std::time::Duration;

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
