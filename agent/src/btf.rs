//! The running kernel's type information (BTF): member offsets, enum names and numbers of tracepoint arguments. Format:
//! the kernel's `Documentation/bpf/btf.rst`.

use std::{collections::HashMap, path::Path};

const MAGIC: u16 = 0xeb9f;

const KIND_STRUCT: u8 = 4;
const KIND_UNION: u8 = 5;
const KIND_ENUM: u8 = 6;
const KIND_TYPEDEF: u8 = 8;
const KIND_FUNC: u8 = 12;

/// Why BTF could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file can't be read.
    #[error(
        "can't read the kernel's type information {path} ({error}): netwhy needs a kernel built with \
         CONFIG_DEBUG_INFO_BTF=y (all common distributions since 2020), and its sysfs mounted"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// The system's error.
        error: std::io::Error,
    },
    /// The file is not BTF.
    #[error("the kernel's type information {path} is malformed: {problem}")]
    Malformed {
        /// The file.
        path: String,
        /// The problem.
        problem: &'static str,
    },
}

/// Deepest nesting of anonymous members.
const MAX_DEPTH: u8 = 8;
/// Most members that a search for one visits. The kernel's longest struct has a few hundred.
const MAX_VISITS: u32 = 1 << 16;

/// Parsed BTF.
pub struct KernelTypes {
    data: Vec<u8>,
    /// Byte offset of each type's record; index = type id.
    types: Vec<usize>,
    strings: usize,
    by_name: HashMap<(u8, String), usize>,
}

/// Position of a member in its struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Offset from the beginning of the outermost struct, bits.
    pub bit_offset: u32,
}

impl Member {
    /// Byte that holds the first bit.
    pub fn byte(self) -> u32 {
        self.bit_offset / 8
    }

    /// First bit within that byte.
    pub fn shift(self) -> u32 {
        self.bit_offset % 8
    }
}

impl KernelTypes {
    /// Reads `<sysfs>/kernel/btf/vmlinux`.
    ///
    /// # Errors
    /// [`BtfError`] if it can't be read or is not BTF.
    pub fn read(sysfs: &Path) -> Result<Self, BtfError> {
        let path = sysfs.join("kernel/btf/vmlinux");
        let name = path.display().to_string();
        let data = std::fs::read(&path).map_err(|error| BtfError::Unreadable { path: name.clone(), error })?;
        Self::parse(data).map_err(|problem| BtfError::Malformed { path: name, problem })
    }

    /// Reads the bytes of a `vmlinux` file.
    ///
    /// # Errors
    /// The problem, if they are not BTF.
    pub fn parse(data: Vec<u8>) -> Result<Self, &'static str> {
        let word = |at: usize| -> Result<usize, &'static str> {
            let bytes = data.get(at..at + 4).ok_or("it ends early")?;
            Ok(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
        };
        let magic = data.get(0..2).ok_or("it is empty")?;
        if u16::from_ne_bytes([magic[0], magic[1]]) != MAGIC {
            return Err("it has no BTF header");
        }
        let header = word(4)?;
        let (first, length, strings) = (header + word(8)?, word(12)?, header + word(16)?);
        let mut this = Self { types: vec![0], strings, by_name: HashMap::new(), data: Vec::new() };
        let (mut at, end) = (first, first + length);
        if end > data.len() {
            return Err("it ends early");
        }
        while at < end {
            let info = word(at + 4)?;
            let (kind, members) = (((info >> 24) & 0x1f) as u8, info & 0xffff);
            let id = this.types.len();
            this.types.push(at);
            if matches!(kind, KIND_STRUCT | KIND_UNION | KIND_ENUM | KIND_TYPEDEF) {
                let name = string_at(&data, strings + word(at)?).ok_or("a name lies outside")?;
                if !name.is_empty() {
                    this.by_name.entry((kind, name.to_owned())).or_insert(id);
                }
            }
            at += 12 + record_tail(kind, members).ok_or("it has a record of an unknown kind")?;
            if at > end {
                return Err("a record ends outside");
            }
        }
        this.data = data;
        Ok(this)
    }

    fn word(&self, at: usize) -> u32 {
        match self.data.get(at..at + 4) {
            Some(b) => u32::from_ne_bytes([b[0], b[1], b[2], b[3]]),
            None => 0,
        }
    }

    fn name_of(&self, at: usize) -> &str {
        string_at(&self.data, self.strings + self.word(at) as usize).unwrap_or("")
    }

    /// (record, kind, number of members) of a type.
    fn record(&self, id: usize) -> Option<(usize, u8, usize)> {
        let at = *self.types.get(id)?;
        let info = self.word(at + 4);
        Some((at, ((info >> 24) & 0x1f) as u8, (info & 0xffff) as usize))
    }

    /// Follows typedefs and qualifiers.
    fn resolve(&self, mut id: usize) -> usize {
        // typedef, volatile, const, restrict, type tag: kinds that only wrap a type. The bound ends a cycle.
        for _ in 0..32 {
            match self.record(id) {
                Some((at, KIND_TYPEDEF | 9 | 10 | 11 | 18, _)) => id = self.word(at + 8) as usize,
                _ => break,
            }
        }
        id
    }

    fn find(&self, kind: u8, name: &str) -> Option<usize> {
        self.by_name.get(&(kind, name.to_owned())).copied()
    }

    /// Bit offset and type of a member, also of one inside anonymous members. `visits`: members that may still be
    /// visited, because anonymous members that repeat each other multiply.
    fn member(&self, id: usize, name: &str, depth: u8, visits: &mut u32) -> Option<(u32, usize)> {
        let (at, kind, members) = self.record(self.resolve(id))?;
        if depth == 0 || !matches!(kind, KIND_STRUCT | KIND_UNION) {
            return None;
        }
        // With this flag the upper 8 bits of a member's offset are its bit-field size.
        let bitfields = self.word(at + 4) >> 31 == 1;
        for m in (0..members).map(|i| at + 12 + 12 * i) {
            *visits = visits.checked_sub(1)?;
            let (member, ty) = (self.name_of(m), self.word(m + 4) as usize);
            let mut offset = self.word(m + 8);
            if bitfields {
                offset &= 0x00ff_ffff;
            }
            if member == name {
                return Some((offset, ty));
            }
            if member.is_empty()
                && let Some((inner, ty)) = self.member(ty, name, depth - 1, visits)
            {
                return Some((offset.checked_add(inner)?, ty));
            }
        }
        None
    }

    /// Position of a member by its path, such as `sock.sk_cgrp_data.cgroup`: the struct's name, then members held by
    /// value. `None`: this kernel has no such member.
    pub fn offset(&self, path: &str) -> Option<Member> {
        let mut parts = path.split('.');
        let mut id = self.find(KIND_STRUCT, parts.next()?)?;
        let mut bits: u32 = 0;
        for part in parts {
            let mut visits = MAX_VISITS;
            let (offset, ty) = self.member(id, part, MAX_DEPTH, &mut visits)?;
            bits = bits.checked_add(offset)?;
            id = ty;
        }
        Some(Member { bit_offset: bits })
    }

    /// Type id of a function. `None`: this kernel has no such function.
    pub fn function(&self, name: &str) -> Option<u32> {
        let is_it =
            |id: &usize| self.record(*id).is_some_and(|(at, kind, _)| kind == KIND_FUNC && self.name_of(at) == name);
        (1..self.types.len()).find(is_it).and_then(|id| id.try_into().ok())
    }

    /// Type id of a struct. `None`: this kernel has no such struct.
    pub fn structure(&self, name: &str) -> Option<u32> {
        self.find(KIND_STRUCT, name).and_then(|id| id.try_into().ok())
    }

    /// Names and values of an enum's members; empty if there is no such enum.
    pub fn enum_values(&self, name: &str) -> Vec<(String, i32)> {
        let Some((at, _, members)) = self.find(KIND_ENUM, name).and_then(|id| self.record(id)) else {
            return Vec::new();
        };
        let value = |i: usize| (self.name_of(at + 12 + 8 * i).to_owned(), self.word(at + 16 + 8 * i) as i32);
        (0..members).map(value).collect()
    }

    /// Number of arguments of a tracepoint. `None`: this kernel has no such tracepoint.
    pub fn tracepoint_args(&self, tracepoint: &str) -> Option<usize> {
        // typedef btf_trace_X → pointer → function prototype. Its first parameter is the tracepoint's private data.
        let pointer = self.resolve(self.find(KIND_TYPEDEF, &format!("btf_trace_{tracepoint}"))?);
        let (at, _, _) = self.record(pointer)?;
        let (_, _, parameters) = self.record(self.word(at + 8) as usize)?;
        parameters.checked_sub(1)
    }
}

/// Bytes after the 12-byte header of a record.
fn record_tail(kind: u8, members: usize) -> Option<usize> {
    Some(match kind {
        1 | 14 | 17 => 4,
        3 => 12,
        4 | 5 | 15 | 19 => 12 * members,
        6 | 13 => 8 * members,
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

fn string_at(data: &[u8], at: usize) -> Option<&str> {
    let tail = data.get(at..)?;
    let end = tail.iter().position(|b| *b == 0)?;
    std::str::from_utf8(&tail[..end]).ok()
}

#[cfg(test)]
mod tests;
