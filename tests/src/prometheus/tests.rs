use super::*;

#[test]
fn versions_are_read_as_they_are_printed() {
    let debian = "prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+deb12u1)\n  build user: x\n";
    assert_eq!(Version::read(debian), Some(Version(2, 42)));
    assert_eq!(Version::read("prometheus, version 3.10.0-rc.0 (branch: HEAD)"), Some(Version(3, 10)));
    for text in ["", "prometheus, version ", "prometheus, version 3", "error while loading shared libraries"] {
        assert_eq!(Version::read(text), None, "{text}");
    }
}

#[test]
fn native_histograms_are_a_feature_before_3_8_and_a_setting_then() {
    let feature = (Some("native-histograms"), None);
    let setting = (None, Some("scrape_native_histograms"));
    for (version, expected) in [
        (Version(2, 42), feature),
        (Version(3, 5), feature),
        (Version(3, 7), feature),
        (Version(3, 8), setting),
        (Version(3, 10), setting),
        (Version(4, 0), setting),
    ] {
        assert_eq!(version.native_histograms(), expected, "{version:?}");
    }
}

#[test]
fn the_setting_that_keeps_classic_histograms_has_the_name_of_the_version() {
    for (version, expected) in [
        (Version(2, 42), None),
        (Version(2, 44), None),
        (Version(2, 45), Some("scrape_classic_histograms")),
        (Version(2, 55), Some("scrape_classic_histograms")),
        (Version(3, 0), Some("always_scrape_classic_histograms")),
        (Version(4, 1), Some("always_scrape_classic_histograms")),
    ] {
        assert_eq!(version.classic_histograms(), expected, "{version:?}");
    }
}

/// A folder that is removed on drop.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("netwhy-prometheus3-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn without_a_tool_it_is_the_machines_limit_and_with_one_that_fails_it_is_not() {
    let scratch = Scratch::new("fails");
    let into = scratch.0.join("below/prometheus3");
    let why = unpacked(None, &into).unwrap_err();
    assert!(why.starts_with("machine: ") && why.contains(TOOLS), "{why}");
    let why = unpacked(Some(Path::new("/bin/false")), &into).unwrap_err();
    assert_eq!(why, "no Prometheus 3: /bin/false sid prometheus: no reason given");
    let why = unpacked(Some(&scratch.0.join("missing")), &into).unwrap_err();
    assert!(why.starts_with("start "), "{why}");
    assert!(!into.exists());
}

#[test]
fn what_is_unpacked_needs_no_tool() {
    let scratch = Scratch::new("kept");
    let bin = scratch.0.join("usr/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("prometheus"), "").unwrap();
    assert!(unpacked(None, &scratch.0).is_err(), "promtool is missing");
    fs::write(bin.join("promtool"), "").unwrap();
    assert_eq!(unpacked(Some(Path::new("/bin/false")), &scratch.0), Ok(bin));
}
