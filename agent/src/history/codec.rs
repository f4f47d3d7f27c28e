//! Integers and rows as few bytes: variable length, and of a row only the words that changed.

/// The bytes are no history, or damaged; why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Damage(pub(super) String);

impl Damage {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Appends an integer: seven bits a byte, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Small negative numbers as small positive ones.
const fn zigzag(n: i64) -> u64 {
    (n << 1) as u64 ^ (n >> 63) as u64
}

const fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// Appends the change from `old` to `new`, of the same length: distance and difference of each word that changed, then
/// a zero.
pub(super) fn put_change(out: &mut Vec<u8>, old: &[u64], new: &[u64]) {
    let mut next = 0;
    for (at, (old, new)) in old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new) {
        put(out, (at - next) as u64 + 1);
        put(out, zigzag(new.wrapping_sub(*old) as i64));
        next = at + 1;
    }
    out.push(0);
}

/// Reads what the functions above wrote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn integer(&mut self) -> Result<u64, Damage> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let Some((byte, rest)) = self.0.split_first() else { return Err(Damage::new("it ends within a number")) };
            self.0 = rest;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(Damage::new("a number is longer than 64 bits"))
    }

    /// A count of things of which each takes a byte or more.
    pub(super) fn count(&mut self) -> Result<usize, Damage> {
        let n = self.integer()?;
        usize::try_from(n)
            .ok()
            .filter(|n| *n <= self.0.len())
            .ok_or_else(|| Damage::new("a list is longer than the rest"))
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| Damage::new("it ends within a part"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Applies a change to the words of a row.
    pub(super) fn change(&mut self, words: &mut [u64]) -> Result<(), Damage> {
        let mut next = 0_usize;
        loop {
            let distance = self.integer()?;
            if distance == 0 {
                return Ok(());
            }
            let at = usize::try_from(distance - 1).ok().and_then(|distance| next.checked_add(distance));
            let word = at.and_then(|at| words.get_mut(at)).ok_or_else(|| Damage::new("a row has fewer words"))?;
            *word = word.wrapping_add(unzigzag(self.integer()?) as u64);
            next = at.unwrap_or(0) + 1;
        }
    }
}

#[cfg(test)]
mod tests;
