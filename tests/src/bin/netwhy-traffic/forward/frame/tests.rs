use super::*;

#[test]
fn only_ipv4_frames_of_the_range_are_held_up() {
    let ranges = [range("10.0.2.0/24").unwrap()];
    let frame = |kind: [u8; 2], from: [u8; 4], to: [u8; 4]| {
        let mut frame = vec![0; VNET_HEADER + ETHERNET_HEADER + 20];
        frame[VNET_HEADER + 12..][..2].copy_from_slice(&kind);
        frame[VNET_HEADER + ETHERNET_HEADER + 12..][..4].copy_from_slice(&from);
        frame[VNET_HEADER + ETHERNET_HEADER + 16..][..4].copy_from_slice(&to);
        frame
    };
    assert!(concerns(&frame([8, 0], [10, 0, 2, 9], [10, 0, 3, 1]), &ranges));
    assert!(concerns(&frame([8, 0], [10, 0, 3, 1], [10, 0, 2, 9]), &ranges));
    assert!(!concerns(&frame([8, 0], [10, 0, 3, 1], [10, 0, 4, 1]), &ranges));
    assert!(!concerns(&frame([8, 6], [10, 0, 2, 9], [10, 0, 3, 1]), &ranges), "ARP");
    assert!(!concerns(&[0; 12], &ranges));
    assert!(range("10.0.2.0/33").is_err() && range("10.0.2.0").is_err());
}
