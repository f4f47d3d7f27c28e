use super::*;

#[test]
fn a_smaller_sampling_distance_makes_no_new_socket_an_older_one() {
    let mut sampling = RttSampling::new(16, true);
    let unseen = |sampling: &RttSampling| sampling.put(Control::default()).unseen_segments;
    assert_eq!(unseen(&sampling), 16 * 256);
    sampling.set_every(1);
    let control = sampling.put(Control::default());
    assert_eq!((control.rtt_threshold, control.rtt_sparse), (u32::MAX, 0), "every segment");
    assert_eq!(unseen(&sampling), 16 * 256, "sockets of before had one sample in 16 segments");
    sampling.set_every(64);
    assert_eq!(unseen(&sampling), 64 * 256);
    assert_eq!(unseen(&RttSampling::new(1, false)), u32::MAX, "without storage nothing marks a socket");
}
