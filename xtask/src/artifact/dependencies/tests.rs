use super::*;

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry\"\nchecksum = \"aa\"\n\n\
                    [[package]]\nname = \"program\"\nversion = \"0.1.0\"\ndependencies = [\n \"a\",\n]\n";
const TREE: &str = "0program v0.1.0 (/somewhere/program)|MIT OR Apache-2.0\n1a v1.0.0|MIT/Apache-2.0\n2b v2.0.0|\n\
                    1c v3.0.0 (proc-macro)|MIT\n2a v1.0.0|MIT/Apache-2.0 (*)\n";

#[test]
fn a_tree_gives_every_crate_once_with_what_it_uses() {
    let mut all = Dependencies::default();
    assert_eq!(all.add(TREE, &checksums(LOCK)).unwrap(), 0);
    let names: Vec<&str> = all.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, ["program", "a", "b", "c"]);
    assert_eq!(all.uses, [[1, 3].into(), [2].into(), [].into(), [1].into()]);
    let a = &all.packages[1];
    assert_eq!((a.licence.as_deref(), a.checksum.as_deref()), (Some("MIT OR Apache-2.0"), Some("aa")));
    assert_eq!((&all.packages[0].checksum, &all.packages[2].licence), (&None, &None));
}

#[test]
fn the_agents_own_tree_is_read() {
    let workspace = sh::workspace().unwrap();
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let all = Dependencies::of(Program::Agent, &workspace, &target).unwrap();
    assert_eq!(all.packages[0].name, "netwhy-agent");
    let find = |name: &str| all.packages.iter().position(|package| package.name == name);
    let programs = find("aya-ebpf").expect("the kernel programs' crates");
    assert!(find("kube").is_some() && find("rcgen").is_none(), "what only tests use is not in the program");
    assert!(all.packages[programs].checksum.as_ref().is_some_and(|checksum| checksum.len() == 64));
    for package in &all.packages {
        assert!(package.licence.is_some(), "{} states no licence", package.name);
    }
}

#[test]
fn the_plugin_has_no_kernel_programs() {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let all = Dependencies::of(Program::Plugin, &sh::workspace().unwrap(), &target).unwrap();
    let has = |name: &str| all.packages.iter().any(|package| package.name == name);
    assert!(has("kube") && has("ratatui") && !has("aya") && !has("aya-ebpf"));
}
