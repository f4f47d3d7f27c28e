//! Nothing of an agent stays in the kernel.

use crate::{
    bpf_objects::Objects,
    stage::{stage, wait_until},
};

#[test]
fn after_twenty_starts_and_stops_no_program_map_or_link_is_left() {
    let stage = stage!("a");
    let own = || Objects::of(std::process::id());
    let before = own();
    let mut all = Objects::default();
    for _ in 0..20 {
        let mut watch = stage.watch();
        watch.read();
        let living = own();
        assert!(living.count() >= before.count() + 8 + 8 + 7, "programs, maps and links: {living:?}");
        assert_eq!(living.left(), living, "what lives is seen");
        all.append(living);
    }
    assert_eq!(own(), before, "no descriptor is left");
    // The kernel frees them some time after the last descriptor is closed.
    wait_until("the kernel has none of them", || all.left().is_empty());
}
