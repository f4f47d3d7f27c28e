//! Whether the states of sockets must be kept by address.
//!
//! Some kernels (builds of 6.18 with changes of their own) give a pointer that is read from another one no trust: its
//! members may be read, but no helper takes it, so that a walk comes to no socket's storage. The programs then keep all
//! states in hash maps by the socket's address, and take them out when the socket is destroyed. Elsewhere storage is
//! cheaper, and takes itself out. A trial tells, because no release does.

use super::{kfunc, sys};
use crate::btf::KernelTypes;
use std::io;

/// What the programs need to read a walk's sockets by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByAddress {
    /// Type id of the kernel function that makes an address readable (`bpf_rdonly_cast`, 6.2 and later).
    pub cast: u32,
    /// Type id of `struct tcp_sock`.
    pub tcp_sock: u32,
    /// Offset of `sock.sk_type`, bytes.
    pub sk_type: u32,
}

/// Helpers of `enum bpf_func_id`.
const SKC_TO_TCP_SOCK: u32 = 137;
const SOCK_FROM_FILE: u32 = 162;
/// Offset of `file` in `struct bpf_iter__task_file`.
const FILE: u32 = 24;

/// `None`: this kernel lets walks come to the storage of sockets, or refuses both ways, or its answer is not clear.
pub(super) fn find(types: &KernelTypes) -> Option<ByAddress> {
    let byte = |path| types.offset(path).map(|member| member.byte());
    let found = ByAddress {
        cast: types.function("bpf_rdonly_cast")?,
        tcp_sock: types.structure("tcp_sock")?,
        sk_type: byte("sock.sk_type")?,
    };
    let (sk, snd_una) = (byte("socket.sk")?, byte("tcp_sock.snd_una")?);
    let walk = types.function("bpf_iter_task_file")?;
    is_needed(&sys::try_walk(&trusting(sk), walk), &sys::try_walk(&reading(sk, &found, snd_una), walk)).then_some(found)
}

/// From the kernel's answers to a walk that gives a socket to a helper, and to one that reads it.
fn is_needed(trusting: &io::Result<()>, reading: &io::Result<()>) -> bool {
    // The verifier's refusal of a program; EPERM is that of the process.
    let is_refused =
        |result: &io::Result<()>| result.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EACCES));
    is_refused(trusting) && reading.is_ok()
}

/// `bpf_skc_to_tcp_sock(bpf_sock_from_file(file)->sk)`.
fn trusting(sk: u32) -> [[u8; 8]; 9] {
    [
        load(1, 1, FILE),
        exit_if_null(1, 5),
        helper(SOCK_FROM_FILE),
        exit_if_null(0, 3),
        load(1, 0, sk),
        exit_if_null(1, 1),
        helper(SKC_TO_TCP_SOCK),
        set(0, 0),
        EXIT,
    ]
}

/// `bpf_rdonly_cast(bpf_sock_from_file(file)->sk, tcp_sock)->snd_una`.
fn reading(sk: u32, found: &ByAddress, snd_una: u32) -> [[u8; 8]; 11] {
    [
        load(1, 1, FILE),
        exit_if_null(1, 7),
        helper(SOCK_FROM_FILE),
        exit_if_null(0, 5),
        load(1, 0, sk),
        exit_if_null(1, 3),
        set(2, found.tcp_sock),
        kfunc::call(found.cast),
        load_word(0, 0, snd_una),
        set(0, 0),
        EXIT,
    ]
}

const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

/// `to = *(u64 *)(from + offset)`.
fn load(to: u8, from: u8, offset: u32) -> [u8; 8] {
    memory(0x79, to, from, offset)
}

/// `to = *(u32 *)(from + offset)`.
fn load_word(to: u8, from: u8, offset: u32) -> [u8; 8] {
    memory(0x61, to, from, offset)
}

fn memory(code: u8, to: u8, from: u8, offset: u32) -> [u8; 8] {
    let [low, high, ..] = offset.to_le_bytes();
    [code, from << 4 | to, low, high, 0, 0, 0, 0]
}

/// `if register == 0 goto +offset`.
fn exit_if_null(register: u8, offset: u8) -> [u8; 8] {
    [0x15, register, offset, 0, 0, 0, 0, 0]
}

/// `register = value`.
fn set(register: u8, value: u32) -> [u8; 8] {
    let [a, b, c, d] = value.to_le_bytes();
    [0xb7, register, 0, 0, a, b, c, d]
}

/// A helper's call.
fn helper(number: u32) -> [u8; 8] {
    let [a, b, c, d] = number.to_le_bytes();
    [0x85, 0, 0, 0, a, b, c, d]
}

#[cfg(test)]
mod tests;
