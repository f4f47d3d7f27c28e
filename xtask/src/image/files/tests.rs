use super::*;
use crate::sh;

#[test]
fn directories_come_once_and_before_their_files() {
    let entries = entries(&sh::workspace().unwrap(), b"program".to_vec()).unwrap();
    for (i, entry) in entries.iter().enumerate() {
        let Some((parent, _)) = entry.path.rsplit_once('/') else { continue };
        let before: Vec<_> = entries[..i].iter().filter(|other| other.path == parent).collect();
        assert!(matches!(before.as_slice(), [one] if one.content.is_none()), "{}", entry.path);
    }
    let program = entries.iter().find(|entry| entry.path == PROGRAM).unwrap();
    assert_eq!((program.mode, program.content.as_deref()), (0o555, Some(b"program".as_slice())));
}
