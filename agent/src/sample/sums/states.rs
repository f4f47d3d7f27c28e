//! States of now, which are no counts: nothing is added up.

use super::{Cumulative, Sum};
use netwhy_abi::{Fill, Found, Moment, RotatingMin};
use serde_json::Value;

/// The lower of two values. Not a sum: nothing is added, and nothing can be taken away.
impl Sum for Option<u32> {
    fn add(&mut self, other: &Self) {
        *self = [*self, *other].into_iter().flatten().min();
    }

    fn subtract(&mut self, _: &Self) {}

    fn is_zero(&self) -> bool {
        true
    }
}

/// A state of now: its growth has no lowest value, [`Ledger`](crate::sample::Ledger) reads it from the row.
impl Cumulative for RotatingMin {
    type Sum = Option<u32>;

    fn growth(&self, _: &Self) -> Option<u32> {
        None
    }

    fn raise(&mut self, now: &Self) {
        *self = *now;
    }

    fn store(&self) -> Option<Value> {
        self.0.store()
    }

    fn restore(value: &Value) -> Result<Self, String> {
        Cumulative::restore(value).map(Self)
    }
}

/// Nothing to add up.
impl Sum for () {
    fn add(&mut self, (): &Self) {}

    fn subtract(&mut self, (): &Self) {}

    fn is_zero(&self) -> bool {
        true
    }
}

/// A state of now: [`Ledger`](crate::sample::Ledger) reads it from the row.
impl Cumulative for Found {
    type Sum = ();

    fn growth(&self, _: &Self) {}

    fn raise(&mut self, now: &Self) {
        *self = *now;
    }

    fn store(&self) -> Option<Value> {
        self.0.store()
    }

    fn restore(value: &Value) -> Result<Self, String> {
        Cumulative::restore(value).map(Self)
    }
}

/// A state of now: [`Ledger`](crate::sample::Ledger) reads it from the row.
impl Cumulative for Fill {
    type Sum = ();

    fn growth(&self, _: &Self) {}

    fn raise(&mut self, now: &Self) {
        *self = *now;
    }

    fn store(&self) -> Option<Value> {
        self.0.store()
    }

    fn restore(value: &Value) -> Result<Self, String> {
        u64::restore(value).map(Self)
    }
}

/// Kernel programs alone read it: recordings leave it out.
impl Cumulative for Moment {
    type Sum = ();

    fn growth(&self, _: &Self) {}

    fn raise(&mut self, now: &Self) {
        *self = *now;
    }

    fn store(&self) -> Option<Value> {
        None
    }

    fn restore(value: &Value) -> Result<Self, String> {
        u64::restore(value).map(Self)
    }
}
