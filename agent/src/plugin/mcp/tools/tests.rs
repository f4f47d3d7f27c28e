use super::*;

fn checked(tool: &str, given: &Value) -> Result<(), String> {
    let definition = TOOLS.iter().find(|one| one.name == tool).unwrap();
    Arguments::checked(definition, given.as_object().unwrap()).map(drop).map_err(|failure| failure.to_string())
}

#[test]
fn wrong_arguments_are_named_with_the_right_ones() {
    assert_eq!(checked("why", &json!({"target": "pod/a", "namespace": "shop"})), Ok(()));
    let refused = |tool, given| checked(tool, &given).unwrap_err();
    assert!(refused("why", json!({})).starts_with("why needs the argument target; pod/NAME"));
    assert!(refused("why", json!({"target": ""})).starts_with("why needs the argument target"));
    assert_eq!(refused("edge", json!({"form": "a"})), "edge has no argument \"form\"; its arguments: from, to");
    assert!(refused("history", json!({})).starts_with("history needs the argument since; Begin of the time"));
    assert_eq!(checked("changed", &json!({"target": "pod/a", "since": "1h", "at": "40m"})), Ok(()));
    assert_eq!(refused("differs", json!({"node": 7})), "node must be a text, not 7");
}

#[test]
fn a_namespace_can_not_leave_its_place_in_a_path() {
    assert!(is_namespace("kube-system") && is_namespace("shop2"));
    for bad in ["../nodes", "a/b", "a?b", "A", "a b", &"a".repeat(64)] {
        assert!(!is_namespace(bad), "{bad}");
    }
}

#[test]
fn every_tool_says_that_it_only_reads() {
    let tools = all();
    assert_eq!(tools.len(), TOOLS.len());
    for tool in &tools {
        let annotations = tool.annotations.as_ref().unwrap();
        assert_eq!(
            (annotations.read_only_hint, annotations.destructive_hint),
            (Some(true), Some(false)),
            "{}",
            tool.name
        );
        assert_eq!(tool.input_schema["additionalProperties"], false);
    }
    let why = tools.iter().find(|tool| tool.name == "why").unwrap();
    assert_eq!(why.input_schema["required"], json!(["target"]));
}

#[test]
fn a_cause_is_explained_and_an_unknown_one_lists_all() {
    assert_eq!(rule("path_loss").unwrap().id, "path_loss");
    let failure = rule("pathloss").unwrap_err().to_string();
    assert!(failure.starts_with("no cause is named \"pathloss\"") && failure.contains("path_loss"), "{failure}");
    for rule in RULES {
        let text = crate::plugin::mcp::bound::text(brief::cause(rule));
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}: {text}", rule.id);
    }
}
