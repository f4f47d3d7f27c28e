use super::{
    super::message::tests::{hostile, lossy},
    *,
};
use serde_json::json;

fn template(json: &Value) -> Result<Template, String> {
    Template::read(&json.to_string())
}

#[test]
fn placeholders_are_filled_within_texts() {
    let given = json!({
        "content": "{{alerts}}: {{ verdict }}", "cause": ["{{cause}}", 3, null, true], "plain": "{{ no end", "x": "}}",
        "all": {"deep": "{{answer}}"}
    });
    let filled = template(&given).unwrap().fill(&lossy());
    assert!(
        filled["content"].as_str().unwrap().starts_with("NetwhyPodPacketLoss (warning), CartSlow: payment-1 loses")
    );
    assert_eq!(filled["cause"], json!(["path_loss", 3, null, true]));
    assert_eq!((&filled["plain"], &filled["x"]), (&json!("{{ no end"), &json!("}}")));
    assert_eq!(filled["all"]["deep"]["state"], "cause_found");
    // Every name has a value, if only an empty one.
    for name in NAMES {
        let filled = template(&json!(format!("<{{{{{name}}}}}>"))).unwrap().fill(&lossy());
        assert_ne!(filled, json!("<>"), "{name}");
    }
}

#[test]
fn wrong_templates_are_refused_with_the_reason() {
    for (text, why) in [
        ("{", "not JSON"),
        ("\"{{verdikt}}\"", "no placeholder is named \"verdikt\"; placeholders: alerts, target"),
        ("{\"a\": [\"{{}}\"]}", "no placeholder is named \"\""),
        ("\"x {{answer}}\"", "{{answer}} stands alone"),
    ] {
        let error = Template::read(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn foreign_text_changes_no_structure_and_is_not_filled_again() {
    let given = json!({"text": "{{text}}", "target": "{{alerts}}"});
    let mut message = hostile();
    message.alerts = vec!["\",\"admin\":true,\"x\":\"{{command}}".into()];
    let filled = template(&given).unwrap().fill(&message);
    assert_eq!(filled.as_object().unwrap().len(), 2);
    assert_eq!(filled["target"], "\",\"admin\":true,\"x\":\"{{command}}");
}
