use super::*;

const CLIENT: u32 = 0;

fn turn(flags: u32) -> Turn {
    let mut turn = Turn::new(EdgeKey::new(1, [0; 16]), 1, 1);
    turn.flags = flags;
    // Known to be plain.
    turn.looks = 1;
    turn.begin(1_000, 5_000);
    turn
}

/// A socket that wrote and sent `bytes` since its begin, the newest flight at `first_us`.
fn sent(bytes: u32, first_us: u64) -> Outgoing {
    Outgoing { next: 1_000 + bytes, written: 1_000 + bytes, first_us }
}

/// `bytes` of data after `before` others, at `us`, that acknowledge `ack` bytes.
fn data(before: u32, bytes: u32, ack: u32, us: u64) -> Incoming {
    Incoming { begin: 5_000 + before, bytes, ack: 1_000 + ack, now_ns: us * 1_000 }
}

fn answered(us: u64, part_us: u64) -> Option<End> {
    Some(End::Answered(Response { us, part_us }))
}

/// The same by a server whose first read was not seen.
fn replied(us: u64) -> Option<End> {
    Some(End::Answered(Response { us, part_us: UNSEEN }))
}

#[test]
fn a_client_waits_from_the_first_byte_sent_to_the_first_byte_received() {
    let mut turn = turn(CLIENT);
    turn.ask(&sent(100, 10_000), 5_000);
    assert_eq!(turn.age_us(12_000_000), Some(2_000));
    assert_eq!(turn.answer(&sent(100, 10_000), &data(0, 500, 100, 15_000)), answered(5_000, 0));
    // The rest of the answer is none.
    assert_eq!(turn.answer(&sent(100, 10_000), &data(500, 500, 100, 16_000)), None);
    // Idle for an hour, then the next.
    turn.ask(&sent(200, 3_600_000_000), 6_000);
    let later = data(1_000, 10, 200, 3_600_001_000);
    assert_eq!(turn.answer(&sent(200, 3_600_000_000), &later), answered(1_000, 0));
    assert_eq!(turn.age_us(9_000_000_000_000), None);
}

#[test]
fn data_that_does_not_acknowledge_the_request_is_no_answer() {
    let mut turn = turn(CLIENT);
    turn.ask(&sent(100, 10_000), 5_000);
    assert_eq!(turn.answer(&sent(100, 10_000), &data(0, 500, 0, 10_050)), None);
    assert_eq!(turn.answer(&sent(100, 10_000), &data(500, 500, 100, 12_000)), answered(2_000, 0));
}

#[test]
fn pipelined_requests_are_one_busy_period() {
    let mut turn = turn(CLIENT);
    turn.ask(&sent(100, 10_000), 5_000);
    turn.ask(&sent(400, 10_000), 5_000);
    assert_eq!(turn.answer(&sent(400, 10_000), &data(0, 500, 400, 15_000)), answered(5_000, 0));
    for n in 1..4 {
        turn.ask(&sent(400, 10_000), 5_500);
        let more = data(500 * n, 500, 400, 15_000 + u64::from(n) * 5_000);
        assert_eq!(turn.answer(&sent(400, 10_000), &more), None);
    }
}

#[test]
fn a_server_thinks_from_the_first_byte_received_to_the_first_byte_sent() {
    let mut turn = turn(SERVER);
    turn.request(&sent(0, 0), &data(0, 1_000, 0, 20_000));
    turn.request(&sent(0, 0), &data(1_000, 1_000, 0, 20_500));
    assert!(turn.is_read_awaited());
    // Looked at, then read, then read on.
    turn.read(5_000, true, 22_000_000);
    turn.read(6_000, true, 23_000_000);
    turn.read(7_000, true, 24_000_000);
    assert_eq!(turn.reply(&sent(0, 0), 7_000), None);
    assert_eq!(turn.reply(&sent(300, 28_000), 7_000), answered(8_000, 3_000));
    // The rest of the answer is none, and neither is an acknowledgement of it.
    assert_eq!(turn.reply(&sent(600, 28_500), 7_000), None);
    assert_eq!(turn.reply(&sent(600, 28_500), 7_000), None);
}

#[test]
fn the_rest_of_an_earlier_answer_answers_no_later_request() {
    let mut turn = turn(SERVER);
    let written = Outgoing { next: 1_200, written: 2_000, first_us: 20_100 };
    turn.seen = 1_200;
    turn.request(&written, &data(0, 10, 200, 20_000));
    assert_eq!(turn.reply(&Outgoing { next: 2_000, ..written }, 5_010), None);
    let answer = Outgoing { next: 2_100, written: 2_100, first_us: 25_000 };
    assert_eq!(turn.reply(&answer, 5_010), replied(5_000));
    // One whose flight began before the request tells no time.
    turn.request(&answer, &data(10, 10, 1_000, 30_000));
    assert_eq!(turn.reply(&Outgoing { next: 2_200, written: 2_200, first_us: 25_000 }, 5_020), Some(End::Overlapped));
}

#[test]
fn retransmissions_of_the_request_are_a_part_of_the_wait() {
    let mut turn = turn(CLIENT);
    // Before the first acknowledgement: the tail of something else, long ago.
    turn.retransmit(&sent(0, 1_000), 5_000_000);
    // Lost, sent again after 200 ms and after 400 ms more.
    turn.retransmit(&sent(100, 1_000_000), 1_200_000_000);
    turn.retransmit(&sent(100, 1_000_000), 1_600_000_000);
    turn.ask(&sent(100, 1_000_000), 5_000);
    let answer = data(0, 10, 100, 1_650_000);
    let Some(End::Answered(first)) = turn.answer(&sent(100, 1_000_000), &answer) else { panic!("no answer") };
    assert_eq!((first.us, first.part_us), (650_000, 600_000));
    turn.ask(&sent(200, 2_000_000), 5_010);
    assert_eq!(turn.answer(&sent(200, 2_000_000), &data(10, 10, 200, 2_001_000)), answered(1_000, 0));
}

#[test]
fn a_period_of_observation_begins_without_what_the_last_close_up_exempted() {
    let mut turn = turn(SERVER | EXEMPT);
    turn.join(&sent(0, 0), 6_000, 2, 16);
    assert_eq!(turn.flags & (SERVER | EXEMPT), SERVER);
}

#[test]
fn a_connection_joined_in_the_middle_forgets_what_is_under_way() {
    let mut turn = turn(SERVER);
    turn.request(&sent(0, 0), &data(0, 1_000, 0, 20_000));
    turn.join(&sent(0, 0), 6_000, 2, 16);
    assert_eq!((turn.generation, turn.age_us(1)), (2, None));
    // It may be the rest of a request.
    turn.request(&sent(0, 0), &data(1_000, 10, 0, 30_000));
    assert_eq!(turn.age_us(32_000_000), None);
    assert_eq!(turn.reply(&sent(100, 35_000), 6_010), Some(End::LeftOut));
    turn.request(&sent(100, 35_000), &data(1_010, 10, 100, 40_000));
    assert_eq!(turn.reply(&sent(200, 41_000), 6_020), replied(1_000));
}

#[test]
fn the_reaction_to_an_unasked_message_is_no_request() {
    let mut turn = turn(CLIENT);
    turn.ask(&sent(100, 10_000), 5_000);
    assert_eq!(turn.answer(&sent(100, 10_000), &data(0, 500, 100, 15_000)), answered(5_000, 0));
    // More of the answer, then a message after seconds of silence, which the client confirms.
    assert_eq!(turn.answer(&sent(100, 10_000), &data(500, 500, 100, 900_000)), None);
    assert_eq!(turn.answer(&sent(100, 10_000), &data(1_000, 20, 100, 9_000_000)), None);
    turn.ask(&sent(120, 9_000_100), 6_020);
    assert_eq!(turn.age_us(19_000_000_000), None);
    assert_eq!(turn.answer(&sent(120, 9_000_100), &data(1_020, 20, 120, 19_000_000)), Some(End::LeftOut));
    turn.ask(&sent(220, 19_500_000), 6_040);
    assert_eq!(turn.answer(&sent(220, 19_500_000), &data(1_040, 20, 220, 19_500_700)), answered(700, 0));
}

#[test]
fn a_greeting_leaves_nothing_out_and_a_second_one_everything() {
    let mut turn = turn(CLIENT);
    assert_eq!(turn.answer(&sent(0, 0), &data(0, 80, 0, 10_000)), None);
    turn.ask(&sent(50, 10_100), 5_080);
    assert_eq!(turn.answer(&sent(50, 10_100), &data(80, 10, 50, 11_100)), answered(1_000, 0));
    let mut turn = self::turn(SERVER);
    for n in 1..=2_u32 {
        assert_eq!(turn.reply(&sent(80 * n, u64::from(n) * 50_000), 5_000), None);
    }
    turn.request(&sent(160, 100_000), &data(0, 10, 160, 120_000));
    assert_eq!(turn.reply(&sent(240, 150_000), 5_010), Some(End::LeftOut));
    turn.request(&sent(240, 150_000), &data(10, 10, 240, 160_000));
    assert_eq!(turn.reply(&sent(320, 190_000), 5_020), Some(End::LeftOut));
}

#[test]
fn small_messages_are_answers_where_nothing_is_multiplexed() {
    let mut turn = turn(CLIENT);
    turn.ask(&sent(1_500_000, 10_000), 5_000);
    assert_eq!(turn.answer(&sent(1_500_000, 10_000), &data(0, 5, 1_500_000, 30_000)), answered(20_000, 0));
    let mut turn = self::turn(SERVER);
    turn.request(&sent(0, 0), &data(0, 1_400, 0, 20_000));
    assert_eq!(turn.reply(&sent(5, 90_000), 5_000 + 1_500_000), replied(70_000));
}

#[test]
fn small_messages_in_the_middle_of_much_are_flow_control_where_something_is() {
    let mut turn = turn(MULTIPLEXED);
    turn.ask(&sent(100, 10_000), 5_000);
    assert_eq!(turn.answer(&sent(100, 10_000), &data(0, 1_400, 100, 15_000)), answered(5_000, 0));
    turn.ask(&sent(126, 16_000), 5_000 + 65_535);
    assert_eq!(turn.answer(&sent(126, 16_000), &data(65_535, 1_400, 126, 16_100)), None);
    // An upload: its windows end no wait, and the last part begins it.
    turn.ask(&sent(50_000, 20_000), 80_000);
    assert_eq!(turn.answer(&sent(50_000, 20_000), &data(75_000, 26, 50_000, 21_000)), None);
    turn.ask(&sent(90_000, 21_050), 80_026);
    assert_eq!(turn.answer(&sent(90_000, 21_050), &data(75_026, 200, 90_000, 25_050)), answered(4_000, 0));
    // An answer that looked like one does not make the next wait longer.
    turn.ask(&sent(150_000, 30_000), 80_226);
    assert_eq!(turn.answer(&sent(150_000, 30_000), &data(75_226, 26, 150_000, 31_000)), None);
    turn.ask(&sent(150_400, 900_000), 80_252);
    assert_eq!(turn.answer(&sent(150_400, 900_000), &data(75_252, 200, 150_400, 900_300)), answered(300, 0));
}

#[test]
fn a_handshake_of_tls_is_two_exchanges_and_no_request() {
    let hello = Head([22, 3, 3, 0, 122, 2, 0, 0, 118]);
    let mut turn = Turn { looks: 0, ..turn(CLIENT) };
    assert!(turn.is_content_wanted());
    turn.ask(&sent(500, 10_000), 5_000);
    assert!(turn.learn(Some(&hello)));
    assert_eq!(turn.answer(&sent(500, 10_000), &data(0, 1_400, 500, 11_000)), Some(End::LeftOut));
    let record = Head([23, 3, 3, 1, 0, 9, 9, 9, 9]);
    for (n, us) in [(1, 12_000), (2, 30_000)] {
        turn.ask(&sent(500 + 100 * n, us), 6_400 + n);
        assert!(turn.learn(Some(&record)));
        let end = turn.answer(&sent(500 + 100 * n, us), &data(1_400 + n, 100, 500 + 100 * n, us + 700));
        assert_eq!(end, if n == 1 { Some(End::LeftOut) } else { answered(700, 0) });
    }
    // A server that asks for a second hello makes it one more.
    let mut turn = Turn { looks: 0, ..self::turn(CLIENT) };
    for (n, head, counts) in [(1, hello, false), (2, hello, false), (3, record, false), (4, record, true)] {
        turn.ask(&sent(100 * n, u64::from(n) * 10_000), 5_000 + n);
        turn.learn(Some(&head));
        let end = turn.answer(&sent(100 * n, 0), &data(n, 100, 100 * n, u64::from(n) * 10_000 + 700));
        assert_eq!(end == answered(700, 0), counts, "{n}: {end:?}");
    }
}

#[test]
fn two_exchanges_are_left_out_where_the_content_can_not_be_read() {
    let mut turn = Turn { looks: 0, ..turn(CLIENT) };
    for n in 1..=3 {
        if turn.is_content_wanted() {
            assert!(turn.learn(None));
        }
        turn.ask(&sent(100 * n, u64::from(n) * 10_000), 5_000 + n);
        let end = turn.answer(&sent(100 * n, 0), &data(n, 100, 100 * n, u64::from(n) * 10_000 + 700));
        assert_eq!(end, if n < 3 { Some(End::LeftOut) } else { answered(700, 0) });
    }
}

#[test]
fn control_frames_of_http2_neither_ask_nor_answer() {
    let mut turn = Turn { looks: 0, ..turn(CLIENT) };
    turn.ask(&sent(300, 10_000), 5_000);
    assert!(!turn.learn(Some(&Head([0, 0, 18, 4, 0, 0, 0, 0, 0]))));
    assert!(turn.is_content_wanted());
    assert!(!turn.learn(Some(&Head([0, 0, 4, 8, 0, 0, 0, 0, 0]))));
    assert!(turn.learn(Some(&Head([0, 0, 40, 1, 4, 0, 0, 0, 1]))));
    assert_eq!(turn.answer(&sent(300, 10_000), &data(40, 100, 300, 15_000)), answered(5_000, 0));
    // At the server the settings answer the preface.
    let mut turn = Turn { looks: 0, ..self::turn(SERVER) };
    assert!(turn.learn(Some(&Head(*b"PRI * HTT"))));
    turn.request(&sent(0, 0), &data(0, 24, 0, 10_000));
    assert_eq!(turn.reply(&sent(30, 10_100), 5_100), Some(End::LeftOut));
    assert!(!turn.learn(Some(&Head([0, 0, 8, 6, 0, 0, 0, 0, 0]))));
}

#[test]
fn a_request_that_nothing_was_received_since_waits_too() {
    let turn = turn(CLIENT);
    assert_eq!(turn.waiting_us(&sent(0, 0), true, 9_000_000_000), None);
    assert_eq!(turn.waiting_us(&sent(100, 4_000_000), true, 9_000_000_000), Some(5_000_000));
    // It closed its end, which counts as one byte.
    assert_eq!(turn.waiting_us(&sent(1, 4_000_000), false, 9_000_000_000), None);
}

#[test]
fn a_read_after_one_that_was_not_seen_is_not_the_first() {
    let mut turn = turn(SERVER);
    turn.request(&sent(0, 0), &data(0, 1_000, 0, 20_000));
    turn.check_read(5_000);
    assert!(turn.is_read_awaited());
    // More of the request arrives when some of it was read.
    turn.check_read(5_500);
    assert!(!turn.is_read_awaited());
    turn.read(5_800, true, 40_000_000);
    assert_eq!(turn.reply(&sent(300, 50_000), 7_000), replied(30_000));
    // The next one is seen again.
    turn.request(&sent(300, 50_000), &data(2_000, 100, 300, 90_000));
    turn.read(7_100, true, 91_000_000);
    turn.check_read(7_100);
    assert_eq!(turn.reply(&sent(600, 95_000), 7_100), answered(5_000, 1_000));
}

#[test]
fn where_requests_are_read_in_parts_a_read_counts_only_if_all_are_seen() {
    for (sees_all, end) in [(true, answered(30_000, 20_000)), (false, replied(30_000))] {
        let mut turn = turn(SERVER);
        assert!(!turn.is_read_in_part(5_400, 6_000));
        turn.request(&sent(0, 0), &data(0, 1_000, 0, 20_000));
        let found =
            [(5_000, 6_000), (5_400, 6_000), (6_000, 6_000)].map(|(taken, all)| turn.is_read_in_part(taken, all));
        assert_eq!(found, [false, true, false]);
        turn.flags |= READ_IN_PARTS;
        turn.read(6_000, sees_all, 40_000_000);
        assert_eq!(turn.reply(&sent(300, 50_000), 6_000), end);
    }
}

#[test]
fn a_server_that_closes_after_more_than_the_request_may_have_answered() {
    let mut turn = turn(SERVER);
    assert!(!turn.is_reply_unseen(&sent(300, 10_000)));
    turn.request(&sent(300, 10_000), &data(0, 1_000, 300, 20_000));
    assert!(!turn.is_reply_unseen(&sent(300, 10_000)));
    // The end of the stream.
    assert!(!turn.is_reply_unseen(&sent(301, 10_000)));
    assert!(turn.is_reply_unseen(&sent(400, 21_000)));
}

#[test]
fn a_request_without_an_answer_was_read_or_waits_for_that() {
    let mut turn = turn(SERVER);
    turn.request(&sent(0, 0), &data(0, 1_000, 0, 20_000));
    assert_eq!(turn.unread_us(5_000, 9_000), 9_000);
    // Read, and not seen.
    assert_eq!(turn.unread_us(6_000, 9_000), UNSEEN);
    turn.read(6_000, true, 24_000_000);
    assert_eq!(turn.unread_us(6_000, 9_000), 4_000);
}

#[test]
fn data_tells_that_a_client_that_closed_was_answered() {
    let mut turn = turn(CLIENT);
    assert!(!turn.is_answer_unseen(5_000));
    // The end of the stream.
    assert!(!turn.is_answer_unseen(5_001));
    assert!(turn.is_answer_unseen(5_101));
    // It was seen to arrive.
    turn.hear(5_100);
    assert!(!turn.is_answer_unseen(5_101));
    turn.hear(5_000);
    turn.flags |= SERVER;
    assert!(!turn.is_answer_unseen(5_300));
}
