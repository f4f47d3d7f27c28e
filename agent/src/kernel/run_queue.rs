//! The program on the scheduler: an object of its own, attached while it is wanted.

use super::{
    btf::KernelTypes,
    load::{Mode, Settings, brief, chain},
    probes::{Probe, State, Verdict},
};
use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Array, MapData},
    programs::{BtfTracePoint, ProgramError, tp_btf::BtfTracePointLink},
};
use netwhy_abi::Family as _;

/// The object that the build script made.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/netwhy-run-queue"));

const PROGRAM: &str = "nw_run_queue";
const HOOK: &str = "sched_switch";

/// The loaded program.
pub(super) struct RunQueue {
    pub(super) ebpf: Ebpf,
    link: Option<BtfTracePointLink>,
    period: u64,
}

/// `[u64; 2]` as aya sees it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PeriodPod([u64; 2]);
// SAFETY: integers only.
unsafe impl aya::Pod for PeriodPod {}

/// Loads the program, and attaches it when it is to run always.
pub(super) fn load(
    settings: &Settings<'_>,
    btf: &Btf,
    types: &KernelTypes,
    version: (u32, u32),
    probe: &Probe,
    mode: Mode,
) -> (Option<RunQueue>, Verdict) {
    let verdict = |state, why: &str| Verdict { name: probe.name, state, why: format!("{why}: no {}", probe.without) };
    if mode == Mode::Off {
        return (None, verdict(State::Off, "switched off"));
    }
    if version < (5, 11) {
        return (None, verdict(State::Unsupported, "this kernel keeps nothing per task (5.11 can)"));
    }
    let offset = |path: &str| types.offset(path).map(|member| member.bit_offset / 8);
    let (Some(flags), Some(run_delay), Some(pcount)) = (
        offset("task_struct.flags"),
        offset("task_struct.sched_info.run_delay"),
        offset("task_struct.sched_info.pcount"),
    ) else {
        return (None, verdict(State::Unsupported, "this kernel does not time its run queues (CONFIG_SCHED_INFO)"));
    };
    let (level, id) = settings.subtree.map_or((0, 0), |subtree| (subtree.level, subtree.id));
    let rows = netwhy_abi::RunQueue::capacity(&settings.limits);
    let rows = u32::try_from(rows).unwrap_or(u32::MAX).max(1);
    let attempt = || -> Result<RunQueue, String> {
        let mut loader = EbpfLoader::new();
        loader
            .allow_unsupported_maps()
            .btf(Some(btf))
            .override_global("NW_TASK_FLAGS", &flags, true)
            .override_global("NW_TASK_RUN_DELAY", &run_delay, true)
            .override_global("NW_TASK_PCOUNT", &pcount, true)
            .override_global("NW_ROOT_LEVEL", &level, true)
            .override_global("NW_ROOT_ID", &id, true)
            .map_max_entries("RUN_QUEUE", rows);
        let mut ebpf = loader.load(OBJECT).map_err(|e| chain(&e))?;
        program(&mut ebpf)?.load(HOOK, btf).map_err(|e| chain(&e))?;
        let mut this = RunQueue { ebpf, link: None, period: 0 };
        if mode == Mode::On {
            this.watch(true).map_err(|e| format!("{e:#}"))?;
        }
        Ok(this)
    };
    match attempt() {
        Ok(this) => (Some(this), Verdict { name: probe.name, state: State::Ok, why: String::new() }),
        Err(why) => (None, verdict(State::Broken, &format!("{PROGRAM}: {}", brief(&why)))),
    }
}

fn program(ebpf: &mut Ebpf) -> Result<&mut BtfTracePoint, String> {
    let program = ebpf.program_mut(PROGRAM).ok_or_else(|| format!("the object has no program {PROGRAM}"))?;
    program.try_into().map_err(|e: ProgramError| chain(&e))
}

impl RunQueue {
    /// Attaches or detaches the program. What tasks waited in between is not counted. Kernels from 5.19 on let a process
    /// without any capability do this, as it holds the program; before, the agent keeps its capabilities.
    pub(super) fn watch(&mut self, on: bool) -> anyhow::Result<()> {
        if !on {
            self.link = None;
            return Ok(());
        }
        if self.link.is_some() {
            return Ok(());
        }
        self.period += 1;
        let lost = self.lost()?;
        let map = self.ebpf.map_mut("PERIOD").ok_or_else(|| anyhow::anyhow!("the object has no map PERIOD"))?;
        let mut map: Array<&mut MapData, PeriodPod> = map.try_into()?;
        map.set(0, PeriodPod([self.period, lost]), 0)?;
        let program = program(&mut self.ebpf).map_err(anyhow::Error::msg)?;
        let id = program.attach()?;
        self.link = Some(program.take_link(id)?);
        Ok(())
    }

    /// Waits that found no room.
    pub(super) fn lost(&self) -> anyhow::Result<u64> {
        let map = self.ebpf.map("PERIOD").ok_or_else(|| anyhow::anyhow!("the object has no map PERIOD"))?;
        let map: Array<&MapData, PeriodPod> = map.try_into()?;
        Ok(map.get(&0, 0)?.0[1])
    }
}
