//! Rows and keys as a fixed number of integers, for the history's compact form.
//!
//! Each field type says once which numbers it has; `declare_words!` puts those of all fields of a row side by side. A
//! counter added to a declaration needs no further code.

use netwhy_abi::*;

/// A value that is a fixed number of integers.
pub trait Words: Sized {
    /// How many.
    const WORDS: usize;

    /// Appends them: exactly [`WORDS`](Self::WORDS) numbers.
    fn put(&self, words: &mut Vec<u64>);

    /// Takes them from an iterator. Missing ones are zero, bits that the value has no room for are lost.
    fn take(words: &mut impl Iterator<Item = u64>) -> Self;

    /// Names of the parts with their numbers of words, in order. A value that is no row has one part without a name.
    fn parts() -> Vec<(&'static str, usize)> {
        vec![("", Self::WORDS)]
    }
}

impl Words for u64 {
    const WORDS: usize = 1;

    fn put(&self, words: &mut Vec<u64>) {
        words.push(*self);
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        words.next().unwrap_or(0)
    }
}

impl Words for u32 {
    const WORDS: usize = 1;

    fn put(&self, words: &mut Vec<u64>) {
        words.push(u64::from(*self));
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        u64::take(words) as Self
    }
}

impl<T: Words, const N: usize> Words for [T; N] {
    const WORDS: usize = N * T::WORDS;

    fn put(&self, words: &mut Vec<u64>) {
        self.iter().for_each(|one| one.put(words));
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        std::array::from_fn(|_| T::take(words))
    }
}

impl<const PER_US: u64, const COUNT: usize> Words for Durations<PER_US, COUNT> {
    const WORDS: usize = COUNT + 1;

    fn put(&self, words: &mut Vec<u64>) {
        let Self { buckets, sum } = self;
        buckets.put(words);
        sum.put(words);
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        Self { buckets: Words::take(words), sum: Words::take(words) }
    }
}

/// Both halves of a packed word by themselves: each changes by little, the whole by 2³².
fn put_halves(packed: &[u64], words: &mut Vec<u64>) {
    words.extend(packed.iter().flat_map(|word| [word >> 32, word & u64::from(u32::MAX)]));
}

fn take_halves<const N: usize>(words: &mut impl Iterator<Item = u64>) -> [u64; N] {
    std::array::from_fn(|_| u64::from(u32::take(words)) << 32 | u64::from(u32::take(words)))
}

impl Words for RotatingMin {
    const WORDS: usize = 2 * netwhy_abi::MIN_SLOTS;

    fn put(&self, words: &mut Vec<u64>) {
        put_halves(&self.0, words);
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        Self(take_halves(words))
    }
}

impl Words for Found {
    const WORDS: usize = 4;

    fn put(&self, words: &mut Vec<u64>) {
        put_halves(&self.0, words);
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        Self(take_halves(words))
    }
}

impl Words for Fill {
    const WORDS: usize = 3;

    fn put(&self, words: &mut Vec<u64>) {
        let Self(packed) = *self;
        words.extend([packed >> 32, (packed >> 16) & u64::from(u16::MAX), packed & u64::from(u16::MAX)]);
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        let (time, walk, parts) = (u32::take(words), u64::take(words) as u16, u64::take(words) as u16);
        Self(u64::from(time) << 32 | u64::from(walk) << 16 | u64::from(parts))
    }
}

/// Only kernel programs read it: it is no part of the history.
impl Words for Moment {
    const WORDS: usize = 0;

    fn put(&self, _: &mut Vec<u64>) {}

    fn take(_: &mut impl Iterator<Item = u64>) -> Self {
        Self(0)
    }
}

impl Words for EdgeKey {
    const WORDS: usize = 7;

    fn put(&self, words: &mut Vec<u64>) {
        let Self { cgroup, addr, netns, port, role, redirected } = self;
        let addr = u128::from_be_bytes(*addr);
        words.extend([*cgroup, (addr >> 64) as u64, addr as u64]);
        words.extend([u64::from(*netns), u64::from(*port), u64::from(*role), u64::from(*redirected)]);
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        let mut word = || words.next().unwrap_or(0);
        let cgroup = word();
        let addr = u128::from(word()) << 64 | u128::from(word());
        let (netns, port, role, redirected) = (word() as u32, word() as u16, word() as u8, word() as u8);
        Self { cgroup, addr: addr.to_be_bytes(), netns, port, role, redirected }
    }
}

impl Words for OverflowKey {
    const WORDS: usize = 2;

    fn put(&self, words: &mut Vec<u64>) {
        let Self { cgroup, class, pad: _ } = self;
        words.extend([*cgroup, u64::from(*class)]);
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        Self { cgroup: Words::take(words), class: Words::take(words), pad: 0 }
    }
}

impl Words for DropKey {
    const WORDS: usize = 2;

    fn put(&self, words: &mut Vec<u64>) {
        let Self { cgroup, reason, pad: _ } = self;
        words.extend([*cgroup, u64::from(*reason)]);
    }

    fn take(words: &mut impl Iterator<Item = u64>) -> Self {
        Self { cgroup: Words::take(words), reason: Words::take(words), pad: 0 }
    }
}

/// Puts the words of listed rows' fields side by side, in the form of [`netwhy_abi::rows!`].
macro_rules! declare_words {
    ({} $(
        $(#[$doc:meta])*
        $row:ident, $bytes:literal bytes, summed as $sum:ident $(with { $($more:tt)* })?
        { $($(#[$about:meta])* $field:ident: $type:ty,)+ }
    )+) => { $(
        impl $crate::sample::Words for $row {
            const WORDS: usize = 0 $(+ <$type as $crate::sample::Words>::WORDS)+;

            fn put(&self, words: &mut Vec<u64>) {
                let Self { $($field,)+ } = self;
                $($crate::sample::Words::put($field, words);)+
            }

            fn take(words: &mut impl Iterator<Item = u64>) -> Self {
                Self { $($field: $crate::sample::Words::take(words),)+ }
            }

            fn parts() -> Vec<(&'static str, usize)> {
                vec![$((stringify!($field), <$type as $crate::sample::Words>::WORDS),)+]
            }
        }
    )+ };
}

netwhy_abi::rows!(declare_words! {});

#[cfg(test)]
mod tests;
