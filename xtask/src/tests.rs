use super::Cli;
use clap::{CommandFactory as _, Parser as _};

#[test]
fn every_task_has_an_example_that_parses() {
    for task in Cli::command().get_subcommands().filter(|task| task.get_name() != "help") {
        let help = task.get_after_help().map(ToString::to_string).unwrap_or_default();
        let example = help.strip_prefix("Example: cargo ").unwrap_or_default();
        assert_eq!(example.split(' ').nth(1), Some(task.get_name()), "{help}");
        Cli::try_parse_from(example.split(' ')).map(drop).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}
