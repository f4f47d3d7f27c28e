//! One kernel in one machine, from power-on to its end.

use super::{
    Args,
    guest::{self, Outcome, Programs},
    image,
    kernel::Kernel,
    machine::Machine,
};
use crate::sh;
use anyhow::Result;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

/// How long a machine may take to boot with KVM.
const PROBE_SECONDS: u32 = 40;

/// A kernel and the machine that it runs in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boot<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) machine: Machine,
}

/// A machine that ran.
#[derive(Debug)]
pub(super) struct Ended {
    /// The kernel's name, and the machine's behind it.
    pub(super) name: String,
    /// The machine's name. `None`: the plain one.
    pub(super) machine: Option<&'static str>,
    /// Its output.
    pub(super) outcome: Outcome,
    /// Time that it took, s.
    pub(super) seconds: f64,
}

/// Groups that run side by side: with at most this many CPUs together, unless a single machine has more.
pub(super) fn rounds(boots: Vec<Boot<'_>>, cpus: usize) -> Vec<Vec<Boot<'_>>> {
    let mut rounds: Vec<Vec<Boot<'_>>> = Vec::new();
    let mut taken = 0;
    for boot in boots {
        if taken == 0 || taken + boot.machine.cpus > cpus {
            rounds.push(Vec::new());
            taken = 0;
        }
        taken += boot.machine.cpus;
        if let Some(round) = rounds.last_mut() {
            round.push(boot);
        }
    }
    rounds
}

impl Boot<'_> {
    fn name(&self) -> String {
        let words = [Some(self.kernel.name.as_str()), self.machine.name];
        words.into_iter().flatten().collect::<Vec<_>>().join("-")
    }

    /// Runs it to its end.
    pub(super) fn run(&self, workspace: &Path, dir: &Path, programs: &Programs, args: &Args) -> Result<Ended> {
        let archive = dir.join(format!("{}.cpio", self.name()));
        let own = self.machine.name.map(|name| format!("{name}::"));
        let script = guest::script(programs, &self.machine, own.as_deref().or(args.filter.as_deref()));
        image::write(programs, self.kernel, &script, &archive)?;
        let accelerator = if !self.kernel.arch.is_native() || !Path::new("/dev/kvm").exists() {
            "tcg"
        } else if self.can_boot(&archive) {
            "kvm"
        } else {
            sh::say("  KVM can't be used here: every instruction is emulated instead");
            "tcg"
        };
        let ended = self.power_on(workspace, &archive, args.seconds, accelerator)?;
        let _ = fs::remove_file(&archive);
        Ok(ended)
    }

    /// Whether it boots with KVM. The device may exist and not work: under nested virtualisation a machine often hangs
    /// at an instruction that the host does not support.
    fn can_boot(&self, archive: &Path) -> bool {
        let console = self.command(archive, PROBE_SECONDS, "kvm", guest::PROBE).stdin(Stdio::null()).output();
        console.is_ok_and(|console| !Outcome::read(&String::from_utf8_lossy(&console.stdout)).release.is_empty())
    }

    /// The machine with an accelerator of QEMU's, for at most `limit` s; `also`: on its kernel's command line.
    fn command(&self, archive: &Path, limit: u32, accelerator: &str, also: &str) -> Command {
        let Machine { command_line, cpus, memory_mib, .. } = self.machine;
        let arch = self.kernel.arch;
        // In the foreground, Ctrl-C reaches the machine too, and the machine ends with this process.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "timeout", "--foreground", "--kill-after=5", &limit.to_string()]);
        command.arg(arch.qemu().0).args(arch.board()).args(["-accel", accelerator, "-no-reboot"]);
        command.args(["-smp", &cpus.to_string(), "-m", &memory_mib.to_string()]);
        command.args(["-display", "none", "-monitor", "none", "-serial", "stdio", "-nic", "none"]);
        command.arg("-kernel").arg(&self.kernel.image).arg("-initrd").arg(archive);
        let console = arch.console();
        command
            .args(["-append", &format!("console={console} panic=-1 loglevel=3 net.ifnames=0 {command_line} {also}")]);
        command
    }

    /// Boots it with an accelerator of QEMU's, for at most `limit` s.
    fn power_on(&self, workspace: &Path, archive: &Path, limit: u32, accelerator: &str) -> Result<Ended> {
        let mut command = self.command(archive, limit, accelerator, "");
        let began = Instant::now();
        let mut progress = guest::Progress::default();
        let name = self.name();
        let title = format!("tests on Linux {name}");
        let (_, console) = sh::captured(&title, &mut command, |line| progress.line(line))?;
        let seconds = began.elapsed().as_secs_f64();
        let log = sh::keep_log(workspace, &format!("vm-{name}.log"), &console)?;
        let mut outcome = Outcome::read(&console);
        if let Some(module) = self.machine.name {
            outcome.demand(module);
        }
        if !outcome.ended_well() {
            sh::say(&format!("  the machine's console is kept in {}", log.display()));
        }
        Ok(Ended { name, machine: self.machine.name, outcome, seconds })
    }
}

#[cfg(test)]
mod tests;
