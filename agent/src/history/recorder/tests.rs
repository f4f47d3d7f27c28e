use super::{
    super::{testing::Folder, tests::load::Node},
    *,
};
use crate::tasks::Stop;

fn settings(folder: &Folder, max_bytes: u64) -> Settings {
    Settings { folder: folder.to_path_buf(), max_bytes, every: Duration::from_secs(1), run: 1 }
}

#[test]
fn a_folder_that_can_not_be_written_costs_frames_and_never_the_agent() {
    let folder = Folder::new("unwritable");
    let mut wrong = settings(&folder, 1 << 20);
    wrong.folder = folder.join("missing");
    let (mut recorder, mut writer) = recorder(wrong, "node-a", Vec::new());
    writer.write_waiting();
    let mut node = Node::new(2);
    let names = node.names();
    for _ in 0..3 {
        recorder.take(&node.tick(), &names, &[]);
        writer.write_waiting();
    }
    let stats = recorder.stats();
    assert_eq!((stats.lost_frames, stats.frames), (3, 0));
    assert!(stats.broken.as_ref().unwrap().contains("missing: No such file"), "{:?}", stats.broken);
    // Somebody makes it, and the time for another attempt comes.
    std::fs::create_dir(folder.join("missing")).unwrap();
    writer.retry = Some(Instant::now());
    writer.write_waiting();
    recorder.take(&node.tick(), &names, &[]);
    writer.write_waiting();
    let stats = recorder.stats();
    assert_eq!((stats.frames, stats.broken), (1, None));
}

#[test]
fn a_slow_disk_costs_frames_and_the_next_one_has_everything() {
    let folder = Folder::new("slow");
    let (mut recorder, mut writer) = recorder(settings(&folder, 1 << 20), "node-a", Vec::new());
    writer.write_waiting();
    let mut node = Node::new(2);
    let names = node.names();
    for _ in 0..5 {
        recorder.take(&node.tick(), &names, &[]);
    }
    assert_eq!(recorder.stats().lost_frames, 3, "two wait");
    writer.write_waiting();
    recorder.take(&node.tick(), &names, &[]);
    writer.write_waiting();
    let stats = recorder.stats();
    assert_eq!((stats.frames, stats.segments), (3, 2), "after a lost frame a segment begins");
}

#[test]
fn a_stop_finishes_the_segment() {
    let folder = Folder::new("stop");
    let (mut recorder, writer) = recorder(settings(&folder, 1 << 20), "node-a", Vec::new());
    let (stop, stopped) = Stop::new();
    let mut node = Node::new(2);
    let names = node.names();
    recorder.take(&node.tick(), &names, &[]);
    let thread = std::thread::spawn(move || writer.run(&stopped));
    // Until the frame is there.
    while recorder.stats().frames == 0 {
        std::thread::yield_now();
    }
    stop.stop();
    thread.join().unwrap().unwrap();
    let files: Vec<String> =
        std::fs::read_dir(&*folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(files.iter().any(|name| name.ends_with(".netwhy")) && !files.iter().any(|name| name.ends_with(".open")));
}
