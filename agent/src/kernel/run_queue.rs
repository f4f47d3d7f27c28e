//! The scheduler program and its maps: a separate object, because kernels before 5.11 refuse it.

use super::{
    context::Context,
    duty::{Attach, SchedulerProbe},
    refusal::Refused,
    settings::Mode,
    sys,
};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, MapData},
    programs::{BtfTracePoint, ProgramError},
};
use netwhy_abi::Family as _;
use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The object that the build script made.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/netwhy-run-queue"));

/// Name of the program.
pub(super) const RUN_QUEUE_PROGRAM: &str = "nw_run_queue";
const HOOK: &str = "sched_switch";

/// The loaded program and its maps.
pub(super) struct RunQueue {
    pub(super) ebpf: Ebpf,
    pub(super) probe: SchedulerProbe,
    periods: Arc<Periods>,
}

/// `[u64; 2]` as aya sees it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PeriodPod([u64; 2]);
// SAFETY: integers only.
unsafe impl aya::Pod for PeriodPod {}

/// The map that holds the number of the current duty period, and the number of lost waits.
struct Periods(Mutex<Array<MapData, PeriodPod>>);

impl Periods {
    fn map(&self) -> MutexGuard<'_, Array<MapData, PeriodPod>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a new period: the program then takes each task's figures as a new base, and does not count waits from
    /// before the period. Call it while the program is detached.
    fn begin(&self) -> io::Result<()> {
        let mut map = self.map();
        let PeriodPod([number, lost]) = map.get(&0, 0).map_err(io::Error::other)?;
        map.set(0, PeriodPod([number + 1, lost]), 0).map_err(io::Error::other)
    }

    fn lost(&self) -> anyhow::Result<u64> {
        Ok(self.map().get(&0, 0)?.0[1])
    }
}

impl RunQueue {
    /// Loads the program, and attaches it if it is to run all the time.
    ///
    /// # Errors
    /// A kernel that lacks the feature, or refuses the program.
    pub(super) fn load(context: &Context<'_>) -> Result<Self, Refused> {
        let mut ebpf = load_object(context)?;
        let refused = |error: ProgramError| Refused::program(RUN_QUEUE_PROGRAM, &error);
        let program = ebpf.program_mut(RUN_QUEUE_PROGRAM);
        let program =
            program.ok_or_else(|| Refused::other(format!("the object has no program {RUN_QUEUE_PROGRAM}")))?;
        let program: &mut BtfTracePoint = program.try_into().map_err(refused)?;
        program.load(HOOK, context.btf).map_err(refused)?;
        let io_refused = |error: io::Error| Refused::program(RUN_QUEUE_PROGRAM, &error);
        let program = program.fd().map_err(refused)?.as_fd().try_clone_to_owned().map_err(io_refused)?;
        let map = ebpf.take_map("PERIOD").ok_or_else(|| Refused::other("the object has no map PERIOD"))?;
        let map = Array::try_from(map).map_err(|error| Refused::program(RUN_QUEUE_PROGRAM, &error))?;
        let periods = Arc::new(Periods(Mutex::new(map)));
        let is_continuous = context.settings.mode("run_queue") == Mode::On;
        let probe = SchedulerProbe::attach(attach(program, Arc::clone(&periods)), is_continuous).map_err(io_refused)?;
        Ok(Self { ebpf, probe, periods })
    }

    /// Waits that were lost because a map was full.
    pub(super) fn lost(&self) -> anyhow::Result<u64> {
        self.periods.lost()
    }
}

/// Begins a period and attaches the program. From 5.19 on this needs no capability; on older kernels the agent keeps
/// those that it needs.
fn attach(program: OwnedFd, periods: Arc<Periods>) -> Arc<Attach> {
    Arc::new(move || {
        periods.begin()?;
        sys::attach_tracing(program.as_fd())
    })
}

/// Loads the object with the offsets of this kernel.
fn load_object(context: &Context<'_>) -> Result<Ebpf, Refused> {
    if context.version < (5, 11) {
        return Err(Refused::unsupported("this kernel has no task storage (5.11 has)"));
    }
    let offset = |path: &str| context.types.offset(path).map(|member| member.bit_offset / 8);
    let (Some(flags), Some(run_delay), Some(pcount)) = (
        offset("task_struct.flags"),
        offset("task_struct.sched_info.run_delay"),
        offset("task_struct.sched_info.pcount"),
    ) else {
        return Err(Refused::unsupported("this kernel does not time its run queues (CONFIG_SCHED_INFO)"));
    };
    let (level, id) = context.settings.root();
    let rows = netwhy_abi::RunQueue::capacity(&context.settings.limits);
    let rows = u32::try_from(rows).unwrap_or(u32::MAX).max(1);
    let mut loader = EbpfLoader::new();
    loader
        .allow_unsupported_maps()
        .btf(Some(context.btf))
        .override_global("NW_TASK_FLAGS", &flags, true)
        .override_global("NW_TASK_RUN_DELAY", &run_delay, true)
        .override_global("NW_TASK_PCOUNT", &pcount, true)
        .override_global("NW_ROOT_LEVEL", &level, true)
        .override_global("NW_ROOT_ID", &id, true)
        .map_max_entries("RUN_QUEUE", rows);
    loader.load(OBJECT).map_err(|error| Refused::program(RUN_QUEUE_PROGRAM, &error))
}
