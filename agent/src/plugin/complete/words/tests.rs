use super::*;

fn wanted(line: &str) -> Asked {
    let mut command = super::super::super::cli::command(None);
    command.build();
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    asked(&command, &words)
}

fn fixed(line: &str) -> Vec<String> {
    match wanted(line).wanted {
        Wanted::Fixed(list) => list.into_iter().map(|(value, _)| value).collect(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn commands_flags_and_fixed_values_are_known() {
    assert!(["why", "top", "topology"].iter().all(|name| fixed("").contains(&(*name).to_owned())));
    assert!(fixed("-n shop ").contains(&"hints".to_owned()), "a value is no command");
    let flags = fixed("why pod/x --");
    assert!(["--namespace", "--as", "--tls-server-name"].iter().all(|name| flags.contains(&(*name).to_owned())));
    assert!(fixed("watch-closer --").contains(&"--stop".to_owned()) && !flags.contains(&"--stop".to_owned()));
    for line in ["hints -o ", "-o ", "hints --output=", "hints -Ao "] {
        assert!(fixed(line).contains(&"mermaid".to_owned()), "{line}");
    }
    assert!(fixed("completion ").contains(&"fish".to_owned()));
}

#[test]
fn names_of_the_cluster_are_asked_for_where_they_belong() {
    for (line, expected) in [
        ("hints -n sh", Wanted::Named(Names::Namespaces)),
        ("hints --context ", Wanted::Named(Names::Contexts)),
        ("hints --contexts a,", Wanted::Named(Names::Contexts)),
        ("--cluster ", Wanted::Named(Names::Clusters)),
        ("--user=", Wanted::Named(Names::Users)),
        ("topology ", Wanted::Target(vec!["svc"])),
        ("watch-closer --stop po", Wanted::Target(vec!["pod"])),
        ("shell pod/x -c ", Wanted::Containers("pod/x".into())),
        ("shell -n shop x --container=si", Wanted::Containers("x".into())),
        ("logs --tail 5 deploy/web -fc ", Wanted::Containers("deploy/web".into())),
        ("logs -c ", Wanted::Nothing),
        ("shell pod/x -c app ", Wanted::Nothing),
        ("hints --kubeconfig ", Wanted::Files),
        ("hints --as ", Wanted::Nothing),
        ("why pod/x ", Wanted::Nothing),
        ("hints ", Wanted::Nothing),
    ] {
        assert_eq!(wanted(line).wanted, expected, "{line}");
    }
    for line in ["why ", "changed --since 1h "] {
        assert!(matches!(wanted(line).wanted, Wanted::Target(kinds) if kinds.len() == 7), "{line}");
    }
    assert_eq!((wanted("hints --output=ya").prefix.as_str(), wanted("hints -n sh").prefix.as_str()), ("ya", "sh"));
}

#[test]
fn flags_about_the_cluster_are_kept_and_others_not() {
    let asked = wanted("watch-closer --for 5m -n shop --context=a --insecure-skip-tls-verify pod/");
    assert_eq!(asked.flags, ["-n", "shop", "--context=a", "--insecure-skip-tls-verify"]);
    assert_eq!(asked.wanted, Wanted::Target(vec!["pod"]));
}

#[test]
fn a_flag_whose_value_is_wanted_is_not_kept_without_it() {
    for line in
        ["hints --context a -n ", "hints --context a --contexts b,", "hints --context a -An s", "hints --context a -o "]
    {
        assert_eq!(wanted(line).flags, ["--context", "a"], "{line}");
    }
}
