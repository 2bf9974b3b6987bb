//! Layouts that held-out files were found to have and the readers did not know:
//! small files made here, and what is to be said of them.

use mediadex_media::Limits;
use serde_json::{Value, json};

use crate::rare::{be, le};
use crate::run;
use crate::samples::{boxed, exif_block, frames, id3, moov, segment, zip};

/// A small icon in front of a large one.
fn icon() -> Vec<u8> {
    let entry = |side: u8| [&[side, side, 0, 0, 1, 0, 32, 0][..], &le(&[4, 38])].concat();
    [&[0, 0, 1, 0, 2, 0][..], &entry(16), &entry(0), &[0; 4]].concat()
}

const META: &[u8] = b"<office:document-meta xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' xmlns:meta='urn:oasis:names:tc:opendocument:xmlns:meta:1.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><office:meta><meta:initial-creator>Unknown</meta:initial-creator><dc:creator>Ann</dc:creator></office:meta></office:document-meta>";

/// The type is packed behind the content.
fn type_behind() -> Vec<u8> {
    zip(&[
        ("content.xml", b"<a/>"),
        ("meta.xml", META),
        ("mimetype", b"application/vnd.oasis.opendocument.text\n"),
    ])
}

/// The type stands in the manifest alone.
fn type_in_manifest() -> Vec<u8> {
    let manifest = b"<m:manifest xmlns:m='urn:oasis:names:tc:opendocument:xmlns:manifest:1.0'><m:file-entry m:media-type='application/vnd.oasis.opendocument.presentation' m:full-path='/'/></m:manifest>";
    zip(&[("content.xml", b"<a/>"), ("meta.xml", META), ("META-INF/manifest.xml", manifest)])
}

/// A date of a Casio of 1998.
fn casio() -> Vec<u8> {
    let body = [&b"QVCI\0"[..], &[0; 0x48], b"1998.10.24.12.08.57\0"].concat();
    let frame = segment(0xc0, &[8, 0, 2, 0, 3, 1, 1, 0x11, 0]);
    [&b"\xff\xd8"[..], &segment(0xe1, &body), &frame, b"\xff\xda\0\x02\xff\xd9"].concat()
}

/// A header, sections, and the directory of them.
fn x3f(sections: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut out = [&b"FOVb"[..], &[0; 24], &le(&[2640, 1760, 90])].concat();
    let mut directory = [&b"SECd"[..], &le(&[2, sections.len() as u32])].concat();
    for (kind, body) in sections {
        directory.extend(le(&[out.len() as u32, body.len() as u32]));
        directory.extend(*kind);
        out.extend(body);
    }
    let at = out.len() as u32;
    out.extend(directory);
    out.extend(le(&[at]));
    out
}

fn x3f_properties() -> Vec<u8> {
    let words = ["CAMMANUF", "SIGMA", "TIME", "978309395"];
    let (mut places, mut letters) = (Vec::new(), Vec::new());
    for word in words {
        places.push(letters.len() as u32 / 2);
        letters.extend(word.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    }
    let head = [&b"SECp"[..], &le(&[2, 2, 0, 0, letters.len() as u32 / 2])].concat();
    x3f(&[(b"PROP", [head, le(&places), letters].concat())])
}

fn x3f_preview() -> Vec<u8> {
    let frame = segment(0xc0, &[8, 0, 2, 0, 3, 1, 1, 0x11, 0]);
    let exif = segment(0xe1, &[b"Exif\0\0".to_vec(), exif_block()].concat());
    let jpeg = [&b"\xff\xd8"[..], &exif, &frame, b"\xff\xda\0\x02\xff\xd9"].concat();
    x3f(&[(b"IMA2", [&b"SECi"[..], &le(&[2, 2, 0x12, 3, 2, 0]), &jpeg].concat())])
}

fn riff(order: fn(u32) -> [u8; 4], kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&kind[..], &order(body.len() as u32), body, &vec![0; body.len() % 2]].concat()
}

/// WAV with its numbers the other way round.
fn rifx() -> Vec<u8> {
    let format = [&[0, 1, 0, 2][..], &be(&[8000, 32_000]), &[0, 4, 0, 16]].concat();
    let riff = |kind, body: &[u8]| riff(u32::to_be_bytes, kind, body);
    riff(b"RIFX", &[b"WAVE".to_vec(), riff(b"fmt ", &format), riff(b"data", &[0; 3200])].concat())
}

/// Two lists of texts, an ID3 tag behind them, and sound that was cut but counted.
fn tagged_wav() -> Vec<u8> {
    let riff = |kind, body: &[u8]| riff(u32::to_le_bytes, kind, body);
    let format = [&[1, 0, 2, 0][..], &le(&[8000, 32_000]), &[4, 0, 16, 0]].concat();
    let list = |title: &[u8]| riff(b"LIST", &[b"INFO".to_vec(), riff(b"INAM", title)].concat());
    let parts = [
        riff(b"fmt ", &format),
        riff(b"fact", &le(&[16_000])),
        list(b"First\0"),
        list(b"Last\0"),
        riff(b"id3 ", &id3(0)),
        [&b"data"[..], &le(&[64_000]), &[0; 3200]].concat(),
    ];
    riff(b"RIFF", &[b"WAVE".to_vec(), parts.concat()].concat())
}

/// An old tag in UTF-8, which it was not meant for.
fn old_tag() -> Vec<u8> {
    let mut tag = b"TAG".to_vec();
    tag.extend("räksmörgås".as_bytes());
    tag.resize(127, 0);
    tag.push(255);
    [frames(20), tag].concat()
}

/// The first frame counts 7620 frames, of which the next is not whole.
fn counted() -> Vec<u8> {
    let mut frame = vec![0; 156];
    frame[..4].copy_from_slice(&[0xff, 0xfb, 0x30, 0x64]);
    frame[36..48].copy_from_slice(b"Xing\0\0\0\x01\0\0\x1d\xc4");
    let id3 = id3(0);
    [&id3[..], &frame, &[0x55; 400]].concat()
}

/// A tag with a long picture behind another tag.
fn two_tags() -> Vec<u8> {
    [id3(0), id3(2_000_000), frames(20)].concat()
}

fn real_media() -> Vec<u8> {
    let chunk =
        |kind: &[u8; 4], body: &[u8]| [&kind[..], &be(&[body.len() as u32 + 10]), &[0, 0], body].concat();
    let properties = be(&[0, 0, 0, 0, 0, 4000, 0, 0, 0, 0]);
    let content = [&[0, 4][..], b"Film", &[0, 0, 0, 0, 0, 0]].concat();
    let codec = [&be(&[34])[..], b"VIDORV40", &[1, 64, 0, 240, 0, 12, 0, 0, 0, 0, 0, 25, 0, 0]].concat();
    let stream =
        [&[0, 0][..], &be(&[0, 0, 0, 0, 0, 0, 5000]), &[0, 0], &be(&[codec.len() as u32]), &codec].concat();
    [chunk(b".RMF", &[0; 8]), chunk(b"PROP", &properties), chunk(b"CONT", &content), chunk(b"MDPR", &stream)]
        .concat()
}

fn exr() -> Vec<u8> {
    let attribute = |name: &str, kind: &str, value: &[u8]| {
        [name.as_bytes(), b"\0", kind.as_bytes(), b"\0", &le(&[value.len() as u32]), value].concat()
    };
    let long = vec![b'x'; 3000];
    let parts = [
        attribute("history", "string", &long),
        attribute("capDate", "string", b"2016:02:25  9:51:51"),
        attribute("dataWindow", "box2i", &le(&[-10i32 as u32, 0, 53, 31])),
        attribute("Orientation", "int", &le(&[6])),
    ];
    [&b"\x76\x2f\x31\x01\x02\0\0\0"[..], &parts.concat(), b"\0", &[0; 64]].concat()
}

/// Transport packets of a picture without parameters, then one with them.
fn cut_stream() -> Vec<u8> {
    let packet = |pid: u16, payload: &[u8]| {
        let mut p =
            [&[0x47, 0x40 | (pid >> 8) as u8, pid as u8, 0x30][..], &[(183 - payload.len()) as u8]].concat();
        p.resize(188 - payload.len(), 0xff);
        if payload.len() < 183 {
            p[5] = 0;
        }
        [p, payload.to_vec()].concat()
    };
    let table = |id: u8, body: &[u8]| {
        [&[0, id, 0xb0, body.len() as u8 + 9, 0, 1, 0xc1, 0, 0][..], body, &[0; 4]].concat()
    };
    let pes = |body: &[u8]| [&[0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0][..], body].concat();
    let sps = [0u8, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0xc8];
    let slice = [&[0, 0, 1, 0x41][..], &[0x9a; 100]].concat();
    let mut out = [
        packet(0, &table(0, &[0, 1, 0xe1, 0])),
        packet(0x100, &table(2, &[0xe1, 1, 0xf0, 0, 0x1b, 0xe1, 1, 0xf0, 0])),
    ]
    .concat();
    for _ in 0..60 {
        out.extend(packet(0x101, &pes(&slice)));
    }
    out.extend(packet(0x101, &pes(&sps)));
    out
}

/// An edit shows nothing for a second; the movie's own length is without it.
fn delayed_movie() -> Vec<u8> {
    let mut moov = moov();
    // Of two seconds, of which the header says 1.5.
    let at = moov.windows(4).position(|w| w == b"mvhd").unwrap() + 4 + 16;
    moov[at..at + 4].copy_from_slice(&1500u32.to_be_bytes());
    [boxed(b"ftyp", b"isom\0\0\0\0isom"), moov].concat()
}

fn all() -> Vec<(&'static str, Vec<u8>, &'static str, Value)> {
    let chunked = |mark: &[u8], kind: &[u8]| {
        [mark, b"\r\n\x1a\n", &be(&[16]), kind, &be(&[70, 46, 0, 0, 0]), &be(&[0]), b"IEND\xae\x42\x60\x82"]
            .concat()
    };
    let fits: String =
        ["SIMPLE  = T", "NAXIS1  = 70", "NAXIS2  = 46", "END"].map(|c| format!("{c:80}")).concat();
    let pict = [&[0; 512][..], &[0, 0, 0, 0, 0, 0, 0, 46, 0, 70, 0, 0x11, 2, 0xff], &[0; 32]].concat();
    vec![
        ("two.ico", icon(), "/ImageWidth", json!(16)),
        ("behind.odt", type_behind(), "/ContentType", json!("application/vnd.oasis.opendocument.text")),
        ("behind.odt", type_behind(), "/Authors", json!(["Ann"])),
        ("manifest.odp", type_in_manifest(), "/MediaType", json!("document")),
        ("a.jng", chunked(b"\x8bJNG", b"JHDR"), "/ImageWidth", json!(70)),
        ("a.mng", chunked(b"\x8aMNG", b"MHDR"), "/ImageHeight", json!(46)),
        ("a.fits", fits.into_bytes(), "/ImageHeight", json!(46)),
        ("a.pict", pict, "/ImageWidth", json!(70)),
        ("casio.jpg", casio(), "/ProduceTime", json!("1998-10-24T12:08:57+00:00")),
        ("list.x3f", x3f_properties(), "/ProduceTime", json!("2001-01-01T00:36:35+00:00")),
        ("list.x3f", x3f_properties(), "/EXIF/Make", json!("SIGMA")),
        ("preview.x3f", x3f_preview(), "/ImageWidth", json!(2640)),
        ("preview.x3f", x3f_preview(), "/EXIF/Make", json!("Canon")),
        ("big.wav", rifx(), "/AudioStreams/0/SampleRate", json!(8000)),
        ("big.wav", rifx(), "/Duration", json!(0.1)),
        ("lists.wav", tagged_wav(), "/Title", json!("Last")),
        ("lists.wav", tagged_wav(), "/Artist", json!("Singer")),
        ("lists.wav", tagged_wav(), "/Duration", json!(2.0)),
        ("old.mp3", old_tag(), "/Title", json!("räksmörgås")),
        ("counted.mp3", counted(), "/Duration", json!(199.053_061)),
        ("a.exr", exr(), "/ImageWidth", json!(64)),
        ("a.exr", exr(), "/ProduceTime", json!("2016-02-25T09:51:51+00:00")),
        ("a.exr", exr(), "/Orientation", json!(6)),
        ("cut.ts", cut_stream(), "/VideoWidth", json!(640)),
        ("tags.mp3", two_tags(), "/Title", json!("Song")),
        ("tags.mp3", two_tags(), "/AudioStreams/0/SampleRate", json!(44_100)),
        ("a.rm", real_media(), "/VideoStreams/0/CodecName", json!("rv40")),
        ("a.rm", real_media(), "/VideoWidth", json!(320)),
        ("a.rm", real_media(), "/Duration", json!(5.0)),
        ("a.rm", real_media(), "/Title", json!("Film")),
        ("delayed.mp4", delayed_movie(), "/Duration", json!(1.5)),
    ]
}

#[test]
fn layouts_found_in_held_out_files() {
    let mut wrong = Vec::new();
    for (name, bytes, pointer, want) in all() {
        let record = run(&bytes, name, Limits::default());
        let metadata = serde_json::to_value(&record.metadata).unwrap();
        let got = metadata.pointer(pointer).cloned().unwrap_or(Value::Null);
        if got != want {
            wrong.push(format!("{name} {pointer}: want {want}, got {got}; {:?}", record.reason()));
        }
        assert!(record.problems.len() <= usize::from(name == "counted.mp3"), "{name}: {:?}", record.reason());
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
