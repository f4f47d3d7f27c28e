//! The rows of all families, from the kernel's maps to the sums of a window.
//!
//! `Families<S>` has one field per family of [`netwhy_abi::families!`]; the shape `S` says what each field holds. Code
//! that does the same for every family stands once, in a `for_each_family!` block.

use super::{Cumulative, Words, stored_key::StoredKey};
use netwhy_abi::Family;
use std::{collections::HashMap, fmt::Debug, hash::Hash};

/// A family whose rows can be summed and recorded.
pub trait Counted: Family<Key: StoredKey + Words, Row: Cumulative + Words> {}

impl<F: Family<Key: StoredKey + Words, Row: Cumulative + Words>> Counted for F {}

/// A family that is listed in [`netwhy_abi::families!`].
pub trait Table: Counted {
    /// The family's field.
    fn of<S: Shape>(families: &Families<S>) -> &S::Of<Self>;

    /// The same, to change it.
    fn of_mut<S: Shape>(families: &mut Families<S>) -> &mut S::Of<Self>;
}

/// Growth of a family's row.
pub type SumOf<F> = <<F as Family>::Row as Cumulative>::Sum;

/// The type of each family's field.
pub trait Shape: Clone + Debug + Default {
    /// The type of one family's field.
    type Of<F: Counted>: Clone + Debug + Default;
}

/// Rows of one family in a snapshot.
#[derive(Clone, Debug)]
pub struct Rows<F: Family> {
    /// Cumulative values. Rows that did not change since the previous snapshot of the same source may be left out.
    pub rows: Vec<(F::Key, F::Row)>,
    /// Rows that were taken out of the map with this snapshot; their last values are in `rows`.
    pub gone: Vec<F::Key>,
}

impl<F: Family> Default for Rows<F> {
    fn default() -> Self {
        Self { rows: Vec::new(), gone: Vec::new() }
    }
}

/// Shape of a snapshot: the rows as they were read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Read;

impl Shape for Read {
    type Of<F: Counted> = Rows<F>;
}

/// Shape of a ledger: the highest values so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Highest;

impl Shape for Highest {
    type Of<F: Counted> = HashMap<F::Key, F::Row>;
}

/// Shape of a frame: the growth of rows that counted something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Growth;

impl Shape for Growth {
    type Of<F: Counted> = Vec<(F::Key, SumOf<F>)>;
}

/// Shape of a window: sums of growth, where not zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums;

impl Shape for Sums {
    type Of<F: Counted> = HashMap<F::Key, SumOf<F>>;
}

macro_rules! declare {
    ({} $($(#[$doc:meta])* $field:ident: $family:ident = $map:ident in $object:ident, $key:ty => $row:ty, $limit:expr;)+) => {
        /// One field per family of rows.
        #[derive(Clone, Debug, Default)]
        pub struct Families<S: Shape> {
            $($(#[$doc])* pub $field: S::Of<netwhy_abi::$family>,)+
        }

        $(
            impl Table for netwhy_abi::$family {
                fn of<S: Shape>(families: &Families<S>) -> &S::Of<Self> {
                    &families.$field
                }

                fn of_mut<S: Shape>(families: &mut Families<S>) -> &mut S::Of<Self> {
                    &mut families.$field
                }
            }
        )+
    };
}

netwhy_abi::families!(declare! {});

/// Gives memory of a map back that held far more before.
pub(crate) fn shrink<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    const KEPT: usize = 1024;
    if map.capacity() > KEPT && map.capacity() / 4 > map.len() {
        map.shrink_to(KEPT.max(map.len() * 2));
    }
}

/// Repeats a block for every family: `for_each_family!(F => { … F::of(&tables) … })`. `F` names the family in it.
macro_rules! for_each_family {
    ($family:ident => $block:block) => {
        netwhy_abi::families!(repeat_for_family! { $family $block })
    };
}

/// The second half of [`for_each_family!`]: takes the list.
macro_rules! repeat_for_family {
    (
        { $alias:ident $block:block }
        $($(#[$doc:meta])* $field:ident: $family:ident = $map:ident in $object:ident, $key:ty => $row:ty, $limit:expr;)+
    ) => {
        $({
            type $alias = netwhy_abi::$family;
            $block
        })+
    };
}

pub(crate) use {for_each_family, repeat_for_family};

#[cfg(test)]
mod tests;
