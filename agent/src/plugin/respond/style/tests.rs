use super::{
    super::message::tests::{hostile, lossy, unknown},
    *,
};
use crate::{plugin::model::testing::golden, text::tests::assert_safe};

#[test]
fn slack_gets_blocks() {
    let written = Writer::Slack.write(&lossy());
    assert_eq!(written.kind, "application/json");
    let json: Value = serde_json::from_str(&written.body).unwrap();
    golden("respond-slack.json", &(serde_json::to_string_pretty(&json).unwrap() + "\n"));
    let none: Value = serde_json::from_str(&Writer::Slack.write(&unknown()).body).unwrap();
    assert_eq!(none["blocks"].as_array().unwrap().len(), 3, "{none}");
}

/// Slack's limits: https://docs.slack.dev/reference/block-kit/blocks
#[test]
fn slacks_limits_hold_and_foreign_text_has_no_meaning_for_it() {
    let json: Value = serde_json::from_str(&Writer::Slack.write(&hostile()).body).unwrap();
    let blocks = json["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50);
    let mut texts = 0;
    for block in blocks {
        let mut own: Vec<&Value> = vec![&block["text"]];
        own.extend(block["fields"].as_array().into_iter().chain(block["elements"].as_array()).flatten());
        for text in own.into_iter().filter(|text| !text.is_null()) {
            let limit = if block["type"] == "header" {
                150
            } else if block["fields"].is_array() {
                2000
            } else {
                3000
            };
            assert_eq!(text["type"], "plain_text");
            assert!((1..=limit).contains(&text["text"].as_str().unwrap().chars().count()), "{text}");
            texts += 1;
        }
    }
    assert!(texts > 6, "{json}");
    let fallback = json["text"].as_str().unwrap();
    assert!(!fallback.contains('<') && fallback.contains("&lt;!channel&gt;"), "{fallback}");
}

#[test]
fn every_form_is_safe_and_bounded() {
    for writer in [Writer::Text, Writer::Slack, Writer::Json] {
        let written = writer.write(&hostile());
        assert_safe(written.kind, &written.body);
        assert!(written.body.len() < 24 << 10, "{writer:?}: {} bytes", written.body.len());
        assert!(written.body.contains("EVIL"));
    }
    let json = Writer::Json.write(&hostile()).body;
    assert!(json.len() <= 4096 && serde_json::from_str::<Value>(&json).unwrap()["left_off"].is_object(), "{json}");
}
