//! Response times on a busy machine: which connections stand for the others of their edge.
//!
//! A connection's hash chooses 1 in 16. A walk counts the active connections of each edge, and how many of them are
//! chosen. Where the last walk found none, this walk keeps one. Each chosen connection then has the weight that makes
//! them stand for all of their edge, so that counts are right whatever was kept.

/// Unit of a weight: one connection.
pub const WEIGHT: u32 = 16;
/// Mask of the hash on a busy machine.
pub const BUSY_MASK: u32 = 15;
/// Connections that one may stand for.
const MOST: u32 = 1 << 16;

/// The active connections of one edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Pick {
    /// Number of the walk that counts.
    pub walk: u32,
    /// Connections that it found so far.
    pub found: u32,
    /// Of these, chosen.
    pub chosen: u32,
    /// Connections that the walk before found; 0: it was not the one before.
    pub last_found: u32,
    /// Of these, chosen.
    pub last_chosen: u32,
    /// Zero.
    pub pad: u32,
}

const _: () = assert!(size_of::<Pick>() == 24);

impl Pick {
    /// Nothing found.
    pub const ZERO: Self = Self { walk: 0, found: 0, chosen: 0, last_found: 0, last_chosen: 0, pad: 0 };

    /// A walk comes to an active connection. Returns its weight, in units of [`WEIGHT`], if it changes: of one that was
    /// not chosen, because it is kept from now on. `None`: it stays as it is.
    #[inline(always)]
    pub fn visit(&mut self, walk: u32, is_chosen: bool) -> Option<u32> {
        if self.walk != walk {
            let is_next = self.walk.wrapping_add(1) == walk;
            (self.last_found, self.last_chosen) = if is_next { (self.found, self.chosen) } else { (0, 0) };
            (self.walk, self.found, self.chosen) = (walk, 0, 0);
        }
        self.found += 1;
        if !is_chosen && (self.last_found == 0 || self.last_chosen != 0 || self.chosen != 0) {
            return None;
        }
        self.chosen += 1;
        let found = if self.last_found < MOST { self.last_found } else { MOST };
        let chosen = if is_chosen { self.last_chosen } else { 1 };
        (found * WEIGHT).checked_div(chosen)
    }
}

/// Times that one exchange counts, for a weight in units of [`WEIGHT`]; `random` rounds it.
#[inline(always)]
pub const fn times(weight: u32, random: u32) -> u64 {
    (weight as u64 + (random % WEIGHT) as u64) / WEIGHT as u64
}

#[cfg(test)]
mod tests;
