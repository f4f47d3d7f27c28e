//! Only cgroup v1: no agent can work there, and it says what it lacks.

use crate::{
    node::{command, mounted, only_in},
    preflight::{JSON, Preflight},
};
use std::{fs, process::Command};

#[test]
fn preflight_says_that_cgroup_v2_is_missing_and_nothing_else() {
    only_in!("v1");
    assert_eq!(mounted("cgroup2"), Vec::<String>::new());
    assert!(mounted("cgroup").contains(&"/sys/fs/cgroup/cpu,cpuacct".to_owned()), "{:?}", mounted("cgroup"));
    let report = Preflight::run();
    assert_eq!((report.code, report.with("missing")), (Some(69), vec!["cgroup v2", "probes"]));
    let [_, found, remedy] = report.check("cgroup v2");
    assert_eq!(
        found,
        "find cgroup v2: /proc/self/mountinfo lists no reachable cgroup2 mount; boot with \
         systemd.unified_cgroup_hierarchy=1, or `mount -t cgroup2 none DIR` and pass --cgroup-root DIR"
    );
    assert_eq!(remedy, "mount cgroup2, or pass --cgroup-root");
    let [_, found, remedy] = report.check("probes");
    assert!(found.contains("cgroup v2"), "{found}");
    assert!(remedy.starts_with("fix the missing requirements above"), "{remedy}");
}

#[test]
fn the_table_says_it_to_people() {
    only_in!("v1");
    let output = command(&["preflight", "--listen", "127.0.0.1:0"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(69), "{text}");
    let line = text.lines().find(|line| line.starts_with("cgroup v2 ")).unwrap();
    assert!(line.contains("  missing   find cgroup v2: "), "{text}");
    assert!(text.contains("→ mount cgroup2, or pass --cgroup-root\n"), "{text}");
    assert!(text.ends_with("\nnetwhy can't work here yet: fix the missing requirements.\n"), "{text}");
}

#[test]
fn the_agent_refuses_to_start_in_one_line() {
    only_in!("v1");
    let output = command(&["run", "--listen", "127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(69), 1), "{said}");
    assert!(said.starts_with("error: ") && said.contains("find cgroup v2: "), "{said}");
    assert!(said.contains("`mount -t cgroup2 none DIR` and pass --cgroup-root DIR"), "{said}");
}

#[test]
fn the_remedy_works() {
    only_in!("v1");
    const DIR: &str = "/tmp/unified";
    fs::create_dir_all(DIR).unwrap();
    let agent = command(&["--cgroup-root", DIR]);
    // In a mount namespace of its own: the other tests see no cgroup v2.
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "sh", "-c", &format!("mount -t cgroup2 none {DIR} && exec \"$@\""), "sh"]);
    inside.arg(agent.get_program()).args(agent.get_args()).args(JSON);
    let report = Preflight::of(&mut inside);
    assert_eq!((report.code, report.with("missing")), (Some(0), Vec::new()), "{report:?}");
    assert_eq!(report.check("cgroup v2"), ["ok", "/tmp/unified (subtree /)", ""]);
    assert_eq!(mounted("cgroup2"), Vec::<String>::new());
}
