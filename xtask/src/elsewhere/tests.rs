use super::*;
use std::{collections::BTreeMap, env, process};

#[test]
fn the_stand_in_is_taken_for_gcc() {
    let folder = env::temp_dir().join(format!("netwhy-elsewhere-{}", process::id()));
    let path = write_stand_in(&folder).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    // By a shell: a file that was just written may still be open in another test's child.
    let run = |args: &[&str]| Command::new("sh").arg(&path).args(args).output().unwrap();
    assert_eq!(run(&["-E", "macros.c"]).stdout, b"\"gcc\"\n");
    assert!(!run(&["-?"]).status.success(), "else it is taken for Microsoft's");
    for line in [["-O3", "-c", "a.c"], ["cqD", "liba.a", "a.o"]] {
        assert!(run(&line).status.success(), "{line:?}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn only_the_plugin_is_checked_and_only_the_targets_tools_are_replaced() {
    let mut command = Command::new("cargo");
    prepare(&mut command, "x86_64-pc-windows-gnu", Path::new("/t/elsewhere"), Path::new("/t/stand-in"));
    assert_eq!(
        sh::shown(&command),
        "cargo check --package netwhy-agent --bin kubectl-netwhy --target x86_64-pc-windows-gnu --target-dir \
         /t/elsewhere"
    );
    let set: BTreeMap<_, _> = command.get_envs().filter_map(|(name, value)| name.to_str().zip(value)).collect();
    let names: Vec<&str> = set.keys().copied().collect();
    assert_eq!(names, ["AR_x86_64_pc_windows_gnu", "CC_x86_64_pc_windows_gnu", "MACOSX_DEPLOYMENT_TARGET"]);
    assert_eq!(set["CC_x86_64_pc_windows_gnu"], "/t/stand-in");
}
