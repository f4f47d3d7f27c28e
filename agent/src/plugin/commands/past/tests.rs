use super::*;
use crate::plugin::cli;

fn read(args: &[&str]) -> Cli {
    let all: Vec<std::ffi::OsString> = ["kubectl-netwhy"].iter().chain(args).map(Into::into).collect();
    cli::parse(&all).unwrap()
}

#[test]
fn flags_of_the_past_go_with_each_other_wherever_they_stand() {
    for right in [
        &["why", "x", "--at", "1h"][..],
        &["--since", "6h", "hints", "--until", "5h"],
        &["hints", "--since", "6h", "-w"],
        &["hints", "-w"],
        &["changed", "x", "--at", "1h", "--since", "2h"],
        &["changed", "x", "-w"],
    ] {
        assert!(check(&read(right)).is_ok(), "{right:?}");
    }
    for (wrong, remedy) in [
        (&["why", "x", "--at", "1h", "-w"][..], "omit -w"),
        (&["--since", "1h", "why", "x", "--at", "1h"], "omit --since"),
        (&["changed", "x", "--at", "1h", "-w"], "omit -w"),
        (&["hints", "--until", "5h"], "add it, such as --since 6h"),
        (&["-w", "hints", "--since", "6h", "--until", "5h"], "omit -w"),
    ] {
        let failure = check(&read(wrong)).unwrap_err().to_string();
        assert!(failure.contains(remedy), "{wrong:?}: {failure}");
    }
}

#[test]
fn only_what_agents_forgot_is_read_from_the_history() {
    let hours = |n: u64| Duration::from_secs(n * 3600);
    assert_eq!(range(None, None).unwrap(), None);
    assert_eq!(range(Some(hours(1)), None).unwrap(), None, "agents remember an hour");
    let (from, to) = range(Some(hours(6)), Some(When::Ago(hours(5)))).unwrap().unwrap();
    let length = to.duration_since(from).as_secs();
    assert!((3_599..=3_601).contains(&length), "{length}");
    assert!(range(Some(hours(2)), None).unwrap().is_some());
    let failure = range(Some(hours(5)), Some(When::Ago(hours(6)))).unwrap_err().to_string();
    assert!(failure.contains("write the earlier time with --since"), "{failure}");
}
