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

/// `BPF_MAP_LOOKUP_ELEM`, `BPF_MAP_UPDATE_ELEM` and `BPF_MAP_GET_NEXT_KEY` of `enum bpf_cmd`.
const LOOKUP: libc::c_long = 1;
const UPDATE: libc::c_long = 2;
const NEXT_KEY: libc::c_long = 4;

/// `union bpf_attr` of the three; the value is the next key of the last.
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
    /// The socket's descriptor, or its address.
    key: u64,
    cells: Vec<u64>,
}

/// Cells by what they hold.
const DATA_SEGMENTS: usize = 0;
const SEGMENTS: usize = 1;
const BUSY: usize = 6;

impl Memory {
    fn of(socket: &impl AsRawFd) -> Self {
        let own = Objects::of(std::process::id());
        let map = |name| {
            let mut maps = aya::maps::loaded_maps().flatten();
            maps.find(|map| own.has_map(map.id()) && map.name_as_str() == Some(name)).unwrap()
        };
        let by_address = map("SOCKETS_BY_ADDR");
        if by_address.max_entries() > 1 {
            return Self::with(by_address, &Flow::of(socket));
        }
        let mut this = Self::empty(map("SOCKETS"), socket.as_raw_fd().cast_unsigned().into());
        assert!(this.access(LOOKUP), "{}", io::Error::last_os_error());
        this
    }

    fn empty(map: aya::maps::MapInfo, key: u64) -> Self {
        let cells = vec![0; map.value_size() as usize / 8];
        Self { map, key, cells }
    }

    /// That with these figures, because nothing tells the address of a socket.
    fn with(map: aya::maps::MapInfo, flow: &Flow) -> Self {
        let mut this = Self::empty(map, 0);
        let wanted = [flow.data_segs_out, flow.segs_out, flow.bytes_acked, flow.bytes_received];
        while this.access(NEXT_KEY) {
            this.key = this.cells[0];
            if this.access(LOOKUP) && this.cells[..4] == wanted {
                return this;
            }
        }
        panic!("no socket has {flow:?}");
    }

    fn write(&mut self) {
        assert!(self.access(UPDATE), "{}", io::Error::last_os_error());
    }

    /// False: the kernel refuses, or there is nothing more.
    fn access(&mut self, command: libc::c_long) -> bool {
        let map = self.map.fd().unwrap();
        let element = Element {
            map: map.as_fd().as_raw_fd().cast_unsigned(),
            key: (&raw const self.key) as u64,
            value: self.cells.as_mut_ptr() as u64,
            ..Element::default()
        };
        // SAFETY: the key is a descriptor or an address, and the value has the size that the map says, which is more
        // than a key's; both live through the call.
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw const element, size_of::<Element>()) == 0 }
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
    memory.write();
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
