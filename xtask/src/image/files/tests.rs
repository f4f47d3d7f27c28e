use super::*;
use crate::sh;

#[test]
fn directories_come_once_and_before_their_files() {
    let programs = vec![(PROGRAM, b"program".to_vec()), (PLUGIN, b"plugin".to_vec())];
    let entries = entries(&sh::workspace().unwrap(), programs).unwrap();
    for (i, entry) in entries.iter().enumerate() {
        let Some((parent, _)) = entry.path.rsplit_once('/') else { continue };
        let before: Vec<_> = entries[..i].iter().filter(|other| other.path == parent).collect();
        assert!(matches!(before.as_slice(), [one] if one.content.is_none()), "{}", entry.path);
    }
    for (path, content) in [(PROGRAM, b"program".as_slice()), (PLUGIN, b"plugin")] {
        let program = entries.iter().find(|entry| entry.path == path).unwrap();
        assert_eq!((program.mode, program.content.as_deref()), (0o555, Some(content)));
    }
}
