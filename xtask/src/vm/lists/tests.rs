use super::*;

#[test]
fn the_mirror_is_the_one_of_the_archive_and_not_of_its_updates() {
    let targets = "http://mirror.example/debian-security/ bookworm-security main\n\
                   http://mirror.example/debian/ bookworm main\n";
    assert_eq!(mirror(targets), Some("http://mirror.example/debian"));
    assert_eq!(mirror("http://mirror.example/other/ stable main\n"), None);
}

#[test]
fn a_suite_has_lists_of_its_own() {
    let lists = Lists::all(Arch::Amd64, Path::new("/some-folder"));
    let arguments = |lists: &Lists| format!("{:?}", lists.apt("apt-cache"));
    assert_eq!(arguments(&lists[0]), "\"apt-cache\"");
    let sid = arguments(lists.last().unwrap());
    assert!(sid.contains("Dir::State::lists=/some-folder/apt/sid/lists"), "{sid}");
    assert!(sid.contains("Dir::Etc::sourceparts=/dev/null"), "{sid}");
    // This machine's own list has no packages of another architecture.
    let foreign = Lists::all(Arch::Arm64, Path::new("/some-folder"));
    assert_eq!(foreign.len(), lists.len() - 1);
    let first = arguments(&foreign[0]);
    assert!(first.contains("Dir::State::lists=/some-folder/apt-arm64/bullseye/lists"), "{first}");
    assert!(first.contains("APT::Architecture=arm64"), "{first}");
}
