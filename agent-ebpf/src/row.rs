//! The parts of map values, and the macro that turns a declaration into a `repr(C)` struct.
//!
//! [`rows!`](crate::rows) declares each row once. The type of a field says how user space treats it:
//!
//! | type | is | in a sum |
//! |---|---|---|
//! | `u64` | a count that only grows; a value above `i64::MAX` is one that stepped back from zero | `u64` |
//! | `[u64; N]` | counts by an enum's discriminant; write `N` as `Enum::ALL.len()` | `[u64; N]` |
//! | `[u32; N]` | counts per bucket; wrap at 2³² | `[u64; N]` |
//! | [`Durations`], [`FineDurations`] | counts per duration bucket, and the sum of the durations | histogram |
//! | [`RotatingMin`] | a state, not a count: the lowest value of the last seconds | the lower value |
//! | [`Found`] | a state, not a count: what the newest walk found | nothing |
//! | [`Fill`] | a state, not a count: the fullest of what the newest walk found | nothing |
//! | [`Moment`] | a state, not a count: a time of the kernel | nothing |
//!
//! Arrays of [`Durations`] work too. The agent's `sample::sums` defines the arithmetic per type, so that a new field
//! needs none.

use crate::buckets::{BUCKETS, FINE_BUCKETS};

/// Slots of a [`RotatingMin`].
pub const MIN_SLOTS: usize = 4;
/// log2 of a slot's length in nanoseconds: 2³² ns ≈ 4.29 s, so four slots cover the last 12.9 … 17.2 s.
pub const MIN_SLOT_SHIFT: u32 = 32;

/// Types that are nothing but their bytes: any bit pattern is a valid value, and no byte is padding.
///
/// # Safety
/// `repr(C)` or `repr(transparent)`, made of integers and arrays of them only, without implicit padding.
pub unsafe trait Plain: Copy {}

// SAFETY: an integer.
unsafe impl Plain for u32 {}
// SAFETY: an integer.
unsafe impl Plain for u64 {}
// SAFETY: the elements of an array have no gaps.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}
// SAFETY: `repr(C)`, integers only; the size is asserted in `keys`.
unsafe impl Plain for crate::keys::EdgeKey {}
// SAFETY: as above.
unsafe impl Plain for crate::keys::OverflowKey {}
// SAFETY: as above.
unsafe impl Plain for crate::keys::DropKey {}
// SAFETY: as above, asserted in `heads`.
unsafe impl Plain for crate::heads::HeadEvent {}
// SAFETY: as above, asserted in `walk`.
unsafe impl Plain for crate::walk::WalkSummary {}
// SAFETY: `repr(C)`, integers only; the number of buckets is even, so that nothing is between them and the sum.
unsafe impl<const PER_US: u64> Plain for Durations<PER_US> {}
// SAFETY: as above.
unsafe impl Plain for FineDurations {}
// SAFETY: an array of integers.
unsafe impl Plain for RotatingMin {}
// SAFETY: an array of integers.
unsafe impl Plain for Found {}
// SAFETY: an integer.
unsafe impl Plain for Fill {}
// SAFETY: an integer.
unsafe impl Plain for Moment {}

const _: () = assert!(size_of::<Durations>() == BUCKETS * 4 + 8);
const _: () = assert!(size_of::<FineDurations>() == FINE_BUCKETS * 4 + 8);

/// A value in which nothing was counted yet.
pub trait Zero {
    /// That value.
    const ZERO: Self;
}

impl Zero for u64 {
    const ZERO: Self = 0;
}

impl Zero for u32 {
    const ZERO: Self = 0;
}

impl<T: Zero + Copy, const N: usize> Zero for [T; N] {
    const ZERO: Self = [T::ZERO; N];
}

/// A histogram of durations. `PER_US`: units of the sum per microsecond, 1 or 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Durations<const PER_US: u64 = 1, const COUNT: usize = BUCKETS> {
    /// Counts per bucket of [`BOUNDS_US`](crate::BOUNDS_US), or of [`FINE_BOUNDS_US`](crate::FINE_BOUNDS_US). They wrap
    /// at 2³².
    pub buckets: [u32; COUNT],
    /// Sum of the durations, in units of 1/`PER_US` µs.
    pub sum: u64,
}

/// A histogram whose quantiles are within 3.6 %.
pub type FineDurations = Durations<1, FINE_BUCKETS>;

impl<const PER_US: u64, const COUNT: usize> Durations<PER_US, COUNT> {
    /// No duration.
    pub const ZERO: Self = Self { buckets: [0; COUNT], sum: 0 };
}

impl<const PER_US: u64, const COUNT: usize> Zero for Durations<PER_US, COUNT> {
    const ZERO: Self = Self::ZERO;
}

/// The lowest value per slot of 4.3 s. One word a slot: the slot's number (`ktime_ns >> 32`, low 32 bits) in the upper
/// half, the value in the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct RotatingMin(pub [u64; MIN_SLOTS]);

impl RotatingMin {
    /// No value.
    pub const ZERO: Self = Self([0; MIN_SLOTS]);

    /// Lowest value above zero in the slots not older than `newest − back`. `None`: there is none.
    pub fn lowest(&self, newest: u32, back: u32) -> Option<u32> {
        let slots = self.0.iter().map(|word| min_slot_unpack(*word));
        slots.filter(|(slot, low)| *low > 0 && newest.wrapping_sub(*slot) <= back).map(|(_, low)| low).min()
    }
}

impl Zero for RotatingMin {
    const ZERO: Self = Self::ZERO;
}

/// How many of something a walk found. In the first word [`found_time`] in the upper half, the number in the lower; in
/// the second the walk's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Found(pub [u64; 2]);

impl Found {
    /// Nothing.
    pub const ZERO: Self = Self([0; 2]);

    /// The walk finds some more at this time.
    #[inline(always)]
    pub fn add(&mut self, walk: u32, ktime_ns: u64, number: u32) {
        let [_, last] = self.0;
        if last != walk as u64 {
            self.0 = [(found_time(ktime_ns) as u64) << 32, walk as u64];
        }
        self.0[0] += number as u64;
    }

    /// The number, unless it is older than a walk that began at this time, ns.
    pub const fn since(&self, walk_began_ns: u64) -> Option<u32> {
        let time = (self.0[0] >> 32) as u32;
        if time >= found_time(walk_began_ns) { Some(self.0[0] as u32) } else { None }
    }
}

impl Zero for Found {
    const ZERO: Self = Self::ZERO;
}

/// Parts of something that is full.
pub const FILL_PARTS: u16 = 10_000;

/// How full the fullest of the things is that a walk found. [`found_time`] in the upper half, then 16 bits of the walk's
/// number, then the share in [`FILL_PARTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Fill(pub u64);

impl Fill {
    /// Nothing that is filled.
    pub const ZERO: Self = Self(0);

    /// The walk finds this share at this time.
    #[inline(always)]
    pub fn raise(&mut self, walk: u32, ktime_ns: u64, parts: u16) {
        let is_same_walk = (self.0 >> 16) as u16 == walk as u16;
        let known = if is_same_walk { self.0 as u16 } else { 0 };
        let parts = if parts > known { parts } else { known };
        self.0 = ((found_time(ktime_ns) as u64) << 32) | ((walk as u16 as u64) << 16) | parts as u64;
    }

    /// The share in [`FILL_PARTS`], unless it is older than a walk that began at this time, ns.
    pub const fn since(self, walk_began_ns: u64) -> Option<u16> {
        if (self.0 >> 32) as u32 >= found_time(walk_began_ns) { Some(self.0 as u16) } else { None }
    }
}

impl Zero for Fill {
    const ZERO: Self = Self::ZERO;
}

/// How full a queue is that takes nothing more once more than `most` wait, in [`FILL_PARTS`]. At least 1, if any wait.
#[inline(always)]
pub const fn fill_parts(waiting: u32, most: u32) -> u16 {
    if waiting == 0 {
        return 0;
    }
    // A program of the kernel can't panic, as a plain division might.
    match (waiting as u64 * FILL_PARTS as u64).checked_div(most as u64 + 1) {
        None | Some(0) => 1,
        Some(parts) if parts > FILL_PARTS as u64 => FILL_PARTS,
        Some(parts) => parts as u16,
    }
}

/// When something happened last, `CLOCK_MONOTONIC`, ns; 0: never. Only kernel programs read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Moment(pub u64);

impl Zero for Moment {
    const ZERO: Self = Self(0);
}

/// A kernel time (`CLOCK_MONOTONIC`, ns) in units of 2²⁸ ns ≈ 0.27 s.
#[inline(always)]
pub const fn found_time(ktime_ns: u64) -> u32 {
    (ktime_ns >> 28) as u32
}

/// Number of the slot that a kernel time (`CLOCK_MONOTONIC`, ns) falls into.
#[inline(always)]
pub const fn min_slot_epoch(ktime_ns: u64) -> u32 {
    (ktime_ns >> MIN_SLOT_SHIFT) as u32
}

/// One slot's word.
#[inline(always)]
pub const fn min_slot_pack(epoch: u32, us: u32) -> u64 {
    ((epoch as u64) << 32) | us as u64
}

/// Number and lowest value of one slot's word.
#[inline(always)]
pub const fn min_slot_unpack(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// Declares the structs of listed rows, in the form of [`rows!`](crate::rows): `repr(C)`, the given size in bytes, no
/// hidden padding.
#[macro_export]
macro_rules! declare_rows {
    ({} $(
        $(#[$doc:meta])*
        $name:ident, $bytes:literal bytes, summed as $sum:ident $(with { $($more:tt)* })?
        { $($(#[$about:meta])* $field:ident: $type:ty,)+ }
    )+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(C)]
        pub struct $name {
            $($(#[$about])* pub $field: $type,)+
        }

        const _: () = assert!(size_of::<$name>() == $bytes, "the size is part of the ABI: change it on purpose");
        const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$type>())+, "padding must be explicit");

        impl $name {
            /// A row in which nothing was counted yet.
            pub const ZERO: Self = Self { $($field: <$type as $crate::row::Zero>::ZERO,)+ };
        }

        impl $crate::row::Zero for $name {
            const ZERO: Self = Self::ZERO;
        }

        // SAFETY: `repr(C)`; all fields are plain, and the assertion above rules out padding between them.
        unsafe impl $crate::row::Plain for $name
        where
            $($type: $crate::row::Plain,)+
        {
        }
    )+ };
}

#[cfg(test)]
mod tests;
