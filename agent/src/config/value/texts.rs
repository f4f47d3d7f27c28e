//! Texts and paths.

use super::{Fault, Kind, Setting, describe, quoted, refuse};
use crate::config::{Key, yaml::Value};
use std::path::{Path, PathBuf};

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
