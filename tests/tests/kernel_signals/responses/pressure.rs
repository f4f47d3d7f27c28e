//! Near the memory limit, where a part of the connections stands for all of them.

use super::{close_ups::short_connections, exchange::Scene};
use crate::stage::{needs, stage};
use netwhy_abi::pick::BUSY_MASK;
use netwhy_agent::{api::MemoryLevel, memory::Headroom};

#[test]
fn fewer_connections_are_observed_near_the_memory_limit_and_all_of_them_far_from_it() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let weight = u64::from(BUSY_MASK + 1);
    let mut counted = |level| {
        scene.watch.source.set_headroom(&Headroom { level, ..Headroom::default() }).unwrap();
        scene.watch.read();
        short_connections(&mut scene).0
    };
    // The number of connections, and of exchanges, is no multiple of the weight.
    assert_ne!(counted(MemoryLevel::Ok) % weight, 0, "each connection stands for itself");
    assert_eq!(counted(MemoryLevel::Near) % weight, 0, "chosen connections stand for {weight}");
    assert_ne!(counted(MemoryLevel::Ok) % weight, 0, "each connection again");
}
