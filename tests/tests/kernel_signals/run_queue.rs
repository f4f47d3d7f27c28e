//! Waits for a CPU, compared with the scheduler's own counters (`/proc/PID/schedstat`).

use crate::stage::{Options, PATIENCE, Stage, Watch, id, needs, since, stage, wait_until};
use netwhy_abi::Counter;
use netwhy_agent::{
    kernel::Mode,
    sample::{CgroupFacts, Pressure},
};
use netwhy_tests::lab::{Pod, Program};
use rustix::{
    process::Pid,
    thread::{CapabilitySet, CapabilitySets, CpuSet, sched_getaffinity, sched_setaffinity, set_capabilities},
};
use std::{fs, thread, time::Duration};

/// How long programs compete for a CPU.
const CONTEST: Duration = Duration::from_secs(3);

/// Threads of a process.
fn threads(program: &Program) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{}/task", program.pid())).unwrap();
    tasks.map(|task| task.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect()
}

/// Runs a busy loop in a Pod, on the first CPU that this process may use.
fn spin(stage: &Stage, pod: &Pod) -> Program {
    let program = stage.lab.start(pod, &["spin"]).unwrap();
    program.wait_ready(PATIENCE).unwrap();
    let allowed = sched_getaffinity(None).unwrap();
    let first = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).unwrap();
    let mut one = CpuSet::new();
    one.set(first);
    for thread in threads(&program) {
        sched_setaffinity(Pid::from_raw(thread as i32), &one).unwrap();
    }
    program
}

/// Waits of all threads of a program (ns), and how often they ran.
fn schedstat(program: &Program) -> (u64, u64) {
    let fields = |thread: u32| -> Vec<u64> {
        let text = fs::read_to_string(format!("/proc/{}/task/{thread}/schedstat", program.pid())).unwrap();
        text.split_whitespace().map(|field| field.parse().unwrap()).collect()
    };
    threads(program).into_iter().map(fields).fold((0, 0), |sum, field| (sum.0 + field[1], sum.1 + field[2]))
}

/// Waits of a Pod (ns), and their number.
fn counted(watch: &mut Watch, pod: &Pod) -> (u64, u64) {
    watch.read();
    let waits = watch.sums().run_queue.get(&id(pod)).cloned().unwrap_or_default();
    (waits.sum_us * 1_000, waits.count())
}

#[track_caller]
fn assert_close(figure: &str, measured: u64, truth: u64) {
    let ratio = measured as f64 / truth as f64;
    assert!((ratio - 1.0).abs() < 0.2, "{figure}: {measured} against {truth}");
}

#[test]
fn two_programs_on_one_cpu_wait_as_long_as_the_scheduler_says() {
    needs!(RUN_QUEUE);
    let stage = stage!("a");
    let mut watch = stage.watch_with(Options { modes: &[("run_queue", Mode::On)], ..Options::default() });
    let (victim, hog, calm) = (stage.pod("a", "victim"), stage.pod("a", "hog"), stage.pod("a", "calm"));
    let programs = [&victim, &hog].map(|pod| (pod, spin(&stage, pod)));
    let quiet = stage.lab.start(&calm, &["sink", "--port", "9000"]).unwrap();
    quiet.wait_ready(PATIENCE).unwrap();
    let (sleeper, truth_sleeper) = (counted(&mut watch, &calm).0, schedstat(&quiet).0);
    let before: Vec<_> = programs.iter().map(|(pod, program)| (counted(&mut watch, pod), schedstat(program))).collect();
    // Nothing signals that the programs competed long enough.
    thread::sleep(CONTEST);
    for ((pod, program), (counts, truth)) in programs.iter().zip(before) {
        let (waited, runs) = counted(&mut watch, pod);
        let (truth_waited, truth_runs) = schedstat(program);
        assert!(truth_waited - truth.0 > CONTEST.as_nanos() as u64 / 4, "the programs share a CPU");
        assert_close("waited", waited - counts.0, truth_waited - truth.0);
        assert_close("runs", runs - counts.1, truth_runs - truth.1);
    }
    let (waited, truth) = (counted(&mut watch, &calm).0 - sleeper, schedstat(&quiet).0 - truth_sleeper);
    // On a machine with one CPU it sometimes waits for that CPU too.
    let most = truth + truth / 5 + CONTEST.as_nanos() as u64 / 10;
    assert!(waited < most, "an idle program hardly waits: {waited} against {truth}");
    assert_eq!(watch.counter(Counter::RunQueueFull), 0);
}

/// Facts of a Pod that waits for a CPU half of the time.
fn starved(now: Duration, _: &[u64]) -> Vec<CgroupFacts> {
    let pressure = Some(Pressure { cpu_some_us: now.as_micros() as u64 / 2, ..Pressure::default() });
    vec![CgroupFacts { id: 1, pressure, ..CgroupFacts::default() }]
}

#[test]
fn under_pressure_waits_are_measured_even_without_any_capability() {
    // Older kernels check capabilities at each call, so the agent keeps them.
    since!(5, 19);
    let stage = stage!("a");
    let mut watch = stage.watch_with(Options { facts: starved, ..Options::default() });
    let pods = [stage.pod("a", "victim"), stage.pod("a", "hog")];
    let _programs = pods.each_ref().map(|pod| spin(&stage, pod));
    watch.read();
    let unprivileged = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let none = CapabilitySet::empty();
            set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).unwrap();
            wait_until("waits are counted", || counted(&mut watch, &pods[0]).0 > 0);
        });
        thread.join()
    });
    assert!(unprivileged.is_ok());
}

#[test]
fn without_pressure_no_wait_is_measured() {
    let stage = stage!("a");
    let mut watch = stage.watch();
    let pods = [stage.pod("a", "victim"), stage.pod("a", "hog")];
    let _programs = pods.each_ref().map(|pod| spin(&stage, pod));
    watch.read();
    // Longer than pressure must last before the probe is attached.
    thread::sleep(Duration::from_secs(7));
    watch.read();
    assert!(watch.sums().run_queue.is_empty());
}
