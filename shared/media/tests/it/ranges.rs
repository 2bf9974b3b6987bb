//! What is read of long objects, and what limits do.

use std::time::Duration;

use mediadex_media::{Extraction, Features, Limits, ObjectInfo, ProblemKind, Step};

use crate::run;
use crate::samples::{boxed, frames, id3, jpeg, moov, pdf, zip};

const LONG: usize = 3 * 1024 * 1024;

/// A film whose header lies behind its pictures.
fn late_film(len: usize) -> Vec<u8> {
    [boxed(b"ftyp", b"isom\0\0\x02\0isomavc1"), boxed(b"mdat", &vec![7; len]), moov()].concat()
}

#[test]
fn gets_by_format() {
    let picture = id3(LONG);
    let mut long_pdf = vec![b' '; 0];
    long_pdf.extend(pdf());
    let table: Vec<(&str, Vec<u8>, u32, u64)> = vec![
        ("jpeg", [jpeg(), vec![0; LONG]].concat(), 1, 64),
        ("moov at end", late_film(LONG), 2, 64 + 256),
        ("mp3", [id3(0), frames(8000)].concat(), 2, 64 + 16),
        ("mp3 with a long cover", [picture, frames(8000)].concat(), 3, 64 + 3 * 16),
        ("zip", zip(&[("mimetype", b"application/epub+zip"), ("a", &noise(LONG))]), 2, 64 + 65),
    ];
    for (name, bytes, gets, kib) in table {
        let record = run(&bytes, name, Limits::default());
        assert!(record.gets() <= gets, "{name}: {} GETs, {:?}", record.gets(), record.ranges_read);
        assert!(record.bytes_read <= kib * 1024, "{name}: {} bytes", record.bytes_read);
    }
}

/// Bytes that do not pack.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(len)
    .collect()
}

#[test]
fn a_late_header_is_found() {
    let record = run(&late_film(LONG), "a.mp4", Limits::default());
    assert_eq!(record.metadata.video_width, Some(1280));
    assert_eq!(record.reason(), None);
}

#[test]
fn tags_of_a_file_with_a_long_cover_are_read_without_it() {
    let bytes = [id3(LONG), frames(8000)].concat();
    let record = run(&bytes, "a.mp3", Limits::default());
    assert_eq!(record.metadata.title.as_deref(), Some("Song"));
    assert_eq!(record.metadata.audio_covers[0].image_width, Some(31));
}

#[test]
fn limits_are_reported_and_partial_records_kept() {
    let film = late_film(LONG);
    let cases = [
        (Limits { max_gets: 1, ..Limits::default() }, "max_gets"),
        (Limits { max_bytes: 65_600, ..Limits::default() }, "max_bytes"),
        (Limits { max_memory: 65_600, ..Limits::default() }, "max_memory"),
        (Limits { max_cpu: Duration::ZERO, ..Limits::default() }, "max_cpu"),
    ];
    for (limits, name) in cases {
        let record = run(&film, "a.mp4", limits);
        assert!(record.is_partial());
        let said = record.problems.iter().any(|p| p.kind == ProblemKind::Limit && p.why.contains(name));
        assert!(said, "{name}: {:?}", record.problems);
        assert_eq!(record.metadata.content_type.as_deref(), Some("video/mp4"));
    }
}

#[test]
fn a_caller_that_cannot_read_on_keeps_what_there_is() {
    let film = late_film(LONG);
    let info = ObjectInfo { size: film.len() as u64, content_type: None, name: "a.mp4" };
    let mut extraction = Extraction::new(info, Features::all(), Limits::default());
    extraction.supply(0, film[..65_536].to_vec());
    assert!(matches!(extraction.step(), Step::Need(_)));
    // Asking again without bytes must not go on for ever.
    let Step::Done(record) = extraction.step() else { panic!("the same range twice") };
    assert!(record.problems.iter().any(|p| p.kind == ProblemKind::Unread));
    let record = extraction.finish_partial("access denied");
    assert!(record.reason().unwrap().contains("access denied"));
    assert_eq!(record.detected.unwrap().format, "mp4");
}

/// What is held of the object leaves less room for what is unpacked from it.
#[test]
fn memory_is_one_limit() {
    let core = format!(
        "<c xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>T</dc:title>{}</c>",
        " ".repeat(200_000)
    );
    let bytes = zip(&[
        ("[Content_Types].xml", b"<T/>"),
        ("word/a.xml", b"<a/>"),
        ("docProps/core.xml", core.as_bytes()),
        ("word/noise.bin", &noise(100_000)),
    ]);
    assert!(bytes.len() > 100_000 && bytes.len() < 200_000);
    for (max_memory, title) in [(400_000, Some("T")), (250_000, None)] {
        let record = run(&bytes, "a.docx", Limits { max_memory, ..Limits::default() });
        assert_eq!(record.metadata.title.as_deref(), title, "{max_memory}");
        let limited = record.problems.iter().any(|p| p.kind == ProblemKind::Limit);
        assert_eq!(limited, title.is_none(), "{:?}", record.problems);
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let core = vec![b' '; 64 * 1024 * 1024];
    let bytes =
        zip(&[("[Content_Types].xml", b"<T/>"), ("word/a.xml", b"<a/>"), ("docProps/core.xml", &core)]);
    let record = run(&bytes, "a.docx", Limits::default());
    assert!(record.problems.iter().any(|p| p.kind == ProblemKind::Limit), "{:?}", record.problems);
    assert_eq!(record.detected.unwrap().format, "docx");
}
