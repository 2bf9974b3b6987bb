//! Small valid files of rarer formats, and of layouts that real files were found
//! to have: one each.

use crate::samples::{boxed, exif_block, segment};
use std::io::Write as _;

/// Name and bytes of each sample.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a.au", au()),
        ("a.tta", [&b"TTA1\x01\0\x02\0\x10\0"[..], &le(&[44_100, 88_200, 0])].concat()),
        ("a.dsf", dsf()),
        ("a.dff", dff()),
        ("a.w64", w64()),
        ("a.dts", dts()),
        ("a.caf", caf()),
        ("a.xm", [&b"Extended Module: A song             \x1a"[..], &[0; 64]].concat()),
        ("a.ivf", ivf()),
        ("a.dv", [vec![0x1f, 0x07, 0, 0xbf], vec![0; 143_996]].concat().repeat(2)),
        ("one.mpg", program_stream()),
        ("a.m1v", sequence()),
        ("packed.mov", packed_movie()),
        ("a.mrw", mrw()),
        ("a.crw", crw()),
        ("a.x3f", [&b"FOVb"[..], &[0; 24], &le(&[2640, 1760, 90])].concat()),
        ("a.pcx", [vec![10, 5, 1, 8, 0, 0, 0, 0, 63, 0, 31, 0], vec![0; 116]].concat()),
        ("a.xcf", [&b"gimp xcf file\0"[..], &be(&[20, 10, 0])].concat()),
        ("a.ppm", b"P6\n# by hand\n3 2\n255\n\x01\x02\x03\x04\x05\x06".to_vec()),
        (
            "a.exv",
            [
                &b"\xff\x01Exiv2"[..],
                &segment(0xe1, &[b"Exif\0\0".to_vec(), exif_block()].concat()),
                b"\xff\xd9",
            ]
            .concat(),
        ),
        ("tiffep.jpg", tiff_ep()),
        ("twice.mp3", twice()),
    ]
}

pub(crate) fn le(fields: &[u32]) -> Vec<u8> {
    fields.iter().flat_map(|n| n.to_le_bytes()).collect()
}

pub(crate) fn be(fields: &[u32]) -> Vec<u8> {
    fields.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// One second of 8 kHz mono with a title.
fn au() -> Vec<u8> {
    let note = b"title=Tune\nartist=Me\0\0\0";
    [&b".snd"[..], &be(&[24 + note.len() as u32, 16_000, 3, 8000, 1]), note, &[0; 16_000]].concat()
}

fn dsf() -> Vec<u8> {
    let head = [&b"DSD \x1c\0\0\0\0\0\0\0"[..], &[0; 16]].concat();
    let format =
        [&b"fmt \x34\0\0\0\0\0\0\0"[..], &le(&[1, 0, 2, 2, 2_822_400, 1, 2_822_400, 0, 4096, 0])].concat();
    [head, format].concat()
}

fn dff() -> Vec<u8> {
    let chunk = |kind: &[u8; 4], body: &[u8]| [&kind[..], &(body.len() as u64).to_be_bytes(), body].concat();
    let properties = [b"SND ".to_vec(), chunk(b"FS  ", &be(&[2_822_400])), chunk(b"CHNL", &[0, 1])].concat();
    let body = [b"DSD ".to_vec(), chunk(b"PROP", &properties), chunk(b"DSD ", &[0; 35_280])].concat();
    chunk(b"FRM8", &body)
}

fn w64() -> Vec<u8> {
    let chunk = |kind: &[u8; 4], body: &[u8]| {
        [&kind[..], &[0; 12], &(body.len() as u64 + 24).to_le_bytes(), body].concat()
    };
    let format = [&[1, 0, 1, 0][..], &le(&[8000, 16_000]), &[2, 0, 16, 0]].concat();
    let head = [&b"riff\x2e\x91\xcf\x11"[..], &[0; 16], b"wave", &[0; 12]].concat();
    [head, chunk(b"fmt ", &format), chunk(b"data", &[0; 16_000])].concat()
}

/// Frames of 1008 bytes, 512 samples, two channels at 48 kHz.
fn dts() -> Vec<u8> {
    let mut frame = vec![0x7f, 0xfe, 0x80, 0x01, 0xfc, 0x3c, 0x3e, 0xf0, 0xb5, 0xe0, 0, 0];
    frame.resize(1008, 0);
    frame.repeat(10)
}

fn caf() -> Vec<u8> {
    let chunk = |kind: &[u8; 4], body: &[u8]| [&kind[..], &(body.len() as u64).to_be_bytes(), body].concat();
    let description = [&8000f64.to_be_bytes()[..], b"lpcm", &be(&[0, 2, 1, 1, 16])].concat();
    let info = [&be(&[1])[..], b"title\0Tune\0"].concat();
    let data = vec![0; 4 + 16_000];
    [b"caff\0\x01\0\0".to_vec(), chunk(b"desc", &description), chunk(b"info", &info), chunk(b"data", &data)]
        .concat()
}

fn ivf() -> Vec<u8> {
    let size = [64u16.to_le_bytes(), 32u16.to_le_bytes()].concat();
    [&b"DKIF\0\0\x20\0VP90"[..], &size, &le(&[30, 1, 60, 0])].concat()
}

/// Sequence header of MPEG-1: 352 by 240 at 25 frames/s.
fn sequence() -> Vec<u8> {
    vec![0, 0, 1, 0xb3, 0x16, 0, 0xf0, 0x13, 0xff, 0xff, 0xe0, 0x20, 0, 0, 1, 0xb8, 0, 0, 0, 0]
}

/// MPEG-1 packets, whose headers differ from MPEG-2's, 1 s apart.
fn program_stream() -> Vec<u8> {
    let time = |t: u32| {
        [0x21 | (t >> 30) as u8, (t >> 22) as u8, (t >> 14) as u8 | 1, (t >> 7) as u8, (t << 1) as u8 | 1]
    };
    let packet = |id: u8, t: u32, body: &[u8]| {
        let len = (body.len() as u16 + 7).to_be_bytes();
        [&[0, 0, 1, id][..], &len, &[0xff, 0xff], &time(t), body].concat()
    };
    let pack = [0, 0, 1, 0xba, 0x21, 0, 1, 0, 1, 0x80, 0, 1];
    [&pack[..], &packet(0xe0, 3600, &sequence()), &packet(0xe0, 7200, b"x"), &packet(0xe0, 90_000, b"x")]
        .concat()
}

/// A movie header packed by zlib, as old QuickTime wrote it.
fn packed_movie() -> Vec<u8> {
    let moov = crate::samples::moov();
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&moov).unwrap();
    let packed = [be(&[moov.len() as u32]), packer.finish().unwrap()].concat();
    let inner = [boxed(b"dcom", b"zlib"), boxed(b"cmvd", &packed)].concat();
    [boxed(b"mdat", &[0; 64]), boxed(b"moov", &boxed(b"cmov", &inner))].concat()
}

fn mrw() -> Vec<u8> {
    let sizes: Vec<u8> = [2456u16, 3272, 2448, 3264].iter().flat_map(|n| n.to_be_bytes()).collect();
    let block = |kind: &[u8; 4], body: &[u8]| [&kind[..], &be(&[body.len() as u32]), body].concat();
    let blocks =
        [block(b"\0PRD", &[&b"27820001"[..], &sizes].concat()), block(b"\0TTW", &exif_block())].concat();
    [&b"\0MRM"[..], &be(&[blocks.len() as u32]), &blocks].concat()
}

/// A heap with a camera's name, a moment, and a size.
fn crw() -> Vec<u8> {
    let parts: [(u16, Vec<u8>); 3] = [
        (0x080a, b"Canon\0EOS D60\0".to_vec()),
        (0x180e, le(&[1_068_485_846, 0, 0])),
        (0x1810, le(&[3072, 2048, 0, 90])),
    ];
    let (mut heap, mut directory) = (Vec::new(), (parts.len() as u16).to_le_bytes().to_vec());
    for (tag, body) in parts {
        directory.extend(tag.to_le_bytes());
        directory.extend(le(&[body.len() as u32, heap.len() as u32]));
        heap.extend(body);
    }
    let at = heap.len() as u32;
    [&b"II\x1a\0\0\0HEAPCCDR\x02\0\x01\0\0\0\0\0\0\0\0\0"[..], &heap, &directory, &le(&[at])].concat()
}

/// EXIF's own tags in the main directory, as TIFF/EP has them.
fn tiff_ep() -> Vec<u8> {
    let block = crate::samples::tiff(&[], &[(0x9003, "2006:05:27 12:37:03")]);
    let frame = segment(0xc0, &[8, 0, 2, 0, 3, 1, 1, 0x11, 0]);
    [
        &b"\xff\xd8"[..],
        &segment(0xe1, &[b"Exif\0\0".to_vec(), block].concat()),
        &frame,
        b"\xff\xda\0\x02\xff\xd9",
    ]
    .concat()
}

/// A field that stands twice: the first is shown.
fn twice() -> Vec<u8> {
    let frame =
        |text: &str| [&b"TPE1"[..], &be(&[text.len() as u32 + 1]), &[0, 0, 0], text.as_bytes()].concat();
    let body = [frame("one"), frame("two")].concat();
    let head = [&b"ID3\x03\0\0\0\0\0"[..], &[body.len() as u8]].concat();
    [head, body, crate::samples::frames(20)].concat()
}
