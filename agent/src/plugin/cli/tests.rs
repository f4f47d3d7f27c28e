use super::*;

fn read(args: &[&str]) -> Result<Cli, clap::Error> {
    let all: Vec<OsString> = ["/usr/local/bin/kubectl-netwhy"].iter().chain(args).map(Into::into).collect();
    parse(&all)
}

#[test]
fn flags_can_stand_before_or_behind_the_command() {
    let before = read(&["-n", "shop", "-o", "json", "why", "pod/x"]).unwrap();
    let after = read(&["why", "pod/x", "-n", "shop", "-o", "json"]).unwrap();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    assert_eq!(read(&["hints", "--contexts", "a,b"]).unwrap().global.contexts, ["a", "b"]);
    assert!(read(&["hints", "-A", "-n", "shop"]).is_err());
    assert!(read(&["hints", "--context", "a", "--all-contexts"]).is_err());
    assert!(read(&["hints", "--agent", "http://x", "--context", "a"]).is_err());
}

#[test]
fn times_have_the_syntax_of_kubectl() {
    let cli = read(&["hints", "--since", "1h30m", "--request-timeout", "3"]).unwrap();
    assert_eq!(
        (cli.global.since, cli.global.request_timeout),
        (Some(Duration::from_secs(5400)), Duration::from_secs(3))
    );
    assert_eq!(read(&["hints", "--request-timeout", "0"]).unwrap().global.request_timeout, Duration::MAX);
    for bad in ["soon", "-5m", "0"] {
        let error = read(&["hints", "--since", bad]);
        assert!(error.is_err(), "{bad}");
    }
}

#[test]
fn a_close_up_lasts_ten_minutes_unless_told_otherwise_and_an_hour_at_most() {
    let time = |args: &[&str]| match read(&[&["watch-closer", "x"], args].concat()).unwrap().command {
        Command::WatchCloser { time, stop, .. } => (time.as_secs(), stop),
        other => panic!("{other:?}"),
    };
    assert_eq!([time(&[]), time(&["--for", "1h"]), time(&["--stop"])], [(600, false), (3600, false), (600, true)]);
    for bad in ["61m", "0", "10x", "500ms"] {
        assert!(read(&["watch-closer", "x", "--for", bad]).is_err(), "{bad}");
    }
    assert!(read(&["watch-closer", "x", "--for", "5m", "--stop"]).is_err());
}

#[test]
fn every_command_has_an_example_that_parses() {
    for sub in command(None).get_subcommands() {
        let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        let example = help.strip_prefix("Example: ").unwrap_or_else(|| panic!("{} has no example", sub.get_name()));
        let example = example.strip_prefix("source <(").map_or(example, |rest| rest.trim_end_matches(')'));
        let args = example.trim_start_matches("kubectl netwhy ").trim_start_matches("kubectl-netwhy ");
        let args: Vec<&str> = args.split(' ').collect();
        assert_eq!(args[0], sub.get_name());
        read(&args).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}

#[test]
fn the_examples_of_the_program_parse() {
    let help = command(None).get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples: Vec<&str> = help.lines().filter_map(|line| line.trim().strip_prefix("kubectl netwhy ")).collect();
    assert!(examples.len() >= 4, "{help}");
    for example in examples {
        // Two spaces or more begin the explanation.
        let args: Vec<&str> = example.split("  ").next().unwrap_or_default().split(' ').collect();
        read(&args).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}

#[test]
fn usage_names_the_program_as_it_was_called() {
    let usage = |name: &str| command(Some(&name.into())).render_usage().to_string();
    assert!(usage("/usr/bin/kubectl-netwhy").contains("kubectl netwhy"));
    assert!(usage("./netwhy").contains("kubectl-netwhy"));
    command(None).debug_assert();
}

#[test]
fn times_of_the_past_go_with_their_commands_alone() {
    let at = |args: &[&str]| match read(args).map(|cli| cli.command) {
        Ok(Command::Why { at, .. }) => at,
        other => panic!("{args:?}: {other:?}"),
    };
    assert_eq!(at(&["why", "pod/x"]), None);
    assert_eq!(at(&["why", "pod/x", "--at", "-40m"]), Some(When::Ago(Duration::from_secs(2400))));
    assert!(matches!(at(&["why", "pod/x", "--at=03:12"]), Some(When::Clock(_))));
    let hints = read(&["hints", "--since", "6h", "--until", "5h"]).unwrap();
    assert!(matches!(hints.command, Command::Hints { until: Some(When::Ago(_)) }));
    for wrong in [
        &["why", "pod/x", "--at", "noon"][..],
        &["hints", "--since", "6h", "--until", "noon"],
        &["nodes", "--at", "1h"],
    ] {
        assert!(read(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn respond_needs_somebody_who_gets_the_verdicts() {
    let flags = |args: &[&str]| match read(&[&["respond"], args].concat())?.command {
        Command::Respond(flags) => Ok::<_, clap::Error>(flags),
        other => panic!("{other:?}"),
    };
    assert!(flags(&[]).is_err());
    assert_eq!(flags(&["--alertmanager", "http://a", "--alertmanager", "http://b"]).unwrap().alertmanagers.len(), 2);
    let plain = flags(&["--post-url-file", "url"]).unwrap();
    assert!(plain.listen.ip().is_loopback() && plain.listen.port() == 9813 && plain.format == Style::Text);
    assert_eq!((plain.max_per_minute, plain.again_after), (30, Duration::from_secs(4 * 3600)));
    for bad in [&["--max-per-minute", "0"][..], &["--again-after", "0"], &["--listen", "9813"], &["--format", "html"]] {
        assert!(flags(&[&["--post-url-file", "url"], bad].concat()).is_err(), "{bad:?}");
    }
    assert!(flags(&["--alertmanager", "http://a", "--template", "t"]).is_err(), "nobody would get it");
}
