use super::*;

/// A file that is there is a zone an hour east.
fn read(path: &Path) -> Option<TimeZone> {
    let known = [Path::new("/usr/share/zoneinfo/Europe/Berlin"), Path::new("/etc/localtime")];
    known.contains(&path).then(|| TimeZone::fixed(jiff::tz::offset(1)))
}

#[test]
fn tz_names_a_zone_a_file_or_a_rule() {
    let offset = |name: &str| {
        let zone = zone_of(name, read)?;
        Some(zone.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds())
    };
    for name in ["Europe/Berlin", ":Europe/Berlin", "/etc/localtime", ":/etc/localtime"] {
        assert_eq!(offset(name), Some(3600), "{name}");
    }
    assert_eq!(offset("CET-1CEST,M3.5.0,M10.5.0/3"), Some(3600));
    assert_eq!(offset("PST8"), Some(-8 * 3600));
    assert_eq!((offset(""), offset("Mars/Base")), (None, None));
}
