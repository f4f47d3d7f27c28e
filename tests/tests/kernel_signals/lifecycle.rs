//! Nothing of an agent stays in the kernel.

use crate::stage::{stage, wait_until};
use std::{collections::BTreeSet, fs};

/// Kernel ids of this process's BPF objects of one kind (`prog_id`, `map_id`, `link_id`).
fn own(kind: &str) -> BTreeSet<u32> {
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir("/proc/self/fdinfo").unwrap().flatten() {
        // The descriptor that lists the directory is gone when its turn comes.
        let Ok(text) = fs::read_to_string(entry.path()) else { continue };
        let lines = text.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(':'));
        ids.extend(lines.map(|id| id.trim().parse::<u32>().unwrap()));
    }
    ids
}

/// Those of the given ids that the kernel still has.
fn left(programs: &BTreeSet<u32>, maps: &BTreeSet<u32>, links: &BTreeSet<u32>) -> Vec<String> {
    let mut left = Vec::new();
    let mut add = |kind: &str, id: u32| left.push(format!("{kind} {id}"));
    for program in aya::programs::loaded_programs().flatten().filter(|program| programs.contains(&program.id())) {
        add("program", program.id());
    }
    for map in aya::maps::loaded_maps().flatten().filter(|map| maps.contains(&map.id())) {
        add("map", map.id());
    }
    for link in aya::programs::loaded_links().flatten().filter(|link| links.contains(&link.id())) {
        add("link", link.id());
    }
    left
}

#[test]
fn after_twenty_starts_and_stops_no_program_map_or_link_is_left() {
    let stage = stage!("a");
    let before = [own("prog_id"), own("map_id"), own("link_id")];
    let [mut programs, mut maps, mut links] = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    for _ in 0..20 {
        let mut watch = stage.watch();
        watch.read();
        programs.append(&mut own("prog_id"));
        maps.append(&mut own("map_id"));
        links.append(&mut own("link_id"));
        assert!(left(&programs, &maps, &links).len() >= 8 + 8 + 7, "what lives is seen");
    }
    let found = (programs.len(), maps.len(), links.len());
    assert!(found.0 >= 20 * 8 && found.1 >= 20 * 8 && found.2 >= 20 * 7, "there was something to leave: {found:?}");
    assert_eq!([own("prog_id"), own("map_id"), own("link_id")], before, "no descriptor is left");
    // The kernel frees them some time after the last descriptor is closed.
    wait_until("the kernel has none of them", || left(&programs, &maps, &links).is_empty());
}
