//! The command line and what goes before what.

use crate::config::{
    Config, Exit, Switch,
    cli::{self, Cli, Command, ConfigCommand, LogFormat, LogLevel, ReplayFormat, ReportFormat},
};
use clap_complete::Shell;
use std::{ffi::OsString, path::PathBuf};

fn parse(args: &[&str], env: &[(&str, &str)]) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = ["netwhy-agent"].iter().chain(args).map(OsString::from).collect();
    cli::parse(&args, |name| env.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value)))
}

fn ok(args: &[&str], env: &[(&str, &str)]) -> Cli {
    parse(args, env).unwrap_or_else(|e| panic!("{args:?}: {e}"))
}

#[test]
fn the_definition_is_consistent() {
    cli::command().debug_assert();
}

#[test]
fn every_subcommand_has_an_example_that_parses() {
    for sub in cli::command().get_subcommands().filter(|sub| sub.get_name() != "help") {
        let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        let example = help.lines().next().and_then(|line| line.strip_prefix("Example: ")).unwrap_or_default();
        let example = example.strip_prefix("source <(").map_or(example, |rest| rest.trim_end_matches(')'));
        let args: Vec<&str> = example.split(' ').skip(1).collect();
        assert_eq!(args.first(), Some(&sub.get_name()), "{help}");
        ok(&args, &[]);
    }
}

#[test]
fn run_is_the_default_and_flags_stand_on_either_side_of_the_subcommand() {
    let bare = ok(&["--kube", "off", "--listen", "127.0.0.1:1"], &[]);
    assert_eq!(bare.action(), Command::Run);
    let before = ok(&["--kube", "off", "--listen", "127.0.0.1:1", "run"], &[]);
    let behind = ok(&["run", "--kube", "off", "--listen", "127.0.0.1:1"], &[]);
    assert_eq!(before.action(), Command::Run);
    assert_eq!(before, behind);
    assert_eq!(before.global, bare.global);
    assert_eq!(bare.global.kube, Some(Switch::Off));
}

#[test]
fn every_subcommand_is_read() {
    let action = |args: &[&str]| ok(args, &[]).action();
    assert_eq!(action(&["preflight"]), Command::Preflight { output: ReportFormat::Table });
    assert_eq!(action(&["preflight", "-o", "json"]), Command::Preflight { output: ReportFormat::Json });
    assert_eq!(action(&["record", "f"]), Command::Record { file: "f".into(), seconds: None });
    assert_eq!(action(&["record", "f", "--seconds", "9"]), Command::Record { file: "f".into(), seconds: Some(9) });
    assert_eq!(action(&["replay", "f"]), Command::Replay { file: "f".into(), output: ReplayFormat::Table });
    let metrics = Command::Replay { file: "f".into(), output: ReplayFormat::Metrics };
    assert_eq!(action(&["replay", "f", "-o", "metrics"]), metrics);
    let check = Command::Config { command: ConfigCommand::Check { file: "f".into() } };
    assert_eq!(action(&["config", "check", "f"]), check);
    assert_eq!(action(&["config", "example"]), Command::Config { command: ConfigCommand::Example });
    assert_eq!(action(&["completion", "bash"]), Command::Completion { shell: Shell::Bash });
}

#[test]
fn flags_go_before_environment_before_file_before_defaults() {
    let env = [
        ("NETWHY_KUBE", "on"),
        ("NODE_NAME", "from-env"),
        ("NETWHY_LISTEN", "127.0.0.1:2"),
        ("NETWHY_PROBE_LISTEN", "127.0.0.1:3"),
    ];
    let file = Config::parse("kube: {mode: auto, node_name: from-file, kubeconfig: /file}", "t").unwrap();
    for args in [&["--node-name", "from-flag"] as &[&str], &["run", "--node-name", "from-flag"]] {
        let config = cli::effective(&ok(args, &env), file.clone());
        assert_eq!(config.kube.mode, Switch::On);
        assert_eq!(config.kube.node_name.as_deref(), Some("from-flag"));
        assert_eq!(config.kube.kubeconfig, Some(PathBuf::from("/file")));
        assert_eq!(config.http.listen, "127.0.0.1:2".parse().unwrap());
        assert_eq!(config.http.probe_listen, "127.0.0.1:3".parse().ok());
        assert_eq!(config.http.max_connections, 64);
    }
    assert_eq!(cli::effective(&ok(&[], &env), file.clone()).kube.node_name.as_deref(), Some("from-env"));
    assert_eq!(cli::effective(&ok(&[], &[]), file.clone()), file);
    assert_eq!(cli::effective(&ok(&[], &[]), Config::default()), Config::default());
}

#[test]
fn every_variable_reaches_its_flag_and_an_empty_one_counts_as_unset() {
    let env = [
        ("NETWHY_KUBE", "off"),
        ("NODE_NAME", "n"),
        ("KUBECONFIG", "/k"),
        ("NETWHY_LISTEN", "[::]:1"),
        ("NETWHY_PROBE_LISTEN", "[::]:2"),
        ("NETWHY_CONFIG", "/c"),
        ("NETWHY_CGROUP_ROOT", "/g"),
    ];
    let Cli { global, .. } = ok(&["run"], &env);
    assert_eq!((global.kube, global.node_name.as_deref()), (Some(Switch::Off), Some("n")));
    assert_eq!((global.kubeconfig, global.config), (Some("/k".into()), Some("/c".into())));
    assert_eq!((global.listen, global.cgroup_root), ("[::]:1".parse().ok(), Some("/g".into())));
    assert_eq!(global.probe_listen, "[::]:2".parse().ok());
    assert_eq!(env.map(|(name, _)| name).as_slice(), cli::ENV.iter().map(|(_, name)| *name).collect::<Vec<_>>());
    let empty = env.map(|(name, _)| (name, ""));
    assert_eq!(ok(&["run"], &empty), ok(&["run"], &[]));
    assert_eq!(ok(&["run", "--kube", "on"], &env).global.kube, Some(Switch::On));
}

#[test]
fn a_wrong_variable_is_named_as_such() {
    let error = parse(&["run"], &[("NETWHY_LISTEN", "here")]).unwrap_err();
    assert_eq!(cli::exit_of(&error), Exit::Usage);
    let text = error.to_string();
    assert!(text.contains("invalid value 'here' for 'the environment variable NETWHY_LISTEN'"), "{text}");
    assert!(text.contains("write IP:PORT"), "{text}");
    assert!(parse(&["run"], &[("NETWHY_KUBE", "maybe")]).unwrap_err().to_string().contains("NETWHY_KUBE"));
}

#[test]
fn bad_usage_ends_with_64_and_help_with_0() {
    for args in [
        &["--nonsense"] as &[&str],
        &["observe"],
        &["record"],
        &["record", "f", "--seconds", "0"],
        &["config"],
        &["--kube", "maybe"],
        &["--listen", "9810"],
        &["--node-name", "a b"],
        &["preflight", "-o", "metrics"],
    ] {
        assert_eq!(cli::exit_of(&parse(args, &[]).unwrap_err()).code(), 64, "{args:?}");
    }
    for args in [&["--help"] as &[&str], &["-h"], &["--version"], &["run", "--help"], &["help"], &["config", "--help"]]
    {
        assert_eq!(cli::exit_of(&parse(args, &[]).unwrap_err()).code(), 0, "{args:?}");
    }
}

#[test]
fn help_names_the_variables_and_the_version_is_the_packages() {
    let help = parse(&["run", "--help"], &[]).unwrap_err().to_string();
    for (_, variable) in cli::ENV {
        assert!(help.contains(&format!("[env: {variable}]")), "{variable}: {help}");
    }
    let version = parse(&["--version"], &[]).unwrap_err().to_string();
    assert_eq!(version.trim(), format!("netwhy-agent {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn logs_are_text_on_a_terminal_and_json_elsewhere_unless_told() {
    let plain = ok(&[], &[]).global;
    assert_eq!(plain.log_level, LogLevel::Info);
    assert_eq!((plain.log_format(true), plain.log_format(false)), (LogFormat::Text, LogFormat::Json));
    let told = ok(&["--log-format", "text", "--log-level", "debug"], &[]).global;
    assert_eq!((told.log_format(false), told.log_level.as_str()), (LogFormat::Text, "debug"));
}

#[test]
fn completion_covers_the_subcommands() {
    let mut script = Vec::new();
    cli::completion(Shell::Bash, &mut script);
    let script = String::from_utf8(script).unwrap();
    assert!(script.contains("preflight") && script.contains("--cgroup-root"));
}
