//! Counters that the kernel keeps in 32 bits. A wrap takes 2³² segments: the tests set the programs' memory of a socket
//! to just below that, as if it had been read there last.

use crate::{
    bpf_objects::Objects,
    socket::{Flow, Pair},
    stage::{id, needs, stage},
};
use std::{
    io,
    os::fd::{AsFd as _, AsRawFd},
};

/// `BPF_MAP_LOOKUP_ELEM` and `BPF_MAP_UPDATE_ELEM` of `enum bpf_cmd`.
const LOOKUP: libc::c_long = 1;
const UPDATE: libc::c_long = 2;

/// `union bpf_attr` of the two.
#[repr(C)]
#[derive(Default)]
struct Element {
    map: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// The programs' memory of a socket: cells of 64 bits.
struct Memory {
    map: aya::maps::MapInfo,
    cells: Vec<u64>,
}

/// Cells by what they hold.
const DATA_SEGMENTS: usize = 0;
const SEGMENTS: usize = 1;
const BUSY: usize = 6;

impl Memory {
    fn of(socket: &impl AsRawFd) -> Self {
        let own = Objects::of(std::process::id());
        let map = aya::maps::loaded_maps()
            .flatten()
            .find(|map| own.has_map(map.id()) && map.name_as_str() == Some("SOCKETS"))
            .unwrap();
        let cells = vec![0; map.value_size() as usize / 8];
        let mut this = Self { map, cells };
        this.access(LOOKUP, socket);
        this
    }

    fn write(&mut self, socket: &impl AsRawFd) {
        self.access(UPDATE, socket);
    }

    fn access(&mut self, command: libc::c_long, socket: &impl AsRawFd) {
        let (map, key) = (self.map.fd().unwrap(), socket.as_raw_fd());
        let element = Element {
            map: map.as_fd().as_raw_fd().cast_unsigned(),
            key: (&raw const key) as u64,
            value: self.cells.as_mut_ptr() as u64,
            ..Element::default()
        };
        // SAFETY: the key is a descriptor and the value has the size that the map says; both live through the call.
        let rc = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const element, size_of::<Element>()) };
        assert_eq!(rc, 0, "{}", io::Error::last_os_error());
    }
}

#[test]
fn segments_and_times_go_on_when_the_kernels_figures_wrap() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    (0..10).for_each(|_| pair.exchange(1_000, 1_000));
    watch.read();
    let before = watch.of(id(&client));
    let mut memory = Memory::of(&pair.client);
    // All three just before the wrap.
    memory.cells[DATA_SEGMENTS] = (1 << 32) - 7;
    memory.cells[SEGMENTS] = (1 << 32) - 9;
    memory.cells[BUSY] = (1 << 32) - 5;
    memory.write(&pair.client);
    (0..10).for_each(|_| pair.exchange(1_000, 1_000));
    let (at_client, _) = pair.finish();
    watch.read();
    let counted = watch.of(id(&client));
    let grown = Flow::from(counted.clone()) - Flow::from(before.clone());
    assert_eq!(grown.data_segs_out, at_client.data_segs_out + 7);
    assert_eq!(grown.segs_out, at_client.segs_out + 9);
    assert_eq!(counted.bytes_acked, at_client.bytes_acked, "64 bits: as ever");
    let busy = counted.busy_jiffies - before.busy_jiffies;
    assert!((5..1_000).contains(&busy), "{busy} jiffies");
}
