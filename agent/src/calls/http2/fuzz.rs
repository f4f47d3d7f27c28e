//! Segments of a hostile connection, for fuzzing.

use super::{
    super::{Code, Head, MAX_ROUTE, Protocol, is_route, service_and_method},
    Connections, MOST,
};
use netwhy_abi::{
    EdgeKey, HeadEvent, Role,
    heads::{RECEIVED, SENT},
};

/// Reads a connection of a server, given as segments: two bytes of what happens, a byte of length, and the bytes.
///
/// # Panics
/// A rule is broken.
pub(in super::super) fn connection(data: &[u8]) {
    let key = EdgeKey { role: EdgeKey::role_number(Some(Role::Server)), ..EdgeKey::new(1, [0; 16]) };
    let mut connections = Connections::default();
    let (mut next, mut at_ns, mut rest) = ([0_u32; 2], 1_000_000, data);
    while let Some(([what, more, length], after)) = rest.split_first_chunk() {
        // Long segments are as likely as short ones.
        let length = (usize::from(*length) << ((more >> 4) & 3)).min(after.len());
        let (bytes, after) = after.split_at(length);
        rest = after;
        at_ns += u64::from(*more) * 1_000;
        let part = if what & 1 == 0 { RECEIVED } else { SENT };
        let place = &mut next[usize::from(what & 1)];
        if what & 2 != 0 {
            *place = place.wrapping_add(u32::from(*more) << ((what >> 3) & 7));
        }
        let size = bytes.len() as u32 + if what & 4 != 0 { u32::from(*more) } else { 0 };
        let event = HeadEvent {
            key,
            cookie: u64::from(*what >> 6),
            at_ns,
            exchange: *place,
            weight: 16,
            part,
            skip: 0,
            length: bytes.len() as u32,
            bytes: size,
        };
        // Some segments come again, as a whole or in part.
        *place = if what & 0x20 == 0 { place.wrapping_add(size) } else { place.wrapping_add(size / 2) };
        connections.take(&Head { event, bytes });
        if more & 0x80 != 0 {
            check(&mut connections);
        }
    }
    check(&mut connections);
    check(&mut connections);
}

/// Reads the calls so far.
fn check(connections: &mut Connections) {
    for call in connections.calls() {
        assert!(is_route(&call.route) && call.route.len() <= MAX_ROUTE, "{call:?}");
        assert!(call.status == 0 || (100..1_000).contains(&call.status), "{call:?}");
        if let Protocol::Grpc(code) = call.protocol {
            assert!(service_and_method(&call.route).is_some(), "{call:?}");
            assert!(code == Code::TrailersOnly || code == Code::Undecoded || Code::SENT.contains(&code), "{call:?}");
        }
    }
    assert!(connections.connections.len() <= MOST, "bounded");
}
