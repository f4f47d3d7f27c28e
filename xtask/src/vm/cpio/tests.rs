use super::*;

#[test]
fn every_directory_is_there_once_before_what_is_in_it() {
    let mut cpio = Cpio::default();
    cpio.file("/usr/bin/a", b"12345");
    cpio.link("usr/bin/b", "a");
    cpio.private("etc/shadow", b"x");
    let bytes = cpio.finish();
    assert_eq!(bytes.len() % 4, 0);
    let text = String::from_utf8_lossy(&bytes);
    let places: Vec<_> = ["usr\0", "usr/bin\0", "usr/bin/a\0", "usr/bin/b\0", "dev/console\0", "TRAILER!!!\0"]
        .map(|name| text.matches(name).count())
        .into();
    assert_eq!(places, [1; 6]);
    assert!(text.find("usr/bin\0") < text.find("usr/bin/a\0"));
    let (before, _) = text.split_once("etc/shadow\0").unwrap();
    // The magic number and 13 fields of 8 digits; the mode is the second.
    let header = &before[before.len() - 110..];
    assert_eq!(&header[14..22], "00008180", "nobody else may read it");
}
