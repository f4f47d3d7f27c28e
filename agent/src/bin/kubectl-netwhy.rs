//! `kubectl-netwhy`: the on-call look-up, as a kubectl plugin and by its own name.

use std::process::ExitCode;

fn main() -> ExitCode {
    netwhy_agent::plugin::main()
}
