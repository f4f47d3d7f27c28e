//! Small traffic programs for the laboratory. Each prints one JSON line (`netwhy_tests::report::Report`) at once, one
//! per second, and one when it ends: after `--seconds`, or cleanly on SIGTERM and SIGINT.

mod bulk;
mod churn;
mod client;
mod disk;
mod dns;
mod exec;
mod forward;
mod keep;
mod memory;
mod server;
mod sink;
mod spin;
mod stats;
mod switch;
mod wire;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Real TCP traffic, CPU load and path delay for netwhy's laboratory
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Server(server::Args),
    Client(client::Args),
    Churn(churn::Args),
    Sink(sink::Args),
    Bulk(bulk::Args),
    Spin(spin::Args),
    Switch(switch::Args),
    Forward(forward::Args),
    DnsServer(dns::ServerArgs),
    DnsClient(dns::ClientArgs),
    Disk(disk::Args),
    Memory(memory::Args),
    Exec(exec::Args),
    Keep(keep::KeepArgs),
    Attend(keep::AttendArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Server(args) => server::run(args),
        Command::Client(args) => client::run(args),
        Command::Churn(args) => churn::run(args),
        Command::Sink(args) => sink::run(args),
        Command::Bulk(args) => bulk::run(args),
        Command::Spin(args) => spin::run(&args),
        Command::Switch(args) => switch::run(&args),
        Command::Forward(args) => forward::run(args),
        Command::DnsServer(args) => dns::serve(&args),
        Command::DnsClient(args) => dns::look_up(&args),
        Command::Disk(args) => disk::run(args),
        Command::Memory(args) => memory::run(&args),
        Command::Exec(args) => exec::run(&args),
        Command::Keep(args) => keep::keep(&args),
        Command::Attend(args) => keep::attend(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netwhy-traffic: {error:#}");
            ExitCode::FAILURE
        }
    }
}
