//! Arithmetic of the kernel's rows: growth between two reads, and sums of growth.
//!
//! The arithmetic of each field type is defined once here. `declare_sums!` applies it to all fields of a row, so that a
//! counter added to the declaration is added, subtracted, recorded and restored without further code.

mod states;

use super::Histogram;
use netwhy_abi::{Durations, Zero};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt::Debug};

/// Growth over some time, or the sum of many such growths.
pub trait Sum: Clone + Debug + Default {
    /// Adds another sum.
    fn add(&mut self, other: &Self);

    /// Takes away a sum that was added before.
    fn subtract(&mut self, other: &Self);

    /// True when nothing was counted.
    fn is_zero(&self) -> bool;
}

/// A value that the kernel counts up: a row, or one of its fields.
pub trait Cumulative: Copy + Eq + Zero {
    /// The type of its growth.
    type Sum: Sum;

    /// Growth since `high`, the highest values of all reads before. Never negative: where two CPUs count one
    /// socket at once, a value may step back for a moment, and the next read makes up for it.
    fn growth(&self, high: &Self) -> Self::Sum;

    /// Raises `self`, the highest values so far, to those of `now`. Counts that wrap are replaced.
    fn raise(&mut self, now: &Self);

    /// The value in a recording. `None` when it is zero.
    fn store(&self) -> Option<Value>;

    /// Reads what [`store`](Self::store) wrote. Values that an older recording lacks are zero.
    ///
    /// # Errors
    /// The reason why it is no such value.
    fn restore(value: &Value) -> Result<Self, String>;
}

/// A row that is new, or was taken out and came back, may step back from zero. Two's complement shows that as a count
/// that nothing could have reached.
const fn not_below_zero(count: u64) -> u64 {
    if count > i64::MAX as u64 { 0 } else { count }
}

impl Sum for u64 {
    fn add(&mut self, other: &Self) {
        *self += other;
    }

    fn subtract(&mut self, other: &Self) {
        *self = self.saturating_sub(*other);
    }

    fn is_zero(&self) -> bool {
        *self == 0
    }
}

impl Cumulative for u64 {
    type Sum = Self;

    fn growth(&self, high: &Self) -> Self {
        not_below_zero(*self).saturating_sub(*high)
    }

    fn raise(&mut self, now: &Self) {
        *self = not_below_zero(*now).max(*self);
    }

    fn store(&self) -> Option<Value> {
        (*self > 0).then(|| json!(self))
    }

    fn restore(value: &Value) -> Result<Self, String> {
        value.as_u64().ok_or_else(|| format!("{value} is no count"))
    }
}

impl<T: Sum, const N: usize> Sum for [T; N]
where
    [T; N]: Default,
{
    fn add(&mut self, other: &Self) {
        self.iter_mut().zip(other).for_each(|(sum, more)| sum.add(more));
    }

    fn subtract(&mut self, other: &Self) {
        self.iter_mut().zip(other).for_each(|(sum, less)| sum.subtract(less));
    }

    fn is_zero(&self) -> bool {
        self.iter().all(Sum::is_zero)
    }
}

impl<T: Cumulative, const N: usize> Cumulative for [T; N]
where
    [T::Sum; N]: Default,
{
    type Sum = [T::Sum; N];

    fn growth(&self, high: &Self) -> Self::Sum {
        std::array::from_fn(|i| self[i].growth(&high[i]))
    }

    fn raise(&mut self, now: &Self) {
        self.iter_mut().zip(now).for_each(|(high, now)| high.raise(now));
    }

    fn store(&self) -> Option<Value> {
        let each: Vec<Option<Value>> = self.iter().map(Cumulative::store).collect();
        let filled = |value: Option<Value>| value.unwrap_or(json!(0));
        each.iter().any(Option::is_some).then(|| each.into_iter().map(filled).collect())
    }

    fn restore(value: &Value) -> Result<Self, String> {
        let stored = value.as_array().ok_or_else(|| format!("{value} is no list"))?;
        let mut all = Self::ZERO;
        if stored.len() > N {
            return Err(format!("a list of {} values is longer than {N}", stored.len()));
        }
        for (one, value) in all.iter_mut().zip(stored).filter(|(_, value)| **value != json!(0)) {
            *one = T::restore(value)?;
        }
        Ok(all)
    }
}

/// Counts that wrap at 2³², as those of buckets do.
impl Cumulative for u32 {
    type Sum = u64;

    fn growth(&self, high: &Self) -> u64 {
        self.wrapping_sub(*high).into()
    }

    fn raise(&mut self, now: &Self) {
        *self = *now;
    }

    fn store(&self) -> Option<Value> {
        (*self > 0).then(|| json!(self))
    }

    fn restore(value: &Value) -> Result<Self, String> {
        value.as_u64().and_then(|n| n.try_into().ok()).ok_or_else(|| format!("{value} is no count of 32 bits"))
    }
}

impl<const COUNT: usize> Sum for Histogram<COUNT> {
    fn add(&mut self, other: &Self) {
        Histogram::add(self, other);
    }

    fn subtract(&mut self, other: &Self) {
        Histogram::subtract(self, other);
    }

    fn is_zero(&self) -> bool {
        self.is_empty() && self.sum_us == 0
    }
}

/// Sums that may be missing, which is zero.
impl<T: Sum> Sum for Option<Box<T>> {
    fn add(&mut self, other: &Self) {
        if let Some(other) = other {
            self.get_or_insert_default().add(other);
        }
    }

    fn subtract(&mut self, other: &Self) {
        if let (Some(sum), Some(other)) = (self, other) {
            sum.subtract(other);
        }
    }

    fn is_zero(&self) -> bool {
        self.as_ref().is_none_or(|sum| sum.is_zero())
    }
}

/// Sums by a name that is only known at run time, such as a drop reason.
impl<K: Ord + Clone + Debug> Sum for BTreeMap<K, u64> {
    fn add(&mut self, other: &Self) {
        for (name, more) in other {
            *self.entry(name.clone()).or_default() += more;
        }
    }

    fn subtract(&mut self, other: &Self) {
        for (name, less) in other {
            if let Some(sum) = self.get_mut(name) {
                sum.subtract(less);
            }
        }
    }

    fn is_zero(&self) -> bool {
        self.values().all(Sum::is_zero)
    }
}

/// Buckets that are not empty: (bucket, count).
type Sparse = Vec<(u8, u32)>;

impl<const PER_US: u64, const COUNT: usize> Cumulative for Durations<PER_US, COUNT> {
    type Sum = Histogram<COUNT>;

    fn growth(&self, high: &Self) -> Histogram<COUNT> {
        let counts = self.buckets.iter().zip(&high.buckets).enumerate();
        let counts = counts.map(|(i, (now, high))| (i as u8, now.growth(high)));
        // Both sums are rounded before their difference, so that differences add up to the sum.
        Histogram::from_counts(counts, (not_below_zero(self.sum) / PER_US).saturating_sub(high.sum / PER_US))
    }

    fn raise(&mut self, now: &Self) {
        let Self { buckets, sum } = now;
        self.buckets = *buckets;
        self.sum.raise(sum);
    }

    fn store(&self) -> Option<Value> {
        let Self { buckets, sum } = self;
        let counts: Sparse = buckets.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| (i as u8, *n)).collect();
        (*self != Self::ZERO).then(|| json!({ "counts": counts, "sum": sum }))
    }

    fn restore(value: &Value) -> Result<Self, String> {
        let field = |name| value.get(name).cloned().unwrap_or_default();
        let counts: Sparse = serde_json::from_value(field("counts")).map_err(|_| format!("{value} is no histogram"))?;
        let mut buckets = [0; COUNT];
        for (bucket, n) in counts {
            *buckets.get_mut(usize::from(bucket)).ok_or_else(|| format!("there is no bucket {bucket}"))? = n;
        }
        Ok(Self { buckets, sum: u64::restore(&field("sum"))? })
    }
}

/// Takes the field `name` out of a stored row.
pub(super) fn restore_field<T: Cumulative>(fields: &mut Map<String, Value>, name: &str) -> Result<T, String> {
    let Some(value) = fields.remove(name) else { return Ok(T::ZERO) };
    T::restore(&value).map_err(|why| format!("{name}: {why}"))
}

/// Declares a struct of sums, which are added and taken away field by field.
macro_rules! summed {
    ($(#[$doc:meta])* pub struct $sum:ident { $($(#[$about:meta])* pub $field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $sum {
            $($(#[$about])* pub $field: $type,)+
        }

        impl $sum {
            /// Adds another sum.
            pub fn add(&mut self, other: &Self) {
                let Self { $($field,)+ } = other;
                $($crate::sample::Sum::add(&mut self.$field, $field);)+
            }

            /// Takes away a sum that was added before.
            pub fn subtract(&mut self, other: &Self) {
                let Self { $($field,)+ } = other;
                $($crate::sample::Sum::subtract(&mut self.$field, $field);)+
            }

            /// True when nothing was counted.
            pub fn is_zero(&self) -> bool {
                let Self { $($field,)+ } = self;
                true $(&& $crate::sample::Sum::is_zero($field))+
            }
        }

        impl $crate::sample::Sum for $sum {
            fn add(&mut self, other: &Self) {
                $sum::add(self, other);
            }

            fn subtract(&mut self, other: &Self) {
                $sum::subtract(self, other);
            }

            fn is_zero(&self) -> bool {
                $sum::is_zero(self)
            }
        }
    };
}

/// Declares the sums of listed rows, in the form of [`netwhy_abi::rows!`], and the arithmetic of both. A further field
/// of a sum is computed from each growth by the function of its name.
macro_rules! declare_sums {
    ({} $(
        $(#[$doc:meta])*
        $row:ident, $bytes:literal bytes, summed as $sum:ident
        $(with { $($(#[$more_doc:meta])* $more:ident: $more_type:ty,)+ })?
        { $($(#[$about:meta])* $field:ident: $type:ty,)+ }
    )+) => { $(
        summed! {
            #[doc = concat!("Sums of [`", stringify!($row), "`] over rows and time; same units.")]
            pub struct $sum {
                $($(#[$about])* pub $field: <$type as $crate::sample::Cumulative>::Sum,)+
                $($($(#[$more_doc])* pub $more: $more_type,)+)?
            }
        }

        impl $crate::sample::Cumulative for $row {
            type Sum = $sum;

            fn growth(&self, high: &Self) -> $sum {
                #[allow(unused_mut, reason = "not every sum has computed fields")]
                let mut sum = $sum {
                    $($field: $crate::sample::Cumulative::growth(&self.$field, &high.$field),)+
                    $($($more: Default::default(),)+)?
                };
                $($(sum.$more = $more(&sum);)+)?
                sum
            }

            fn raise(&mut self, now: &Self) {
                let Self { $($field,)+ } = now;
                $($crate::sample::Cumulative::raise(&mut self.$field, $field);)+
            }

            fn store(&self) -> Option<serde_json::Value> {
                let Self { $($field,)+ } = self;
                let mut stored = serde_json::Map::new();
                $(if let Some(value) = $crate::sample::Cumulative::store($field) {
                    stored.insert(stringify!($field).to_owned(), value);
                })+
                (!stored.is_empty()).then(|| stored.into())
            }

            fn restore(value: &serde_json::Value) -> Result<Self, String> {
                let mut fields = value.as_object().ok_or_else(|| format!("{value} is no row"))?.clone();
                let row = Self { $($field: $crate::sample::sums::restore_field(&mut fields, stringify!($field))?,)+ };
                match fields.keys().next() {
                    Some(name) => Err(format!(concat!("a ", stringify!($row), " has no field `{}`"), name)),
                    None => Ok(row),
                }
            }
        }
    )+ };
}

pub(crate) use summed;

#[cfg(test)]
mod tests;
