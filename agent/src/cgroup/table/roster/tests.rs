use super::*;

fn at(path: &str) -> Arc<Path> {
    Path::new(path).into()
}

fn node(id: u64) -> Node {
    Node { id, wd: None }
}

fn known(roster: &Roster, id: u64) -> Option<(String, bool)> {
    roster.path(id).map(|(p, alive)| (p.display().to_string(), alive))
}

#[test]
fn removed_cgroup_takes_its_descendants_but_no_namesake() {
    let mut roster = Roster::default();
    for (i, path) in ["/a", "/a/x", "/a/x/y", "/a-b", "/ab", "/b"].iter().enumerate() {
        assert_eq!(roster.insert(&at(path), node(i as u64)), Inserted::New(None));
    }
    let gone: Vec<u64> = roster.remove(Path::new("/a")).iter().map(|n| n.id).collect();
    assert_eq!(gone, [0, 1, 2]);
    assert_eq!(known(&roster, 2), Some(("/a/x/y".into(), false)));
    assert_eq!(known(&roster, 3), Some(("/a-b".into(), true)));
    assert_eq!(roster.live().count(), 3);
    assert!(roster.remove(Path::new("/a")).is_empty());
}

#[test]
fn new_directory_of_the_same_path_is_another_cgroup() {
    let mut roster = Roster::default();
    let first = Node { id: 1, wd: Some(7) };
    roster.insert(&at("/a"), first);
    assert_eq!(roster.insert(&at("/a"), node(2)), Inserted::New(Some(first)));
    assert_eq!(known(&roster, 1), Some(("/a".into(), false)));
    assert_eq!(known(&roster, 2), Some(("/a".into(), true)));
}

#[test]
fn known_cgroup_keeps_its_place_and_takes_the_new_watch() {
    let mut roster = Roster::default();
    roster.insert(&at("/a"), node(1));
    assert_eq!(roster.insert(&at("/a"), Node { id: 1, wd: Some(3) }), Inserted::Known);
    assert_eq!(roster.node(Path::new("/a")), Some(Node { id: 1, wd: Some(3) }));
    roster.unwatch_all();
    assert_eq!(roster.node(Path::new("/a")), Some(node(1)));
}

#[test]
fn oldest_dead_are_forgotten_first() {
    let mut roster = Roster::default();
    let path = at("/a");
    for id in 0..MAX_DEAD as u64 + 10 {
        roster.insert(&path, node(id));
        roster.remove(&path);
    }
    assert_eq!((roster.dead.len(), roster.dead_order.len()), (MAX_DEAD, MAX_DEAD));
    assert_eq!(known(&roster, 9), None);
    assert_eq!(known(&roster, 10), Some(("/a".into(), false)));
}

#[test]
fn cgroup_back_from_the_dead_is_alive_once() {
    let mut roster = Roster::default();
    for _ in 0..3 {
        assert_eq!(roster.insert(&at("/a"), node(1)), Inserted::New(None));
        assert_eq!(known(&roster, 1), Some(("/a".into(), true)));
        roster.remove(Path::new("/a"));
        assert_eq!((roster.dead.len(), roster.dead_order.len()), (1, 1));
    }
}

#[test]
fn living_are_bounded() {
    let mut roster = Roster::default();
    for id in 0..MAX_LIVE as u64 {
        roster.insert(&at(&format!("/{id}")), node(id));
    }
    assert_eq!(roster.insert(&at("/more"), node(u64::MAX)), Inserted::Full);
    assert_eq!(known(&roster, u64::MAX), None);
    roster.remove(Path::new("/0"));
    assert_eq!(roster.insert(&at("/more"), node(u64::MAX)), Inserted::New(None));
}
