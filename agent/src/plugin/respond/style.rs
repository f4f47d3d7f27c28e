//! A message in the form that the URL takes.

use super::{message::Message, template::Template};
use crate::plugin::mcp;
use serde_json::{Value, json};

/// Longest header and field of Slack, characters.
const MAX_HEADER: usize = 150;

/// How messages are written.
#[derive(Clone, Debug)]
pub(super) enum Writer {
    Text,
    Slack,
    Json,
    Template(Template),
}

/// A request's body with its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) kind: &'static str,
    pub(super) body: String,
}

impl Writer {
    /// The message as a request's body.
    pub(super) fn write(&self, message: &Message) -> Written {
        let json = |body: String| Written { kind: "application/json", body };
        match self {
            Self::Text => Written { kind: "text/plain; charset=utf-8", body: message.text() },
            Self::Slack => json(slack(message).to_string()),
            Self::Json => json(mcp::bounded(message.json())),
            Self::Template(template) => json(template.fill(message).to_string()),
        }
    }
}

/// Slack's blocks. Foreign text is plain text, in which Slack knows no links, mentions or styles. `text`, which
/// notifications show, has no such form: its special characters are escaped.
fn slack(message: &Message) -> Value {
    let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    let section = |text: &str| json!({"type": "section", "text": plain(text)});
    let header: String = message.title().chars().take(MAX_HEADER).collect();
    let mut blocks = vec![json!({"type": "header", "text": plain(&header)}), section(&message.verdict)];
    let fields = [
        ("Cause", &message.cause),
        ("Sure", &message.confidence),
        ("At fault", &message.at_fault),
        ("Since", &message.since),
    ];
    let fields: Vec<Value> = fields
        .iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| plain(&format!("{name}\n{text}")))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    for (name, lines) in [("Evidence", &message.evidence), ("Did not answer", &message.not_answered)] {
        if !lines.is_empty() {
            blocks.push(section(&format!("{name}\n• {}", lines.join("\n• "))));
        }
    }
    if !message.next_step.is_empty() {
        blocks.push(section(&format!("Next step\n{}", message.next_step)));
    }
    blocks.push(json!({"type": "context", "elements": [plain(&message.command)]}));
    json!({"text": escaped(&format!("{}: {}", message.title(), message.verdict)), "blocks": blocks})
}

/// Text without a meaning for Slack's markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
