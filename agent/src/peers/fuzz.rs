//! Target for fuzzing: the connection tracking table.

use super::Translations;

/// Reads a table, at once and line by line.
pub(crate) fn conntrack(data: &[u8]) {
    let Ok(whole) = Translations::read(data) else { return };
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(one) = Translations::read(line) else { continue };
        assert!(one.pairs().all(|(client, service)| whole.is_translated(client, service)), "a line was passed over");
    }
}
