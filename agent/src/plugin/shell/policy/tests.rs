use super::*;

const PLACE: &str = "netwhy/netwhy-shell";

fn read(text: &str) -> Policy {
    Policy::read(Some(text), PLACE).unwrap()
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn ask(policy: &Policy, namespace: &str, line: &str, is_recorded: bool) -> Result<Limits, String> {
    let command = words(line);
    let limits = Limits { idle: Some(Duration::from_secs(600)), max: None };
    let request = Request { namespace, command: &command, is_recorded, limits };
    policy.allow(PLACE, &request).map_err(|failure| failure.to_string())
}

#[test]
fn patterns_match_whole_texts() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("", "a", false),
        ("sh", "sh", true),
        ("sh", "sh -c x", false),
        ("sh", "bash", false),
        ("*", "", true),
        ("*", "anything at all", true),
        ("ss *", "ss -tni", true),
        ("ss *", "ss", false),
        ("ss*", "ss", true),
        ("*tail*log", "tail -f x.log", true),
        ("*tail*log", "tail -f x.log y", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("a*b*c", "aXbXbXc", true),
        ("team-*", "team-", true),
        ("?", "é", true),
        ("[a-z]", "a", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern:?} {text:?}");
    }
    // No pattern takes exponential time.
    assert!(!matches(&"*a".repeat(200), &"a".repeat(5000).replace('a', "ab")));
}

#[test]
fn without_rules_everything_is_allowed() {
    let limits = ask(&Policy::default(), "shop", "sh", false).unwrap();
    assert_eq!(limits, Limits { idle: Some(Duration::from_secs(600)), max: None });
    assert_eq!(read("{}"), Policy::default());
    assert_eq!(read("record: optional"), Policy::default());
}

#[test]
fn each_rule_can_forbid() {
    let policy = read("record: required\nnamespaces: [shop, \"team-*\"]\ncommands: [sh, \"ss *\"]");
    assert!(ask(&policy, "team-a", "ss -tni", true).is_ok());
    let error = |namespace, line, recorded| ask(&policy, namespace, line, recorded).unwrap_err();
    let text = error("kube-system", "sh", true);
    assert!(text.contains("no shell in namespace kube-system") && text.contains(PLACE), "{text}");
    assert!(text.contains("\"shop\", \"team-*\""), "{text}");
    assert!(error("shop", "rm -rf /", true).contains("do not allow the command \"rm -rf /\""));
    assert!(error("shop", "sh", false).ends_with("pass --record FILE"));
}

#[test]
fn an_empty_list_allows_nothing() {
    assert!(ask(&read("namespaces: []"), "shop", "sh", true).unwrap_err().ends_with("no namespaces are allowed"));
    assert!(ask(&read("commands: []"), "shop", "sh", true).is_err());
}

#[test]
fn the_stricter_limit_holds() {
    let limits = |text| ask(&read(text), "shop", "sh", false).unwrap();
    let seconds = |s| Some(Duration::from_secs(s));
    assert_eq!(limits("idle_timeout: 5m\nmax_time: 1h"), Limits { idle: seconds(300), max: seconds(3600) });
    assert_eq!(limits("idle_timeout: 1h"), Limits { idle: seconds(600), max: None });
}

#[test]
fn rules_that_are_not_understood_forbid_everything() {
    for text in [
        "recording: required",
        "record: yes please",
        "namespaces: shop",
        "idle_timeout: soon",
        "max_time: 0",
        "- a",
        "record: required\nrecord: optional",
        "{",
    ] {
        let failure = Policy::read(Some(text), PLACE).unwrap_err();
        assert!(failure.what.starts_with("ConfigMap netwhy/netwhy-shell: "), "{text}: {failure}");
    }
    assert!(Policy::read(None, PLACE).unwrap_err().what.ends_with("it has no key shell.yaml"));
    let many = format!("commands: [{}]", "a,".repeat(1001));
    assert!(Policy::read(Some(&many), PLACE).unwrap_err().what.contains("1000 patterns"));
}
