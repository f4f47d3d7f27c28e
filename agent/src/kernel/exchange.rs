//! Takes the atomic exchange out of the object, before it is loaded, for kernels that lack it: those before 5.12, and on
//! arm64 those before 5.18.
//!
//! Such a kernel refuses a program that holds the instruction, even where it never runs (`BPF_STX uses reserved
//! fields`). It never runs there, because programs exchange figures of sockets that they keep, and keep none
//! (`Constants::has_storage`). In its place stands a move of its register to itself: as if the cell held the new value
//! before, so that no figure grows.

use super::{refusal::ENOTSUPP, sys};
use std::{io, ops::Range};

/// Bytes of an instruction: the code, two registers, an offset of 16 bits and a number of 32.
const SIZE: usize = 8;

/// Class and mode of atomic instructions (`BPF_STX | BPF_ATOMIC`, whose mode was `BPF_XADD` before 5.12), and the bits
/// of both.
const ATOMIC: u8 = 0xc3;
const CLASS_AND_MODE: u8 = 0xe7;
/// The bits that say the size, for 64 bits (`BPF_DW`); none for 32 (`BPF_W`).
const SIZE_BITS: u8 = 0x18;
const DOUBLE: u8 = 0x18;
const WORD: u8 = 0;

/// Operations of atomic instructions (`BPF_ADD`, which every kernel knows, and `BPF_XCHG`).
const ADD: u32 = 0;
const EXCHANGE: u32 = 0xe1;

/// `BPF_ALU64 | BPF_MOV | BPF_X`, and the same in `BPF_ALU`, which clears the upper half as an exchange of 32 bits does.
const MOVE: u8 = 0xbf;
const MOVE_WORD: u8 = 0xbc;

/// In a section's header: it holds bytes of the program (`SHT_PROGBITS`), which are instructions (`SHF_EXECINSTR`).
const PROGBITS: usize = 1;
const EXECUTABLE: usize = 4;

/// Why an object can't do without its exchanges.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Irreplaceable {
    #[error("the object is no ELF file of 64 bits, or ends early")]
    Object,
    #[error("the object has the atomic instruction {0:02x?}, which this kernel lacks")]
    Instruction([u8; SIZE]),
}

/// Takes the exchanges out of an object.
///
/// # Errors
/// It is no object, or it holds another atomic instruction that a kernel without the exchange lacks too.
pub(super) fn remove(object: &mut [u8]) -> Result<(), Irreplaceable> {
    let sections = programs(object).ok_or(Irreplaceable::Object)?;
    for section in sections {
        let code = object.get_mut(section).ok_or(Irreplaceable::Object)?;
        let (instructions, rest) = code.as_chunks_mut::<SIZE>();
        if !rest.is_empty() {
            return Err(Irreplaceable::Object);
        }
        for instruction in instructions {
            *instruction = without_exchange(*instruction)?;
        }
    }
    Ok(())
}

/// The instruction that stands for another one on a kernel without the exchange.
fn without_exchange(instruction: [u8; SIZE]) -> Result<[u8; SIZE], Irreplaceable> {
    let [code, registers, _, _, number @ ..] = instruction;
    if code & CLASS_AND_MODE != ATOMIC {
        return Ok(instruction);
    }
    // The exchange's source register, which also takes the result, is in the upper half.
    let register = registers >> 4;
    let moved = |code| [code, register << 4 | register, 0, 0, 0, 0, 0, 0];
    match (code & SIZE_BITS, u32::from_le_bytes(number)) {
        (WORD | DOUBLE, ADD) => Ok(instruction),
        (DOUBLE, EXCHANGE) => Ok(moved(MOVE)),
        (WORD, EXCHANGE) => Ok(moved(MOVE_WORD)),
        _ => Err(Irreplaceable::Instruction(instruction)),
    }
}

/// Where an ELF file of 64 bits holds instructions. `None`: it is none, or ends early.
fn programs(object: &[u8]) -> Option<Vec<Range<usize>>> {
    // `EI_CLASS` 2 is 64 bits, `EI_DATA` 1 is little-endian.
    if !object.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    // `e_shoff`, `e_shentsize`, `e_shnum`.
    let (table, size, count) = (number(object, 40, 8)?, number(object, 58, 2)?, number(object, 60, 2)?);
    let mut found = Vec::new();
    for index in 0..count {
        let header = index.checked_mul(size)?.checked_add(table)?;
        let field = |at: usize, bytes: usize| number(object, header.checked_add(at)?, bytes);
        // `sh_type`, `sh_flags`, `sh_offset`, `sh_size`.
        if field(4, 4)? == PROGBITS && field(8, 8)? & EXECUTABLE != 0 {
            let begin = field(24, 8)?;
            found.push(begin..begin.checked_add(field(32, 8)?)?);
        }
    }
    Some(found)
}

/// A little-endian number of an object. `None`: the object ends before.
fn number(object: &[u8], at: usize, bytes: usize) -> Option<usize> {
    let bytes = object.get(at..at.checked_add(bytes)?)?;
    bytes.iter().rev().try_fold(0_usize, |number, byte| number.checked_mul(256)?.checked_add(usize::from(*byte)))
}

/// Whether programs of the running kernel may hold the exchange. Found by a trial; by the release where the kernel
/// refuses trials.
pub fn has_exchange(release: (u32, u32)) -> bool {
    is_taken(&trial(EXCHANGE), &trial(ADD), release >= first_release(cfg!(target_arch = "aarch64")))
}

/// The first release whose verifier and JIT both have the exchange.
const fn first_release(is_arm64: bool) -> (u32, u32) {
    if is_arm64 { (5, 18) } else { (5, 12) }
}

/// Whether the kernel knows the exchange, from its answers to a program with it, and to one with an addition instead.
/// `is_new`: its release has it.
fn is_taken(exchange: &io::Result<()>, add: &io::Result<()>, is_new: bool) -> bool {
    match (exchange, add) {
        (Ok(()), _) => true,
        // The verifier refuses it, or the JIT does.
        (Err(error), Ok(())) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP | ENOTSUPP)) => {
            false
        }
        (Err(_), _) => is_new,
    }
}

/// Loads a program with one atomic instruction, on its stack.
fn trial(operation: u32) -> io::Result<()> {
    let [a, b, c, d] = operation.to_le_bytes();
    sys::try_filter(&[
        // r0 = 0
        [0xb7, 0, 0, 0, 0, 0, 0, 0],
        // *(u64 *)(r10 - 8) = r0
        [0x7b, 0x0a, 0xf8, 0xff, 0, 0, 0, 0],
        // The operation on *(u64 *)(r10 - 8) and r0.
        [ATOMIC | DOUBLE, 0x0a, 0xf8, 0xff, a, b, c, d],
        // r0 = 0
        [0xb7, 0, 0, 0, 0, 0, 0, 0],
        // exit
        [0x95, 0, 0, 0, 0, 0, 0, 0],
    ])
}

#[cfg(test)]
mod tests;
