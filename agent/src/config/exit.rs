//! Exit codes, the same for every subcommand.

use std::process::ExitCode;

/// Exit codes of `netwhy-agent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success.
    Ok = 0,
    /// Any failure without a code of its own.
    Failure = 1,
    /// Bad usage or a bad configuration (`EX_USAGE`).
    Usage = 64,
    /// The kernel or the permissions don't suffice (`EX_UNAVAILABLE`).
    Unsupported = 69,
}

impl Exit {
    /// Every code with its meaning, for the documentation.
    pub const ALL: [(Self, &str); 4] = [
        (Self::Ok, "clean stop"),
        (Self::Failure, "any other failure"),
        (Self::Usage, "bad usage or configuration"),
        (Self::Unsupported, "the kernel or the permissions don't suffice"),
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
