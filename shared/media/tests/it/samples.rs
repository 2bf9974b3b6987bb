//! Small valid files, built here: one a format.

use std::io::Write as _;

/// Name and bytes of each sample.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let usual = vec![
        ("exif.jpg", jpeg()),
        ("a.png", png()),
        ("a.gif", b"GIF89a\x40\x00\x20\x00\x00\x00\x00;".to_vec()),
        ("a.bmp", bmp()),
        ("a.webp", webp()),
        ("a.tif", tiff(&[(0x0100, 3, 1, 640), (0x0101, 3, 1, 480)], &[])),
        ("a.heic", heic()),
        ("a.jp2", jp2()),
        ("a.psd", psd()),
        ("a.svg", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 30 20'><title>T &amp; U</title></svg>".to_vec()),
        ("a.mp4", mp4(false)),
        ("end.mp4", mp4(true)),
        ("a.mkv", mkv()),
        ("a.avi", avi()),
        ("a.flv", flv()),
        ("a.ts", ts()),
        ("a.wav", wav()),
        ("a.aiff", aiff()),
        ("a.mp3", mp3()),
        ("a.flac", flac()),
        ("a.ogg", ogg()),
        ("a.aac", adts()),
        ("a.amr", [b"#!AMR\n".to_vec(), [vec![0x3c], vec![0; 31]].concat().repeat(50)].concat()),
        ("a.pdf", pdf()),
        ("a.docx", docx()),
        ("a.epub", epub()),
        ("a.odt", odt()),
        ("a.zip", zip(&[("a.txt", b"hello"), ("b/c.txt", b"world")])),
        ("a.rtf", b"{\\rtf1{\\info{\\title Caf\\'e9}{\\author A. Writer}\\nofpages3{\\creatim\\yr2020\\mo2\\dy3}}text}".to_vec()),
        ("a.html", b"<!doctype html><html lang=\"de\"><title>Hallo &amp; Welt</title><meta name=author content='N. N.'>".to_vec()),
        ("a.md", b"---\ntitle: Front\nauthor: A, B\n---\n# Head\n".to_vec()),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,500\nHi\n\n2\n00:00:03,000 --> 00:00:04,000\nHo\n".to_vec()),
        ("a.csv", b"a,b\n1,2\n".to_vec()),
        ("empty", Vec::new()),
    ];
    usual.into_iter().chain(crate::rare::all()).collect()
}

pub(crate) fn be32(n: u32) -> [u8; 4] {
    n.to_be_bytes()
}

/// A little-endian TIFF with short or long values and ASCII values behind.
pub(crate) fn tiff(numbers: &[(u16, u16, u32, u32)], texts: &[(u16, &str)]) -> Vec<u8> {
    let count = numbers.len() + texts.len();
    let mut data_at = 8 + 2 + count * 12 + 4;
    let mut out = b"II*\0\x08\0\0\0".to_vec();
    out.extend((count as u16).to_le_bytes());
    let mut data = Vec::new();
    for (tag, kind, n, value) in numbers {
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(n.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    for (tag, text) in texts {
        let bytes = [text.as_bytes(), b"\0"].concat();
        out.extend(tag.to_le_bytes());
        out.extend(2u16.to_le_bytes());
        out.extend((bytes.len() as u32).to_le_bytes());
        if bytes.len() <= 4 {
            let mut inline = bytes.clone();
            inline.resize(4, 0);
            out.extend(inline);
        } else {
            out.extend((data_at as u32).to_le_bytes());
            data_at += bytes.len();
            data.extend(bytes);
        }
    }
    out.extend([0; 4]);
    out.extend(data);
    out
}

/// EXIF with a camera, a date with offset, and a place.
pub(crate) fn exif_block() -> Vec<u8> {
    let ifd0_at = 8;
    let ifd0_len = 2 + 5 * 12 + 4;
    let exif_at = ifd0_at + ifd0_len;
    let exif_len = 2 + 3 * 12 + 4;
    let gps_at = exif_at + exif_len;
    let gps_len = 2 + 4 * 12 + 4;
    let mut data_at = (gps_at + gps_len) as u32;
    let mut data = Vec::new();
    let mut put = |bytes: &[u8]| {
        let at = data_at;
        data.extend_from_slice(bytes);
        data_at += bytes.len() as u32;
        at
    };
    let entry = |tag: u16, kind: u16, n: u32, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &n.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let make = put(b"Canon\0");
    let model = put(b"EOS R6   \0");
    let date = put(b"2021:04:11 15:47:53\0");
    let offset = put(b"-05:00\0");
    let rational = |parts: [(u32, u32); 3]| {
        parts.iter().flat_map(|(n, d)| [n.to_le_bytes(), d.to_le_bytes()].concat()).collect::<Vec<u8>>()
    };
    let lat = put(&rational([(39, 1), (30, 1), (0, 1)]));
    let long = put(&rational([(94, 1), (15, 1), (0, 1)]));
    let mut out = b"II*\0\x08\0\0\0".to_vec();
    out.extend(5u16.to_le_bytes());
    out.extend(entry(0x010f, 2, 6, make));
    out.extend(entry(0x0110, 2, 10, model));
    out.extend(entry(0x0112, 3, 1, 6));
    out.extend(entry(0x8769, 4, 1, exif_at as u32));
    out.extend(entry(0x8825, 4, 1, gps_at as u32));
    out.extend([0; 4]);
    out.extend(3u16.to_le_bytes());
    out.extend(entry(0x9003, 2, 20, date));
    out.extend(entry(0x9011, 2, 7, offset));
    out.extend(entry(0x9291, 2, 4, u32::from_le_bytes(*b"125\0")));
    out.extend([0; 4]);
    out.extend(4u16.to_le_bytes());
    out.extend(entry(1, 2, 2, u32::from_le_bytes(*b"N\0\0\0")));
    out.extend(entry(2, 5, 3, lat));
    out.extend(entry(3, 2, 2, u32::from_le_bytes(*b"W\0\0\0")));
    out.extend(entry(4, 5, 3, long));
    out.extend([0; 4]);
    out.extend(data);
    out
}

pub(crate) fn segment(code: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff, code][..], &((body.len() + 2) as u16).to_be_bytes(), body].concat()
}

pub(crate) fn jpeg() -> Vec<u8> {
    let exif = segment(0xe1, &[b"Exif\0\0".to_vec(), exif_block()].concat());
    let frame = segment(0xc0, &[8, 0, 50, 0, 100, 1, 1, 0x11, 0]);
    let scan = segment(0xda, &[1, 1, 0, 0, 63, 0]);
    [&[0xff, 0xd8][..], &exif, &frame, &scan, &[0x12, 0xff, 0xd9]].concat()
}

pub(crate) fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&be32(body.len() as u32)[..], kind, body, &[0; 4]].concat()
}

fn png() -> Vec<u8> {
    let header = [&be32(31)[..], &be32(17), &[8, 2, 0, 0, 0]].concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"tEXt", b"Title\0A picture"),
        chunk(b"eXIf", &exif_block()),
        chunk(b"IDAT", &[0; 16]),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

fn bmp() -> Vec<u8> {
    let mut out = b"BM".to_vec();
    out.extend([0; 12]);
    out.extend(40u32.to_le_bytes());
    out.extend(12i32.to_le_bytes());
    out.extend((-9i32).to_le_bytes());
    out.resize(54, 0);
    out
}

fn webp() -> Vec<u8> {
    let riff = |kind: &[u8; 4], body: &[u8]| {
        let mut out = [&kind[..], &(body.len() as u32).to_le_bytes(), body].concat();
        out.resize(out.len() + body.len() % 2, 0);
        out
    };
    let extended = riff(b"VP8X", &[8, 0, 0, 0, 63, 0, 0, 31, 0, 0]);
    let body = [b"WEBP".to_vec(), extended, riff(b"VP8 ", &[0; 40]), riff(b"EXIF", &exif_block())].concat();
    riff(b"RIFF", &body)
}

pub(crate) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&be32(body.len() as u32 + 8)[..], kind, body].concat()
}

fn heic() -> Vec<u8> {
    let ftyp = boxed(b"ftyp", b"heic\0\0\0\0mif1heic");
    let exif = [&be32(0)[..], &exif_block()].concat();
    let make_meta = |exif_at: u32| {
        let pitm = boxed(b"pitm", &[0, 0, 0, 0, 0, 1]);
        let infe =
            |id: u8, kind: &[u8; 4]| boxed(b"infe", &[&[2, 0, 0, 0, 0, id, 0, 0][..], kind, &[0]].concat());
        let iinf = boxed(b"iinf", &[&[0, 0, 0, 0, 0, 2][..], &infe(1, b"hvc1"), &infe(2, b"Exif")].concat());
        let ispe = boxed(b"ispe", &[&[0; 4][..], &be32(4032), &be32(3024)].concat());
        let irot = boxed(b"irot", &[3]);
        let ipco = boxed(b"ipco", &[ispe, irot].concat());
        let ipma = boxed(b"ipma", &[0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 1, 2]);
        let iprp = boxed(b"iprp", &[ipco, ipma].concat());
        let place = [&[0, 2, 0, 0, 0, 1][..], &be32(exif_at), &be32(exif.len() as u32)].concat();
        let iloc = boxed(b"iloc", &[&[0, 0, 0, 0, 0x44, 0, 0, 1][..], &place].concat());
        boxed(b"meta", &[vec![0; 4], pitm, iinf, iprp, iloc].concat())
    };
    let at = ftyp.len() + make_meta(0).len() + 8;
    [ftyp, make_meta(at as u32), boxed(b"mdat", &exif)].concat()
}

fn jp2() -> Vec<u8> {
    let ihdr = boxed(b"ihdr", &[&be32(40)[..], &be32(60), &[0, 3, 7, 7, 0, 0]].concat());
    [
        boxed(b"jP  ", b"\r\n\x87\n"),
        boxed(b"ftyp", b"jp2 \0\0\0\0jp2 "),
        boxed(b"jp2h", &ihdr),
        boxed(b"jp2c", &[0xff, 0x4f, 0xff, 0x51]),
    ]
    .concat()
}

fn psd() -> Vec<u8> {
    let mut out = b"8BPS\0\x01\0\0\0\0\0\0\0\x03".to_vec();
    out.extend(be32(70));
    out.extend(be32(90));
    out.extend([0, 8, 0, 3]);
    out.extend(be32(0));
    let iptc = [0x1c, 2, 5, 0, 5, b'T', b'i', b't', b'l', b'e'];
    let resource = [&b"8BIM\x04\x04\0\0"[..], &be32(iptc.len() as u32), &iptc].concat();
    out.extend(be32(resource.len() as u32));
    out.extend(resource);
    out
}

pub(crate) fn full(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    boxed(kind, &[&[0; 4][..], body].concat())
}

pub(crate) fn moov() -> Vec<u8> {
    let matrix = [0u32, 0x10000, 0, 0xffff_0000, 0, 0, 0, 0, 0x4000_0000];
    let matrix: Vec<u8> = matrix.iter().flat_map(|v| v.to_be_bytes()).collect();
    let mvhd = full(
        b"mvhd",
        &[&be32(3_753_212_415)[..], &be32(0), &be32(1000), &be32(2000), &[0; 12][..], &matrix, &[0; 28]]
            .concat(),
    );
    let tkhd = full(
        b"tkhd",
        &[
            &be32(0)[..],
            &be32(0),
            &be32(1),
            &be32(0),
            &be32(2000),
            &[0; 16],
            &matrix,
            &be32(1280 << 16),
            &be32(720 << 16),
        ]
        .concat(),
    );
    let mdhd =
        full(b"mdhd", &[&be32(0)[..], &be32(0), &be32(30_000), &be32(60_000), &[0x15, 0xc7, 0, 0]].concat());
    let hdlr = full(b"hdlr", b"\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let mut entry = vec![0; 78];
    entry[24..28].copy_from_slice(&[5, 0, 2, 0xd0]);
    let avc1 = boxed(b"avc1", &[entry, boxed(b"avcC", &[1, 77, 0, 31, 0xff, 0xe0, 0])].concat());
    let stsd = full(b"stsd", &[&be32(1)[..], &avc1].concat());
    let stts = full(b"stts", &[&be32(1)[..], &be32(60), &be32(1000)].concat());
    let stsz = full(b"stsz", &[&be32(1000)[..], &be32(60)].concat());
    let stbl = boxed(b"stbl", &[stsd, stts, stsz].concat());
    let mdia = boxed(b"mdia", &[mdhd, hdlr, boxed(b"minf", &stbl)].concat());
    let trak = boxed(b"trak", &[tkhd, mdia].concat());
    let value = boxed(b"data", &[&be32(1)[..], &be32(0), b"A film"].concat());
    let ilst = boxed(b"ilst", &boxed(b"\xa9nam", &value));
    let place = boxed(b"\xa9xyz", b"\0\x11\x15\xc7+12.3400-098.7600/");
    let meta = full(b"meta", &[full(b"hdlr", b"\0\0\0\0mdirappl\0\0\0\0\0\0\0\0\0"), ilst].concat());
    boxed(b"moov", &[mvhd, trak, boxed(b"udta", &[meta, place].concat())].concat())
}

fn mp4(moov_at_end: bool) -> Vec<u8> {
    let ftyp = boxed(b"ftyp", b"isom\0\0\x02\0isomavc1");
    let mdat = boxed(b"mdat", &[7; 3000]);
    if moov_at_end { [ftyp, mdat, moov()].concat() } else { [ftyp, moov(), mdat].concat() }
}

pub(crate) fn ebml(id: &[u8], body: &[u8]) -> Vec<u8> {
    let size = (body.len() as u64 | 1 << 56).to_be_bytes();
    [id, &size[..], body].concat()
}

fn mkv() -> Vec<u8> {
    let head = ebml(&[0x1a, 0x45, 0xdf, 0xa3], &ebml(&[0x42, 0x82], b"webm"));
    let info = [ebml(&[0x2a, 0xd7, 0xb1], &[0x0f, 0x42, 0x40]), ebml(&[0x44, 0x89], &5000f64.to_be_bytes())]
        .concat();
    let video = ebml(&[0xe0], &[ebml(&[0xb0], &[1, 64]), ebml(&[0xba], &[240])].concat());
    let track = [ebml(&[0xd7], &[1]), ebml(&[0x83], &[1]), ebml(&[0x86], b"V_VP9"), video].concat();
    let sound = ebml(&[0xe1], &[ebml(&[0xb5], &48_000f32.to_be_bytes()), ebml(&[0x9f], &[2])].concat());
    let other = [ebml(&[0xd7], &[2]), ebml(&[0x83], &[2]), ebml(&[0x86], b"A_OPUS"), sound].concat();
    let tracks = [ebml(&[0xae], &track), ebml(&[0xae], &other)].concat();
    let simple = [ebml(&[0x45, 0xa3], b"ARTIST"), ebml(&[0x44, 0x87], b"Someone")].concat();
    let tags = ebml(&[0x73, 0x73], &[ebml(&[0x63, 0xc0], &[]), ebml(&[0x67, 0xc8], &simple)].concat());
    let segment = [
        ebml(&[0x15, 0x49, 0xa9, 0x66], &info),
        ebml(&[0x16, 0x54, 0xae, 0x6b], &tracks),
        ebml(&[0x12, 0x54, 0xc3, 0x67], &tags),
        ebml(&[0x1f, 0x43, 0xb6, 0x75], &ebml(&[0xe7], &[0])),
    ]
    .concat();
    [head, ebml(&[0x18, 0x53, 0x80, 0x67], &segment)].concat()
}

pub(crate) fn riff(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = [&kind[..], &(body.len() as u32).to_le_bytes(), body].concat();
    out.resize(out.len() + body.len() % 2, 0);
    out
}

pub(crate) fn le(fields: &[u32]) -> Vec<u8> {
    fields.iter().flat_map(|f| f.to_le_bytes()).collect()
}

fn avi() -> Vec<u8> {
    let avih = riff(b"avih", &le(&[40_000, 0, 0, 0, 100, 0, 1, 0, 320, 240, 0, 0, 0, 0]));
    let strh = riff(b"strh", &[b"vidsXVID".to_vec(), le(&[0, 0, 0, 1, 25, 0, 100, 0, 0, 0, 0, 0])].concat());
    let strf =
        riff(b"strf", &[le(&[40, 320, 240, 0x18_0001]), b"XVID".to_vec(), le(&[0, 0, 0, 0, 0])].concat());
    let strl = riff(b"LIST", &[b"strl".to_vec(), strh, strf].concat());
    let hdrl = riff(b"LIST", &[b"hdrl".to_vec(), avih, strl].concat());
    let movi = riff(b"LIST", &[b"movi".to_vec(), vec![0; 64]].concat());
    riff(b"RIFF", &[b"AVI ".to_vec(), hdrl, movi].concat())
}

fn flv() -> Vec<u8> {
    let tag = |kind: u8, body: &[u8]| {
        let len = be32(body.len() as u32);
        [&[kind][..], &len[1..], &[0; 7], body, &be32(body.len() as u32 + 11)].concat()
    };
    let number = |name: &str, n: f64| {
        [&(name.len() as u16).to_be_bytes()[..], name.as_bytes(), &[0], &n.to_be_bytes()].concat()
    };
    let script = [
        &b"\x02\0\x0aonMetaData\x08\0\0\0\x03"[..],
        &number("duration", 3.5),
        &number("width", 160.0),
        &number("height", 120.0),
        &[0, 0, 9],
    ]
    .concat();
    [&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..], &tag(18, &script), &tag(9, &[0x12, 0, 0]), &tag(8, &[0x2f, 0, 0])]
        .concat()
}

fn ts() -> Vec<u8> {
    transport(0x02, &[0, 0, 1, 0xb3, 0x2d, 0x01, 0xe0, 0x13])
}

/// A transport stream of one kind of pictures, each packet with the same content.
pub(crate) fn transport(kind: u8, content: &[u8]) -> Vec<u8> {
    let packet = |pid: u16, payload: &[u8]| {
        let mut out = vec![0x47, 0x40 | (pid >> 8) as u8, pid as u8, 0x30];
        let stuffing = 183 - payload.len();
        out.push(stuffing as u8);
        out.extend(vec![0xff; stuffing]);
        out.extend(payload);
        out
    };
    let table = |id: u8, body: &[u8]| [&[0, id, 0xb0, (body.len() + 4) as u8][..], body, &[0; 4]].concat();
    let association = table(0, &[0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0]);
    let map = table(2, &[0, 1, 0xc1, 0, 0, 0xe1, 1, 0xf0, 0, kind, 0xe1, 1, 0xf0, 0]);
    let pes = |time: u64| {
        let t = [
            0x21 | (time >> 29) as u8 & 0x0e,
            (time >> 22) as u8,
            ((time >> 14) as u8) | 1,
            (time >> 7) as u8,
            ((time << 1) as u8) | 1,
        ];
        [&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5][..], &t, content].concat()
    };
    let mut out = [packet(0, &association), packet(0x100, &map)].concat();
    for i in 0..25 {
        out.extend(packet(0x101, &pes(90_000 + i * 3600)));
    }
    out
}

fn wav() -> Vec<u8> {
    let format = [&[1, 0, 2, 0][..], &le(&[8000, 32_000]), &[4, 0, 16, 0]].concat();
    let info = [b"INFO".to_vec(), riff(b"INAM", b"Tone\0"), riff(b"IART", b"Me\0")].concat();
    riff(
        b"RIFF",
        &[b"WAVE".to_vec(), riff(b"fmt ", &format), riff(b"data", &[0; 3200]), riff(b"LIST", &info)].concat(),
    )
}

fn aiff() -> Vec<u8> {
    let chunk = |kind: &[u8; 4], body: &[u8]| [&kind[..], &be32(body.len() as u32), body].concat();
    let rate = [0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0];
    let common = [&[0, 1][..], &be32(800), &[0, 16], &rate].concat();
    let body =
        [b"AIFF".to_vec(), chunk(b"COMM", &common), chunk(b"NAME", b"Tune"), chunk(b"SSND", &[0; 1608])]
            .concat();
    chunk(b"FORM", &body)
}

pub(crate) fn id3(picture: usize) -> Vec<u8> {
    let frame = |id: &[u8; 4], body: &[u8]| [&id[..], &be32(body.len() as u32), &[0, 0], body].concat();
    let mut body =
        [frame(b"TIT2", b"\0Song"), frame(b"TPE1", b"\0Singer"), frame(b"TALB", b"\0Record")].concat();
    if picture > 0 {
        let mut data = b"\0image/png\0\x03\0".to_vec();
        data.extend(png());
        data.resize(picture, 0);
        body.extend(frame(b"APIC", &data));
    }
    let n = body.len() as u32;
    let size = [(n >> 21) as u8 & 127, (n >> 14) as u8 & 127, (n >> 7) as u8 & 127, n as u8 & 127];
    [&b"ID3\x03\0\0"[..], &size, &body].concat()
}

pub(crate) fn frames(n: usize) -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x90, 0x64];
    frame.resize(417, 0);
    frame.repeat(n)
}

fn mp3() -> Vec<u8> {
    [id3(400), frames(30)].concat()
}

fn comments(texts: &[&str]) -> Vec<u8> {
    let mut out = le(&[1]);
    out.push(b'x');
    out.extend(le(&[texts.len() as u32]));
    for t in texts {
        out.extend(le(&[t.len() as u32]));
        out.extend(t.as_bytes());
    }
    out
}

fn flac() -> Vec<u8> {
    let rate_channels_depth = (44_100u64 << 44) | (1 << 41) | (15 << 36) | 88_200;
    let info = [&[16, 0, 16, 0, 0, 0, 0, 0, 0, 0][..], &rate_channels_depth.to_be_bytes(), &[0; 16]].concat();
    let comments = comments(&["TITLE=Piece", "ARTIST=One", "ARTIST=Two", "album=Disc"]);
    let block = |kind: u8, body: &[u8]| [&[kind][..], &be32(body.len() as u32)[1..], body].concat();
    [b"fLaC".to_vec(), block(0, &info), block(0x84, &comments), vec![0xff, 0xf8, 0, 0]].concat()
}

fn ogg() -> Vec<u8> {
    let page = |flags: u8, granule: u64, body: &[u8]| {
        let mut lacing = vec![255u8; body.len() / 255];
        lacing.push((body.len() % 255) as u8);
        [
            &b"OggS\0"[..],
            &[flags],
            &granule.to_le_bytes(),
            &le(&[7, 0, 0]),
            &[lacing.len() as u8],
            &lacing,
            body,
        ]
        .concat()
    };
    let head = [&b"OpusHead\x01\x02"[..], &312u16.to_le_bytes(), &le(&[48_000]), &[0, 0, 0]].concat();
    let tags = [b"OpusTags".to_vec(), comments(&["TITLE=Voice"])].concat();
    [page(2, 0, &head), page(0, 0, &tags), page(4, 48_312, &[0; 400])].concat()
}

fn adts() -> Vec<u8> {
    // 44.1 kHz stereo, frames of 200 bytes.
    let mut frame = vec![0xff, 0xf1, 0x50, 0x80, (200 >> 3) as u8, ((200 & 7) << 5) as u8 | 0x1f, 0xfc];
    frame.resize(200, 0);
    frame.repeat(43)
}

pub(crate) fn pdf() -> Vec<u8> {
    let mut out = b"%PDF-1.4\n".to_vec();
    let objects = [
        "1 0 obj << /Type /Catalog /Pages 2 0 R /Lang (en-GB) >> endobj\n",
        "2 0 obj << /Type /Pages /Kids [] /Count 7 >> endobj\n",
        "3 0 obj << /Title (A \\(short\\) paper) /Author <FEFF00C900E9> /CreationDate (D:20200102030405+01'00') >> endobj\n",
    ];
    let mut places = Vec::new();
    for o in objects {
        places.push(out.len());
        out.extend(o.as_bytes());
    }
    let start = out.len();
    out.extend(b"xref\n0 4\n0000000000 65535 f \n");
    for at in places {
        out.extend(format!("{at:010} 00000 n \n").as_bytes());
    }
    out.extend(
        format!("trailer << /Size 4 /Root 1 0 R /Info 3 0 R >>\nstartxref\n{start}\n%%EOF\n").as_bytes(),
    );
    out
}

/// A ZIP whose entries are deflated, but for `mimetype`.
pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, body) in entries {
        let stored = *name == "mimetype";
        let packed = if stored {
            body.to_vec()
        } else {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        };
        let method: u16 = if stored { 0 } else { 8 };
        let common = [
            &20u16.to_le_bytes()[..],
            &[0, 0],
            &method.to_le_bytes(),
            &le(&[0, 0, packed.len() as u32, body.len() as u32]),
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let at = out.len() as u32;
        out.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), &packed].concat());
        directory.extend([&b"PK\x01\x02\x14\0"[..], &common, &[0; 10], &le(&[at]), name.as_bytes()].concat());
    }
    let n = (entries.len() as u16).to_le_bytes();
    let end = [&b"PK\x05\x06\0\0\0\0"[..], &n, &n, &le(&[directory.len() as u32, out.len() as u32]), &[0, 0]]
        .concat();
    [out, directory, end].concat()
}

fn docx() -> Vec<u8> {
    let core = br#"<?xml version="1.0"?><cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>Report</dc:title><dc:creator>Ann</dc:creator><cp:keywords>x, y</cp:keywords><dcterms:created>2020-01-02T03:04:05Z</dcterms:created></cp:coreProperties>"#;
    let app = b"<Properties xmlns='http://schemas.openxmlformats.org/officeDocument/2006/extended-properties'><Pages>12</Pages></Properties>";
    zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", b"<w/>"),
        ("docProps/core.xml", core),
        ("docProps/app.xml", app),
    ])
}

fn epub() -> Vec<u8> {
    let opf = b"<package xmlns='http://www.idpf.org/2007/opf'><metadata xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>Book</dc:title><dc:creator>A</dc:creator><dc:creator>B</dc:creator><dc:language>fr</dc:language></metadata></package>";
    zip(&[
        ("mimetype", b"application/epub+zip"),
        (
            "META-INF/container.xml",
            b"<container><rootfiles><rootfile full-path='OPS/book.opf'/></rootfiles></container>",
        ),
        ("OPS/book.opf", opf),
    ])
}

fn odt() -> Vec<u8> {
    let meta = b"<office:document-meta xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0' xmlns:meta='urn:oasis:names:tc:opendocument:xmlns:meta:1.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><office:meta><dc:title>Letter</dc:title><meta:initial-creator>Bob</meta:initial-creator><meta:document-statistic meta:page-count='3'/></office:meta></office:document-meta>";
    zip(&[("mimetype", b"application/vnd.oasis.opendocument.text"), ("meta.xml", meta)])
}
