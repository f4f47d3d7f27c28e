use super::*;

#[test]
fn only_names_that_a_laboratory_gives_have_an_owner() {
    let tag = Tag { pid: 123, number: 0 };
    let second = Tag { pid: 123, number: 1 };
    assert_eq!(netns_owner(&tag.netns("a")), Some(123));
    assert_eq!(netns_owner(&second.netns("a-b")), Some(123));
    assert_eq!(cgroup_owner(&tag.cgroup()), Some(123));
    assert_eq!(cgroup_owner(&second.cgroup()), Some(123));
    for foreign in ["nw-a", "nwx-a", "nw12", "network-a", "nw1.x-a", "cni-123-a"] {
        assert_eq!(netns_owner(foreign), None, "{foreign}");
    }
    assert_eq!(cgroup_owner("netwhy-lab-"), None);
    assert_ne!(tag.subnet(), second.subnet());
}
