//! Memory layout that netwhy's kernel programs share with user space.
//!
//! Every struct is `repr(C)`, has explicit padding and a compile-time size assert, so that both sides read the same
//! bytes whatever compiled them. Counters are cumulative: the kernel only ever adds (with one atomic instruction),
//! user space takes differences. All maps are shared between CPUs, so that kernel memory does not grow with the CPU
//! count; see [`memory`].
#![cfg_attr(target_arch = "bpf", no_std, feature(asm_experimental_arch))]
#![warn(clippy::too_many_arguments, clippy::too_many_lines)]

// Both sides read the structs in the machine's own order. Protocols and instructions are put together as little-endian
// words, and pointers and map keys as 64 bits.
#[cfg(not(all(target_endian = "little", target_pointer_width = "64")))]
compile_error!("netwhy runs on little-endian machines of 64 bits");

#[macro_use]
pub mod row;

pub mod buckets;
pub mod content;
pub mod counters;
pub mod dns;
pub mod duty;
pub mod family;
pub mod growth;
pub mod heads;
pub mod keys;
pub mod memory;
pub mod pace;
pub mod pick;
pub mod reading;
pub mod run_queue;
pub mod sampling;
pub mod stats;
pub mod turn;
pub mod walk;

#[cfg(not(target_arch = "bpf"))]
pub use buckets::bounds_us;
pub use buckets::{
    BOUNDS_US, BUCKETS, FINE_BOUNDS_US, FINE_BUCKETS, REPLY_BUCKETS, bucket_index, fine_bucket_index, reply_bucket,
};
pub use content::Head;
pub use counters::{
    Counter, Cut, DnsCode, Failure, LEAST_PATIENCE_MS, ListenDrop, PeerClass, RACE_NS, Retransmit, Role,
};
pub use dns::{
    ANSWER_BYTES, AnswerEvent, DNS_PORT, DNS_SHARE, Exchange, KEPT_NS, Outcome, code_to_add, has_code, has_records,
    is_lookup_observed,
};
pub use duty::{Duty, DutyCycle, HANDSHAKE_DUTY_CYCLE, READ_DUTY_CYCLE, RTT_DUTY_CYCLE};
pub use family::*;
pub use growth::growth;
pub use heads::HeadEvent;
pub use keys::{Choice, Control, DropKey, EdgeKey, MAX_PORTS, OverflowKey, PeerPrefix, Shares};
pub use pick::Pick;
pub use reading::{MIN_UNREAD, Reading};
pub use row::{
    Durations, FILL_PARTS, Fill, FineDurations, Found, MIN_SLOTS, Moment, Plain, RotatingMin, Zero, fill_parts,
    found_time, min_slot_epoch, min_slot_pack, min_slot_unpack,
};
pub use run_queue::RunQueueStats;
pub use sampling::{SHORT_SOCKET_WEIGHT, Sampling, is_after_pause, is_socket_sampled, is_thinned_out, random_bits};
pub use stats::*;
pub use turn::{End, Incoming, Outgoing, Response, Turn};
pub use walk::{PART_OBJECTS, WalkSummary};
