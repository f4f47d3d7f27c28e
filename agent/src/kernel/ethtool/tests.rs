use super::*;
use rustix::net::{AddressFamily, SocketType, socket};
use std::os::fd::AsFd as _;

#[test]
fn drivers_of_this_machine_report_their_name_and_counters() {
    let fd = socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
    let mut asked = 0;
    for entry in std::fs::read_dir("/sys/class/net").unwrap().flatten() {
        let device = entry.file_name().into_string().unwrap();
        let Ok(found) = info(fd.as_fd(), &device) else { continue };
        asked += 1;
        let linked = std::fs::read_link(entry.path().join("device/driver")).ok();
        if let Some(driver) = linked.and_then(|link| Some(link.file_name()?.to_str()?.to_owned())) {
            assert_eq!(found.driver, driver);
        }
        let names = names(fd.as_fd(), &device, found.counters).unwrap();
        assert_eq!(names.len(), found.counters, "{device}");
        assert!(names.iter().all(|name| !name.is_empty()), "{names:?}");
        assert_eq!(values(fd.as_fd(), &device, found.counters).unwrap().len(), found.counters, "{device}");
    }
    let none = info(fd.as_fd(), "no-such-device").unwrap_err();
    assert_eq!(none.raw_os_error(), Some(libc::ENODEV));
    println!("{asked} drivers answered");
}

#[test]
fn words_are_in_memory_order() {
    assert_eq!(pair(1, 2).to_ne_bytes()[..4], 1u32.to_ne_bytes());
    let (buffer, room) = buffer(10, STRINGS_HEAD, ETH_GSTRING_LEN);
    assert!(buffer.len() * 8 >= STRINGS_HEAD + room * ETH_GSTRING_LEN && room >= 10 + SPARE);
    assert_eq!(text(b"virtio_net\0\0junk"), "virtio_net");
}

/// Loopback has offloads and no rings, whatever the machine.
#[test]
fn settings_of_this_machine_are_values_or_refusals() {
    let fd = socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
    let found = settings::settings(fd.as_fd(), "lo");
    let value = |name: &str| found.iter().find(|(what, _)| *what == name).unwrap().1.as_deref();
    // `ethtool -k lo`: fixed on every kernel.
    assert_eq!(value("scatter-gather").unwrap(), "on");
    assert!(matches!(value("tcp-segmentation-offload").unwrap(), "on" | "off"));
    assert_eq!(value("rx_ring").unwrap_err().raw_os_error(), Some(libc::EOPNOTSUPP), "loopback has no ring");
    assert_eq!(value("rx_coalesce_us").unwrap_err().raw_os_error(), Some(libc::EOPNOTSUPP));
    let none = settings::settings(fd.as_fd(), "no-such-device");
    assert!(none.iter().all(|(_, value)| value.as_ref().unwrap_err().raw_os_error() == Some(libc::ENODEV)), "{none:?}");
    assert_eq!(none.len(), found.len());
}
