use super::*;

#[test]
fn a_file_shows_its_newest_text_each_time() {
    let path = std::env::temp_dir().join(format!("netwhy-kept-{}", std::process::id()));
    std::fs::write(&path, "one").unwrap();
    let mut kept = OpenFile::new(path.clone());
    let mut text = Vec::new();
    assert_eq!(kept.read(&mut text).unwrap(), "one");
    let long = "two".repeat(5000);
    std::fs::write(&path, &long).unwrap();
    assert_eq!(kept.read(&mut text).unwrap(), long);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn missing_switched_off_and_refused_are_three_things() {
    let path = Path::new("/proc/pressure/cpu");
    let of = |code| state_of(path, &io::Error::from_raw_os_error(code), &State::Absent);
    assert_eq!(of(libc::ENOENT), State::Absent);
    assert!(matches!(of(libc::EOPNOTSUPP), State::Unsupported(_)));
    assert!(matches!(of(libc::EACCES), State::Broken(why) if why.contains("/proc/pressure/cpu")));
}
