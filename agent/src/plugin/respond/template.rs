//! JSON of the user's own form. Placeholders stand in its texts and are filled after it was read, so that no text from
//! outside can change its structure.

use super::message::Message;
use crate::plugin::mcp;
use serde_json::Value;

/// Longest file, bytes.
pub(super) const MAX_BYTES: u64 = 64 << 10;
/// A text of this placeholder alone becomes the whole answer.
const ANSWER: &str = "answer";
/// The other placeholders.
const NAMES: [&str; 13] = [
    "alerts",
    "target",
    "state",
    "verdict",
    "cause",
    "at_fault",
    "confidence",
    "since",
    "evidence",
    "next_step",
    "not_answered",
    "command",
    "text",
];

/// A template whose placeholders are all known.
#[derive(Clone, Debug)]
pub(super) struct Template(Value);

/// A piece of a text.
enum Piece<'t> {
    Text(&'t str),
    Name(&'t str),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Text that is not JSON, or a placeholder that nobody knows.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let json: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        check(&json)?;
        Ok(Self(json))
    }

    /// The template with the message's texts.
    pub(super) fn fill(&self, message: &Message) -> Value {
        filled(&self.0, message)
    }
}

fn check(json: &Value) -> Result<(), String> {
    match json {
        Value::String(text) if is_answer(text) => Ok(()),
        Value::String(text) => {
            let unknown = pieces(text).into_iter().find_map(|piece| match piece {
                Piece::Name(name) if !NAMES.contains(&name) => Some(name),
                _ => None,
            });
            let known = || NAMES.join(", ");
            match unknown {
                None => Ok(()),
                Some(ANSWER) => Err(format!("{{{{{ANSWER}}}}} stands alone in its text: it becomes an object")),
                Some(name) => Err(format!("no placeholder is named {name:?}; placeholders: {}, {ANSWER}", known())),
            }
        }
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Object(map) => map.values().try_for_each(check),
        _ => Ok(()),
    }
}

fn is_answer(text: &str) -> bool {
    matches!(pieces(text).as_slice(), [Piece::Name(ANSWER)])
}

fn filled(json: &Value, message: &Message) -> Value {
    match json {
        Value::String(text) if is_answer(text) => {
            serde_json::from_str(&mcp::bounded(message.json())).unwrap_or(Value::Null)
        }
        Value::String(text) => {
            let texts = pieces(text).into_iter().map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Name(name) => value(name, message),
            });
            Value::String(texts.collect())
        }
        Value::Array(items) => items.iter().map(|item| filled(item, message)).collect(),
        Value::Object(map) => map.iter().map(|(key, item)| (key.clone(), filled(item, message))).collect(),
        other => other.clone(),
    }
}

/// A text and its placeholders, `{{name}}`.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        if !before.is_empty() {
            out.push(Piece::Text(before));
        }
        out.push(Piece::Name(name.trim()));
        rest = behind;
    }
    if !rest.is_empty() {
        out.push(Piece::Text(rest));
    }
    out
}

fn value(name: &str, message: &Message) -> String {
    match name {
        "alerts" => message.alerts.join(", "),
        "target" => message.target.clone(),
        "state" => message.state.clone(),
        "verdict" => message.verdict.clone(),
        "cause" => message.cause.clone(),
        "at_fault" => message.at_fault.clone(),
        "confidence" => message.confidence.clone(),
        "since" => message.since.clone(),
        "evidence" => message.evidence.join("\n"),
        "next_step" => message.next_step.clone(),
        "not_answered" => message.not_answered.join("\n"),
        "command" => message.command.clone(),
        "text" => message.text(),
        // `check` refused all others.
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
