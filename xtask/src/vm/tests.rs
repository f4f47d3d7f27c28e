use super::*;
use clap::Parser as _;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let parse = |words: &[&str]| Line::try_parse_from(["vm"].iter().chain(words)).map(|line| line.args);
    let both = parse(&["6.1", "--machine", "v1", "--machine", "large", "--arch", "arm64"]).unwrap();
    assert_eq!((both.kernels(), both.arch), (vec!["6.1"], Arch::Arm64));
    assert_eq!(both.machines, [machine::Choice::V1, machine::Choice::Large]);
    for words in [&["--arch", "arm64"][..], &["--machine", "v1", "--filter", "x"], &["--machine", "v2"]] {
        assert!(parse(words).is_err(), "{words:?}");
    }
    assert_eq!(parse(&[]).unwrap().arch, Arch::Amd64);
}

#[test]
fn machines_run_on_one_kernel_unless_some_are_named() {
    let args = |kernels: &[&str], machines: &[machine::Choice]| Args {
        kernels: kernels.iter().map(|name| (*name).to_owned()).collect(),
        machines: machines.to_vec(),
        filter: None,
        seconds: 1,
        json: None,
        table: None,
        arch: Arch::Amd64,
    };
    let (plain, large) = (args(&[], &[]), args(&[], &[machine::Choice::Large]));
    assert_eq!((plain.kernels(), large.kernels()), (vec!["6.1", "6.12"], vec!["6.12"]));
    assert_eq!(args(&["6.1"], &[machine::Choice::All]).kernels(), ["6.1"]);
    let workspace = sh::workspace().unwrap();
    assert_eq!(large.test_programs(&workspace), ["machines"]);
    assert!(!plain.test_programs(&workspace).contains(&"machines".to_owned()));
}
