//! Figures that a TCP socket keeps of itself, and what of them is news.

use aya_ebpf::helpers::generated::bpf_jiffies64;
use netwhy_abi::{EdgeStats, Retransmit, growth};

use crate::{atomic, kernel::Object, maps, offsets::*, storage::SocketState};

/// A socket's own cumulative figures.
pub(crate) struct Figures {
    data_segs_out: u32,
    segs_out: u32,
    bytes_acked: u64,
    bytes_received: u64,
    total_retrans: u32,
    dsack_dups: u32,
    reorderings: u32,
    busy: u32,
    rwnd: u32,
    sndbuf: u32,
}

impl Figures {
    /// Reads them; `times` also what only walks and ends take: the limited times with the interval that is still
    /// running, and reorderings.
    #[inline(always)]
    pub(crate) unsafe fn read(tp: &impl Object, times: bool) -> Self {
        // SAFETY: `tp` is a TCP socket and the offsets are BTF's.
        unsafe {
            let word = |offset: u32| tp.get::<u32>(offset);
            let mut figures = Self {
                data_segs_out: word(NW_TP_DATA_SEGS_OUT.load()),
                segs_out: word(NW_TP_SEGS_OUT.load()),
                bytes_acked: tp.get(NW_TP_BYTES_ACKED.load()),
                bytes_received: tp.get(NW_TP_BYTES_RECEIVED.load()),
                total_retrans: word(NW_TP_TOTAL_RETRANS.load()),
                dsack_dups: 0,
                reorderings: 0,
                busy: 0,
                rwnd: 0,
                sndbuf: 0,
            };
            if NW_TP_DSACK_DUPS.load() != NONE {
                figures.dsack_dups = word(NW_TP_DSACK_DUPS.load());
            }
            if times && NW_TP_REORD_SEEN.load() != NONE {
                figures.reorderings = word(NW_TP_REORD_SEEN.load());
            }
            if times && NW_TP_CHRONO_STAT.load() != NONE {
                let stat = NW_TP_CHRONO_STAT.load();
                let mut only = word(stat);
                figures.rwnd = word(stat + 4);
                figures.sndbuf = word(stat + 8);
                // `enum tcp_chrono`: 0 none, 1 busy, 2 receiver-limited, 3 send-buffer-limited is running.
                let kind = (tp.get::<u8>(NW_TP_CHRONO_TYPE.load()) >> NW_TP_CHRONO_SHIFT.load()) & 3;
                let start = word(NW_TP_CHRONO_START.load());
                let running = (bpf_jiffies64() as u32).wrapping_sub(start);
                match kind {
                    1 => only = only.wrapping_add(running),
                    2 => figures.rwnd = figures.rwnd.wrapping_add(running),
                    3 => figures.sndbuf = figures.sndbuf.wrapping_add(running),
                    _ => {}
                }
                // Each of the three wraps for itself; so does their sum.
                figures.busy = only.wrapping_add(figures.rwnd).wrapping_add(figures.sndbuf);
            }
            figures
        }
    }

    /// Makes them the base of a socket that is older than the agent. `now_retrans` segments count nevertheless.
    #[inline(always)]
    pub(crate) fn set_base(&self, state: &mut SocketState, now_retrans: u32) {
        state.data_segs_out = self.data_segs_out.into();
        state.segs_out = self.segs_out.into();
        state.bytes_acked = self.bytes_acked;
        state.bytes_received = self.bytes_received;
        state.total_retrans = self.total_retrans.wrapping_sub(now_retrans).into();
        state.dsack_dups = self.dsack_dups.into();
        state.overflows_or_reorderings = self.reorderings.into();
        state.busy = self.busy.into();
        state.rwnd = self.rwnd.into();
        state.sndbuf = self.sndbuf.into();
    }

    /// Adds what changed since the storage's figures to the edge, and keeps these; for hooks that hold the socket's
    /// lock, so that no retransmission is between being counted by the kernel and being seen here.
    #[inline(always)]
    pub(crate) unsafe fn harvest(&self, state: *mut SocketState, row: *mut EdgeStats, times: bool) {
        // SAFETY: both point to live map values.
        unsafe {
            self.harvest_unlocked(state, row, times);
            step32(&raw mut (*state).total_retrans, self.total_retrans, retransmits(row, Retransmit::Unclassified));
        }
    }

    /// The same without the socket's lock: leaves retransmissions to their own hook, because one that is under way
    /// would be taken for one that the hook missed.
    #[inline(always)]
    pub(crate) unsafe fn harvest_unlocked(&self, state: *mut SocketState, row: *mut EdgeStats, times: bool) {
        // SAFETY: both point to live map values.
        unsafe {
            step_segments(state, self.data_segs_out, row);
            step32(&raw mut (*state).segs_out, self.segs_out, &raw mut (*row).segs_out);
            step(&raw mut (*state).bytes_acked, self.bytes_acked, &raw mut (*row).bytes_acked);
            step(&raw mut (*state).bytes_received, self.bytes_received, &raw mut (*row).bytes_received);
            step32(&raw mut (*state).dsack_dups, self.dsack_dups, retransmits(row, Retransmit::Spurious));
            if times {
                step32(&raw mut (*state).busy, self.busy, &raw mut (*row).busy_jiffies);
                step32(&raw mut (*state).rwnd, self.rwnd, &raw mut (*row).rwnd_jiffies);
                step32(&raw mut (*state).sndbuf, self.sndbuf, &raw mut (*row).sndbuf_jiffies);
                let reorderings = &raw mut (*state).overflows_or_reorderings;
                step32(reorderings, self.reorderings, &raw mut (*row).reorderings);
            }
        }
    }

    /// Adds all of a socket that has no storage, when it closes. Its retransmissions were counted as they happened
    /// where the kernel lacks storage, and made storage where it has it. `times`: sockets that it stands for.
    #[inline(always)]
    pub(crate) unsafe fn add_all(&self, row: *mut EdgeStats, times: u64) {
        // SAFETY: `row` is a live map value.
        unsafe {
            grow(&raw mut (*row).data_segs_out, u64::from(self.data_segs_out) * times);
            grow(&raw mut (*row).segs_out, u64::from(self.segs_out) * times);
            grow(&raw mut (*row).bytes_acked, self.bytes_acked * times);
            grow(&raw mut (*row).bytes_received, self.bytes_received * times);
            grow(retransmits(row, Retransmit::Spurious), u64::from(self.dsack_dups) * times);
            grow(&raw mut (*row).reorderings, u64::from(self.reorderings) * times);
            grow(&raw mut (*row).busy_jiffies, u64::from(self.busy) * times);
            grow(&raw mut (*row).rwnd_jiffies, u64::from(self.rwnd) * times);
            grow(&raw mut (*row).sndbuf_jiffies, u64::from(self.sndbuf) * times);
        }
    }

    /// True when the socket ever sent data.
    #[inline(always)]
    pub(crate) fn sent_data(&self) -> bool {
        self.data_segs_out != 0
    }
}

/// Slot of one kind of retransmission.
#[inline(always)]
pub(crate) unsafe fn retransmits(row: *mut EdgeStats, kind: Retransmit) -> *mut u64 {
    // SAFETY: the kind is below the array's length.
    unsafe { (&raw mut (*row).retransmits).cast::<u64>().add(kind as usize) }
}

/// Swaps `last` for `now` and adds the difference, which may be negative for a moment when two programs read one socket
/// at once; the next difference makes up for it. A figure that was back at zero unseen, because its socket connected
/// anew while few handshakes were seen, counts from zero.
#[inline(always)]
unsafe fn step(last: *mut u64, now: u64, sum: *mut u64) {
    // SAFETY: both point to live map values.
    unsafe {
        if core::ptr::read_volatile(last) != now {
            let mut before = atomic::swap(last, now);
            if now < before / 2 && maps::may_restart() {
                before = 0;
            }
            grow(sum, now.wrapping_sub(before));
        }
    }
}

/// As [`step`], for a figure of 32 bits, which wraps; see [`growth`].
#[inline(always)]
pub(crate) unsafe fn step32(last: *mut u64, now: u32, sum: *mut u64) {
    // SAFETY: both point to live map values.
    unsafe {
        if core::ptr::read_volatile(last) != u64::from(now) {
            let before = atomic::swap(last, now.into()) as u32;
            grow(sum, growth(before, now, now < before && maps::may_restart()));
        }
    }
}

/// As [`step32`], for data segments sent. Those of a socket that is lossy count apart as well, so that its further losses
/// can be compared with those of the others: whether it lost before says nothing of the next segment, if all segments
/// have the same chance.
#[inline(always)]
pub(crate) unsafe fn step_segments(state: *mut SocketState, now: u32, row: *mut EdgeStats) {
    // SAFETY: both point to live map values.
    unsafe {
        let last = &raw mut (*state).data_segs_out;
        if core::ptr::read_volatile(last) != u64::from(now) {
            let before = atomic::swap(last, now.into()) as u32;
            let n = growth(before, now, now < before && maps::may_restart());
            grow(&raw mut (*row).data_segs_out, n);
            if (*state).episode_ns != 0 {
                grow(&raw mut (*row).segs_after_loss, n);
            }
        }
    }
}

#[inline(always)]
unsafe fn grow(sum: *mut u64, n: u64) {
    if n != 0 {
        // SAFETY: a live map value.
        unsafe { atomic::add(sum, n) }
    }
}
