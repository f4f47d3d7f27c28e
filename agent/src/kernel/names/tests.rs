use super::*;
use netwhy_abi::ANSWER_BYTES;

/// `a.b` has the address 203.0.113.7.
const MESSAGE: [u8; 37] = [
    7, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, b'a', 1, b'b', 0, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4,
    203, 0, 113, 7,
];

/// An event as the program leaves it; what is behind the message is of earlier ones.
fn event(length: u32) -> Vec<u8> {
    let mut bytes = [0xaa; ANSWER_BYTES + 1];
    bytes[..MESSAGE.len()].copy_from_slice(&MESSAGE);
    [&42_u64.to_ne_bytes()[..], &length.to_ne_bytes(), &bytes, &[0; 4]].concat()
}

#[test]
fn an_event_is_the_answer_to_its_cgroup() {
    let event = event(MESSAGE.len() as u32);
    assert_eq!(event.len(), size_of::<AnswerEvent>());
    let answer = answer(&event).unwrap();
    assert_eq!((answer.cgroup, answer.name.as_str(), answer.ttl_seconds), (42, "a.b", 60));
    assert_eq!(answer.addresses, ["::ffff:203.0.113.7".parse::<std::net::Ipv6Addr>().unwrap()]);
}

#[test]
fn bytes_behind_the_message_are_not_read() {
    assert_eq!(answer(&event(MESSAGE.len() as u32 - 1)), None);
    for length in 0..size_of::<AnswerEvent>() {
        // A damaged event has no answer, or the same.
        let cut = &event(MESSAGE.len() as u32)[..length];
        assert!(answer(cut).is_none_or(|answer| answer.name == "a.b"));
    }
    assert_eq!(answer(&event(u32::MAX)), None);
}
