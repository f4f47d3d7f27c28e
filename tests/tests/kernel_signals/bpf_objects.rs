//! The BPF objects of a process, by the kernel's ids.

use std::{collections::BTreeSet, fs};

/// Programs, maps and links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Objects {
    programs: BTreeSet<u32>,
    maps: BTreeSet<u32>,
    links: BTreeSet<u32>,
}

/// This process's descriptors of maps whose names begin like this, once each.
pub(crate) fn descriptors_of_maps(prefix: &str) -> Vec<i32> {
    let named =
        aya::maps::loaded_maps().flatten().filter(|map| map.name_as_str().is_some_and(|n| n.starts_with(prefix)));
    let ids: BTreeSet<u32> = named.map(|map| map.id()).collect();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fdinfo").unwrap().flatten() {
        let Ok(text) = fs::read_to_string(entry.path()) else { continue };
        let id = text.lines().find_map(|line| line.strip_prefix("map_id:")?.trim().parse().ok());
        if id.is_some_and(|id| ids.contains(&id)) {
            found.push(entry.file_name().to_str().unwrap().parse().unwrap());
        }
    }
    found
}

impl Objects {
    /// Those that a process holds descriptors of; none when it has ended.
    pub(crate) fn of(pid: u32) -> Self {
        let mut found = Self::default();
        let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return found };
        for entry in entries.flatten() {
            // The descriptor that lists the directory is gone when its turn comes.
            let Ok(text) = fs::read_to_string(entry.path()) else { continue };
            for line in text.lines() {
                let Some((name, value)) = line.split_once(':') else { continue };
                let ids = match name {
                    "prog_id" => &mut found.programs,
                    "map_id" => &mut found.maps,
                    "link_id" => &mut found.links,
                    _ => continue,
                };
                ids.insert(value.trim().parse().unwrap());
            }
        }
        found
    }

    /// Adds others.
    pub(crate) fn append(&mut self, mut others: Self) {
        self.programs.append(&mut others.programs);
        self.maps.append(&mut others.maps);
        self.links.append(&mut others.links);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.programs.len() + self.maps.len() + self.links.len()
    }

    /// Whether a map is among them.
    pub(crate) fn has_map(&self, id: u32) -> bool {
        self.maps.contains(&id)
    }

    /// Those that the kernel still has.
    pub(crate) fn left(&self) -> Self {
        let keep = |ids: &BTreeSet<u32>, id: u32| ids.contains(&id).then_some(id);
        let programs = aya::programs::loaded_programs().flatten().filter_map(|p| keep(&self.programs, p.id()));
        let maps = aya::maps::loaded_maps().flatten().filter_map(|map| keep(&self.maps, map.id()));
        let links = aya::programs::loaded_links().flatten().filter_map(|link| keep(&self.links, link.id()));
        Self { programs: programs.collect(), maps: maps.collect(), links: links.collect() }
    }

    /// True when there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0
    }
}
