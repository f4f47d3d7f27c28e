use super::*;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn read(reader: &mut Reader, bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    reader.take(bytes, 1, &mut |event| events.push(event));
    events
}

fn status(event: &Event) -> Option<u16> {
    match &event.what {
        What::Headers(fields) => fields.status,
        _ => None,
    }
}

#[test]
fn headers_in_several_frames_are_one_block() {
    let mut reader = Reader::default();
    let frames = [frame(HEADERS, END_STREAM, 1, &[0x48]), frame(CONTINUATION, END_HEADERS, 1, &[3, b'4', b'2', b'9'])];
    let events = read(&mut reader, &frames.concat());
    assert_eq!((events.len(), status(&events[0]), events[0].ends), (1, Some(429), true));
}

#[test]
fn padding_and_priority_are_no_headers() {
    let mut reader = Reader::default();
    let payload = [2, 0, 0, 0, 0, 9, 0x8d, 0xff, 0xff];
    let flags = END_HEADERS | PADDED | HAS_PRIORITY;
    assert_eq!(status(&read(&mut reader, &frame(HEADERS, flags, 1, &payload))[0]), Some(404));
    // Longer than the frame.
    let events = read(&mut reader, &frame(HEADERS, END_HEADERS | PADDED, 3, &[200, 0x8d]));
    assert_eq!(events[0].what, What::Headers(Fields::unknown()));
}

#[test]
fn headers_that_are_too_long_are_unknown_and_so_is_what_follows() {
    for padding in [0, PADDED] {
        let mut reader = Reader::default();
        read(&mut reader, &frame(HEADERS, END_HEADERS, 1, &[0x44, 2, b'/', b'a']));
        let block: Vec<u8> = std::iter::repeat_n([0x40, 1, b'a', 1, b'b'], 4_000).flatten().collect();
        let payload = if padding == 0 { block } else { [&[250], &block[..], &[0; 250]].concat() };
        let events = read(&mut reader, &frame(HEADERS, END_HEADERS | padding, 3, &payload));
        assert_eq!(events[0].what, What::Headers(Fields::unknown()));
        let events = read(&mut reader, &frame(HEADERS, END_HEADERS, 5, &[0x88, 0xbe]));
        assert!(matches!(&events[0].what, What::Headers(fields) if fields.has_unknown && fields.status == Some(200)));
    }
    let mut reader = Reader::default();
    let mut frames = frame(HEADERS, 0, 1, &[0x88; 5_000]);
    (0..3).for_each(|_| frames.extend(frame(CONTINUATION, 0, 1, &[0x88; 5_000])));
    frames.extend(frame(CONTINUATION, END_HEADERS, 1, &[0x88]));
    assert_eq!(read(&mut reader, &frames)[0].what, What::Headers(Fields::unknown()));
}

#[test]
fn what_a_server_promises_is_decoded_and_no_answer() {
    let mut reader = Reader::default();
    let promise = frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x48, 3, b'4', b'2', b'9']);
    assert!(read(&mut reader, &promise).is_empty());
    assert_eq!(status(&read(&mut reader, &frame(HEADERS, END_HEADERS, 1, &[0xbe]))[0]), Some(429));
}

#[test]
fn after_a_gap_frames_are_found_at_the_begin_of_a_segment() {
    let mut reader = Reader::default();
    let headers = frame(HEADERS, END_HEADERS, 1, &[0x88]);
    read(&mut reader, &headers);
    reader.miss(1_000, 1, &mut |_| {});
    let data = vec![b'x'; 500];
    assert!(read(&mut reader, &data).is_empty());
    assert!(read(&mut reader, &[&data, &headers[..]].concat()).is_empty(), "in the middle of a segment");
    assert_eq!(read(&mut reader, &[&headers[..], &frame(DATA, 0, 1, &data)[..100]].concat()).len(), 1);
}

#[test]
fn frames_out_of_order_end_the_reading() {
    let mut reader = Reader::default();
    let frames = [frame(HEADERS, 0, 1, &[0x88]), frame(DATA, 0, 1, b"x"), frame(HEADERS, END_HEADERS, 3, &[0x88])];
    assert!(read(&mut reader, &frames.concat()).is_empty());
    assert!(matches!(reader.place, Place::Lost));
    assert_eq!(read(&mut reader, &frame(HEADERS, END_HEADERS, 5, &[0x88])).len(), 1);
    assert!(read(&mut reader, &frame(CONTINUATION, END_HEADERS, 5, &[0x88])).is_empty());
}

#[test]
fn a_message_of_grpc_is_as_long_as_its_frame() {
    let mut reader = Reader::default();
    let kinds = |events: Vec<Event>| events.into_iter().map(|event| event.what).collect::<Vec<_>>();
    let frames = [
        frame(DATA, 0, 1, &[0, 0, 0, 0, 2, 1, 1]),
        frame(DATA, 0, 1, &[0, 0, 0, 0, 3, 1, 1]),
        frame(DATA, 0, 1, &[7, 0, 0, 0, 2, 1, 1]),
        frame(DATA, 0, 1, &[]),
    ];
    let messages = [true, false, false, false].map(|is_message| What::Data { is_message });
    assert_eq!(kinds(read(&mut reader, &frames.concat())), messages);
}
