//! The archive that a kernel unpacks as its first file system: `newc` cpio.

/// An archive under construction.
#[derive(Debug, Default)]
pub(super) struct Cpio {
    bytes: Vec<u8>,
    inode: u32,
    /// Directories that are in it.
    made: std::collections::BTreeSet<String>,
}

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_755;
const PRIVATE: u32 = 0o100_600;
const LINK: u32 = 0o120_777;
const CONSOLE: u32 = 0o020_600;

impl Cpio {
    /// A file that anybody may execute, and the directories that lead to it.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) {
        self.parents(path);
        self.entry(path, FILE, content, (0, 0));
    }

    /// A file for root alone.
    pub(super) fn private(&mut self, path: &str, content: &[u8]) {
        self.parents(path);
        self.entry(path, PRIVATE, content, (0, 0));
    }

    /// A symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.parents(path);
        self.entry(path, LINK, target.as_bytes(), (0, 0));
    }

    /// An empty directory.
    pub(super) fn directory(&mut self, path: &str) {
        self.parents(path);
        let path = path.trim_matches('/');
        if self.made.insert(path.to_owned()) {
            self.entry(path, DIRECTORY, &[], (0, 0));
        }
    }

    /// The whole archive, with the device that init's output goes to.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.directory("dev");
        self.entry("dev/console", CONSOLE, &[], (5, 1));
        self.entry("TRAILER!!!", 0, &[], (0, 0));
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        let path = path.trim_matches('/');
        for (end, _) in path.match_indices('/') {
            let dir = &path[..end];
            if self.made.insert(dir.to_owned()) {
                self.entry(dir, DIRECTORY, &[], (0, 0));
            }
        }
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8], device: (u32, u32)) {
        let name = path.trim_start_matches('/');
        self.inode += 1;
        let links = if mode == DIRECTORY { 2 } else { 1 };
        let sizes = (content.len() as u32, name.len() as u32 + 1);
        // inode, mode, uid, gid, links, time, size, device (2), device of a special file (2), name's length, checksum.
        let fields = [self.inode, mode, 0, 0, links, 0, sizes.0, 0, 0, device.0, device.1, sizes.1, 0]
            .map(|n| format!("{n:08x}"));
        self.bytes.extend_from_slice(b"070701");
        self.bytes.extend_from_slice(fields.concat().as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests;
