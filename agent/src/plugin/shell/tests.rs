use super::*;

fn args(line: &str) -> (Cli, ShellArgs) {
    let words: Vec<std::ffi::OsString> =
        ["kubectl-netwhy", "shell"].into_iter().chain(line.split(' ')).map(Into::into).collect();
    let cli = crate::plugin::cli::parse(&words).unwrap();
    match cli.command.clone() {
        crate::plugin::cli::Command::Shell(args) => (cli, args),
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_behind_two_dashes_is_the_command() {
    let (_, plain) = args("pod/x");
    assert_eq!((named(&plain), plain.command), (vec!["sh".to_owned()], vec![]));
    let (cli, with) = args("x -c app --idle-timeout 15m -- ss -n -o json");
    assert_eq!(with.command, ["ss", "-n", "-o", "json"]);
    assert_eq!((with.container.as_deref(), with.idle_timeout), (Some("app"), Some(Duration::from_secs(900))));
    assert!(check(&cli).is_ok(), "flags of the command are not ours");
}

#[test]
fn flags_that_mean_nothing_here_are_refused() {
    for line in ["x -o json", "x -w", "x --since 1h", "x --all-contexts", "x --contexts a,b"] {
        let failure = check(&args(line).0).unwrap_err();
        assert!(!failure.remedy.is_empty(), "{line}");
    }
}

#[test]
fn a_terminal_at_both_ends_makes_one_in_the_container() {
    let of = |line: &str, at| {
        let Streams { stdin, tty } = streams(&args(line).1, at);
        (stdin, tty)
    };
    assert_eq!(of("x", (true, true)), (true, true));
    assert_eq!(of("x", (false, true)), (true, false), "piped input");
    assert_eq!(of("x", (true, false)), (false, false), "nobody types at a command whose output is piped");
    assert_eq!(of("x", (false, false)), (true, false));
    assert_eq!(of("x --no-tty", (true, true)), (true, false));
    assert_eq!(of("x --no-stdin", (true, true)), (false, false));
    assert_eq!(of("x --no-stdin", (false, false)), (false, false));
}

#[test]
fn rules_are_asked_for_the_command_and_not_for_the_default_shells_script() {
    let rules = |text: &str| fetch::Rules { place: "netwhy/netwhy-shell".into(), text: Some(text.into()) };
    let ask = |text: &str, line: &str| {
        let (_, args) = args(line);
        allow(Some(&rules(text)), &args, "shop", &named(&args))
    };
    assert!(ask("commands: [sh]", "x").is_ok());
    assert!(ask("commands: [sh]", "x -- sh -c id").is_err());
    assert!(ask("record: required", "x").is_err());
    assert!(ask("record: required", "x --record a.cast").is_ok());
    let limits = allow(None, &args("x --max-time 1h").1, "shop", &[]).unwrap();
    assert_eq!(limits, Limits { idle: None, max: Some(Duration::from_secs(3600)) });
}

#[test]
fn events_name_the_program_without_its_arguments() {
    assert_eq!(program(&["mysql".to_owned(), "-psecret".to_owned()]), "mysql");
    assert_eq!(program(&["x".repeat(1000)]).len(), 64);
    assert_eq!(program(&[]), "");
    let about = About { local_user: "a (uid 7)".into(), host: "box".into(), ..About::default() };
    assert_eq!(who(&about), "local user a (uid 7) on box");
    assert_eq!(who(&About { user: Some("alice".into()), ..about }), "alice");
}
