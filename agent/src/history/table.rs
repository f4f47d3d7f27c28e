//! One table of rows in the frames of a segment. Keys stand once in a segment; later frames name them by number, and
//! hold of each row only the words that changed.
//!
//! In a frame: the number of changed rows; of each the distance of its number, the key if the number is new, and the
//! change (see [`put_change`]); then the number of rows that are gone, and the distances of their numbers.

use super::codec::{Bytes, Damage, put, put_change};
use crate::sample::{Words, shrink};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, hash::Hash};

/// Most rows of a table in one segment. A kernel map has fewer.
const MAX_ROWS: usize = 1 << 20;
/// Most words of a row or key.
const MAX_WORDS: usize = 4096;

/// Layout of a table, so that other versions can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    /// Its name.
    pub(super) name: String,
    /// Words of a key.
    pub(super) key: usize,
    /// Names of a row's parts, and their words.
    pub(super) parts: Vec<(String, usize)>,
}

impl Layout {
    /// The layout of a table with such keys and rows.
    pub(super) fn of<K: Words, R: Words>(name: &str) -> Self {
        let parts = R::parts().into_iter().map(|(name, words)| (name.to_owned(), words)).collect();
        Self { name: name.to_owned(), key: K::WORDS, parts }
    }

    fn words(&self) -> usize {
        self.parts.iter().fold(0, |sum, (_, words)| sum.saturating_add(*words))
    }

    /// Position in `own` of each word of this layout. `None`: `own` has no such part.
    ///
    /// # Errors
    /// When key or a part have another size.
    fn positions(&self, own: &Self) -> Result<Vec<Option<usize>>, Damage> {
        let other = |part: &str| Damage::new(format!("{}{part} have another layout in this version", self.name));
        if self.key != own.key {
            return Err(other(": keys"));
        }
        let mut positions = Vec::new();
        for (name, words) in &self.parts {
            let mut begin = 0;
            let found = own.parts.iter().find_map(|(own, words)| {
                let at = begin;
                begin += words;
                (own == name).then_some((at, *words))
            });
            match found {
                Some((at, own)) if own == *words => positions.extend((at..at + words).map(Some)),
                Some(_) => return Err(other(&format!(".{name}"))),
                None => positions.extend(std::iter::repeat_n(None, *words)),
            }
        }
        Ok(positions)
    }
}

/// A row that the writer knows. Both values as changes from zero.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Its number in the segment. `None`: not written yet.
    number: Option<u32>,
    /// As of the last frame.
    written: Box<[u8]>,
    /// As of now. `None`: the same.
    now: Option<Box<[u8]>>,
    gone: bool,
}

/// The writing side.
#[derive(Clone, Debug)]
pub(super) struct TableWriter<K> {
    rows: HashMap<K, Known>,
    numbers: u32,
    /// Rows that are gone since the last frame.
    gone: usize,
    /// Words of a row.
    words: usize,
}

impl<K> Default for TableWriter<K> {
    fn default() -> Self {
        Self { rows: HashMap::new(), numbers: 0, gone: 0, words: 0 }
    }
}

impl<K: Words + Copy + Eq + Hash> TableWriter<K> {
    /// Whether one of these rows is gone since the last frame: that frame must be written before the row begins anew.
    pub(super) fn is_back<'a>(&self, mut keys: impl Iterator<Item = &'a K>) -> bool
    where
        K: 'a,
    {
        self.gone > 0 && keys.any(|key| self.rows.get(key).is_some_and(|known| known.gone))
    }

    /// Takes the present value of a row.
    pub(super) fn take<R: Words>(&mut self, key: K, row: &R, scratch: &mut Scratch) {
        self.words = R::WORDS;
        let now = scratch.packed(row);
        let known = self.rows.entry(key).or_default();
        if *known.now.as_deref().unwrap_or(&known.written) != *now {
            known.now = Some(now);
        }
    }

    /// The row is gone after the next frame.
    pub(super) fn forget(&mut self, key: &K) {
        if let Some(known) = self.rows.get_mut(key)
            && !known.gone
        {
            known.gone = true;
            self.gone += 1;
        }
    }

    /// The rows that exist.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.rows.iter().filter(|(_, known)| !known.gone).map(|(key, _)| key)
    }

    /// The next frame is the first of a segment, and names all rows.
    pub(super) fn restart(&mut self) {
        self.numbers = 0;
        self.rows.values_mut().for_each(|known| known.number = None);
    }

    /// Appends what changed since the last frame.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, scratch: &mut Scratch) {
        let is_due = |known: &Known| known.number.is_none() || known.now.is_some();
        let mut due: Vec<(&K, &mut Known)> = self.rows.iter_mut().filter(|(_, known)| is_due(known)).collect();
        // New rows get the next numbers.
        due.sort_by_key(|(_, known)| known.number.unwrap_or(u32::MAX));
        put(out, due.len() as u64);
        let mut next = 0;
        for (key, known) in due {
            let number = known.number.unwrap_or(self.numbers);
            put(out, u64::from(number - next));
            next = number + 1;
            let now = known.now.take();
            if known.number.is_none() {
                self.numbers += 1;
                key.put(scratch.cleared());
                scratch.words.iter().for_each(|word| put(out, *word));
                out.extend_from_slice(now.as_ref().unwrap_or(&known.written));
            } else if let Some(now) = &now {
                scratch.put_change(out, self.words, &known.written, now);
            }
            known.number = Some(number);
            known.written = now.unwrap_or_else(|| std::mem::take(&mut known.written));
        }
        let mut gone: Vec<u32> =
            self.rows.values().filter(|known| known.gone).filter_map(|known| known.number).collect();
        gone.sort_unstable();
        put_numbers(out, &gone);
        if self.gone > 0 {
            self.rows.retain(|_, known| !known.gone);
            shrink(&mut self.rows);
            self.gone = 0;
        }
    }
}

fn put_numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    put(out, numbers.len() as u64);
    let mut next = 0;
    for number in numbers {
        put(out, u64::from(number - next));
        next = number + 1;
    }
}

/// Memory for rows at work.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    words: Vec<u64>,
    old: Vec<u64>,
    zero: Vec<u64>,
    bytes: Vec<u8>,
}

impl Scratch {
    fn cleared(&mut self) -> &mut Vec<u64> {
        self.words.clear();
        &mut self.words
    }

    /// A row as its change from zero.
    fn packed(&mut self, row: &impl Words) -> Box<[u8]> {
        row.put(self.cleared());
        self.pack()
    }

    /// `words` as their change from zero.
    fn pack(&mut self) -> Box<[u8]> {
        self.zero.resize(self.words.len().max(self.zero.len()), 0);
        self.bytes.clear();
        put_change(&mut self.bytes, &self.zero, &self.words);
        self.bytes.as_slice().into()
    }

    /// Appends the change between two packed rows of this many words.
    fn put_change(&mut self, out: &mut Vec<u8>, length: usize, old: &[u8], new: &[u8]) {
        for (words, packed) in [(&mut self.old, old), (&mut self.words, new)] {
            words.clear();
            words.resize(length, 0);
            // They were packed here.
            let _ = Bytes(packed).change(words);
        }
        put_change(out, &self.old, &self.words);
    }
}

/// A table of one frame, as it was read: words of keys and rows in the reader's own layout.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// Key and row.
    pub(super) rows: Vec<(Box<[u64]>, Vec<u64>)>,
    /// Keys of rows that are gone.
    pub(super) gone: Vec<Box<[u64]>>,
}

/// Words of a key, and its row as a change from zero.
type PackedRow = (Box<[u64]>, Box<[u8]>);

/// The reading side.
#[derive(Debug)]
pub(super) struct TableReader {
    /// By number. `None`: gone.
    rows: Vec<Option<PackedRow>>,
    key: usize,
    words: usize,
    /// Words of a row in this version, and where each word of the segment's belongs. `None`: this version has no such
    /// table.
    own: Option<(usize, Vec<Option<usize>>)>,
}

impl TableReader {
    /// A reader for a segment's table. `own`: the layout in this version. `None`: it has no such table.
    ///
    /// # Errors
    /// When the layouts do not fit.
    pub(super) fn new(layout: &Layout, own: Option<&Layout>) -> Result<Self, Damage> {
        let words = layout.words();
        if words > MAX_WORDS || layout.key > MAX_WORDS {
            return Err(Damage::new(format!("{} has too many words", layout.name)));
        }
        let own = own.map(|own| Ok((own.words(), layout.positions(own)?))).transpose()?;
        Ok(Self { rows: Vec::new(), key: layout.key, words, own })
    }

    /// Reads the table's part of a frame.
    pub(super) fn read(&mut self, bytes: &mut Bytes<'_>, scratch: &mut Scratch) -> Result<Changes, Damage> {
        let mut changes = Changes::default();
        let mut next = 0;
        for _ in 0..bytes.count()? {
            let number = number(bytes, next)?;
            next = number + 1;
            if number == self.rows.len() && number < MAX_ROWS {
                let key: Result<Box<[u64]>, Damage> = (0..self.key).map(|_| bytes.integer()).collect();
                self.rows.push(Some((key?, [0].into())));
            }
            let row = self.rows.get_mut(number).and_then(Option::as_mut);
            let (key, packed) = row.ok_or_else(|| Damage::new("a change of a row that does not exist"))?;
            let words = scratch.cleared();
            words.resize(self.words, 0);
            Bytes(packed).change(words)?;
            bytes.change(words)?;
            if let Some((length, positions)) = &self.own {
                let mut row = vec![0; *length];
                for (word, at) in words.iter().zip(positions) {
                    if let Some(slot) = at.and_then(|at| row.get_mut(at)) {
                        *slot = *word;
                    }
                }
                changes.rows.push((key.clone(), row));
            }
            *packed = scratch.pack();
        }
        let mut next = 0;
        for _ in 0..bytes.count()? {
            let number = number(bytes, next)?;
            next = number + 1;
            let gone = self.rows.get_mut(number).and_then(Option::take);
            let (key, _) = gone.ok_or_else(|| Damage::new("a row goes that does not exist"))?;
            if self.own.is_some() {
                changes.gone.push(key);
            }
        }
        Ok(changes)
    }
}

fn number(bytes: &mut Bytes<'_>, next: usize) -> Result<usize, Damage> {
    let distance = usize::try_from(bytes.integer()?).ok();
    let number = distance.and_then(|distance| next.checked_add(distance)).filter(|number| *number < MAX_ROWS);
    number.ok_or_else(|| Damage::new("a table has too many rows"))
}

#[cfg(test)]
mod tests;
