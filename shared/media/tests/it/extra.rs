//! Fields beyond IMM's, out of files made here.

use mediadex_media::{Limits, Record};
use serde_json::{Value, json};

use crate::run;
use crate::samples::{be32, boxed, chunk, ebml, exif_block, frames, full, moov, segment, transport, zip};

fn metadata(record: &Record) -> Value {
    serde_json::to_value(&record.metadata).unwrap()
}

/// A profile of that name.
fn profile(name: &str) -> Vec<u8> {
    let tag = [&b"desc\0\0\0\0"[..], &be32(name.len() as u32 + 1), name.as_bytes(), &[0; 16]].concat();
    let entry = [&b"desc"[..], &be32(144), &be32(tag.len() as u32)].concat();
    [vec![0; 128], be32(1).to_vec(), entry, tag].concat()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn jpeg(segments: &[Vec<u8>], behind: &[u8]) -> Vec<u8> {
    let frame = segment(0xc0, &[8, 0, 50, 0, 100, 1, 1, 0x11, 0]);
    [&[0xff, 0xd8][..], &segments.concat(), &frame, b"\xff\xda\0\x02\xff\xd9", behind].concat()
}

/// A picture with a profile in two parts and the mark of a gain map.
fn profiled() -> Vec<u8> {
    let profile = profile("Display P3");
    let (first, second) = profile.split_at(150);
    let part = |n: u8, b: &[u8]| segment(0xe2, &[&b"ICC_PROFILE\0"[..], &[n, 2], b].concat());
    let gain = segment(0xe2, b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0");
    jpeg(&[part(1, first), part(2, second), gain], &[])
}

/// A phone's picture with a film and a trailer behind it.
fn samsung() -> (Vec<u8>, usize) {
    let exif =
        segment(0xe1, &[b"Exif\0\0".to_vec(), crate::samples::tiff(&[], &[(0x010f, "samsung")])].concat());
    let mut file = jpeg(&[exif], &[]);
    let block = file.len();
    file.extend(b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data");
    let film = file.len();
    // The film is longer than what is read at the start.
    file.resize(film + 1_200_000, 7);
    let directory = file.len();
    file.extend(b"SEFH\x6b\0\0\0\x01\0\0\0\0\0\x30\x0a");
    file.extend(((directory - block) as u32).to_le_bytes());
    file.extend(((directory - block) as u32).to_le_bytes());
    file.extend(b"\x18\0\0\0SEFT");
    (file, film)
}

fn png() -> Vec<u8> {
    let header = [&be32(31)[..], &be32(17), &[8, 2, 0, 0, 0]].concat();
    let named = [&b"icc\0\0"[..], &deflated(&profile("Adobe RGB (1998)"))].concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"iCCP", &named),
        chunk(b"acTL", &[be32(12), be32(0)].concat()),
        chunk(b"IDAT", &[0; 16]),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

fn riff(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = [&kind[..], &(body.len() as u32).to_le_bytes(), body].concat();
    out.resize(out.len() + body.len() % 2, 0);
    out
}

fn webp() -> Vec<u8> {
    let extended = riff(b"VP8X", &[0x22, 0, 0, 0, 63, 0, 0, 31, 0, 0]);
    let frame = riff(b"ANMF", &[0; 40_000]);
    let body = [b"WEBP".to_vec(), extended, riff(b"ICCP", &profile("sRGB")), frame.repeat(5)].concat();
    riff(b"RIFF", &body)
}

fn gif() -> Vec<u8> {
    let image = [&b"\x2c\0\0\0\0\x02\0\x02\0\0\x02"[..], &[&[200][..], &[1; 200]].concat().repeat(200), &[0]]
        .concat();
    [b"GIF89a\x02\0\x02\0\0\0\0".to_vec(), image.repeat(4), b";".to_vec()].concat()
}

/// A still with a profile and an auxiliary picture.
fn heic() -> Vec<u8> {
    let ftyp = boxed(b"ftyp", b"heic\0\0\0\0mif1heic");
    let ispe = full(b"ispe", &[be32(4032), be32(3024)].concat());
    let colr = boxed(b"colr", &[b"prof".to_vec(), profile("Display P3")].concat());
    let aux = full(b"auxC", b"urn:com:apple:photo:2020:aux:hdrgainmap\0");
    let ipco = boxed(b"ipco", &[ispe, colr, aux].concat());
    let ipma = boxed(b"ipma", &[0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 1, 2]);
    let pitm = boxed(b"pitm", &[0, 0, 0, 0, 0, 1]);
    [ftyp, full(b"meta", &[pitm, boxed(b"iprp", &[ipco, ipma].concat())].concat())].concat()
}

/// A film with a track of chapters, which the first track names.
fn chaptered(list: Option<Vec<u8>>) -> Vec<u8> {
    let ftyp = boxed(b"ftyp", b"isom\0\0\x02\0isomavc1");
    let samples = b"\0\x05Begin\0\x03End".to_vec();
    let at = ftyp.len() as u32 + 8;
    let tkhd = full(b"tkhd", &[&be32(0)[..], &be32(0), &be32(2), &[0; 68]].concat());
    let mdhd = full(b"mdhd", &[be32(0), be32(0), be32(1000), be32(5000), be32(0)].concat());
    let hdlr = full(b"hdlr", b"\0\0\0\0text\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let stts = full(b"stts", &[be32(2), be32(1), be32(1500), be32(1), be32(3500)].concat());
    let stsc = full(b"stsc", &[be32(1), be32(1), be32(2), be32(1)].concat());
    let stsz = full(b"stsz", &[be32(0), be32(2), be32(7), be32(5)].concat());
    let stco = full(b"stco", &[be32(1), be32(at)].concat());
    let stbl = boxed(b"stbl", &[stts, stsc, stsz, stco].concat());
    let mdia = boxed(b"mdia", &[mdhd, hdlr, boxed(b"minf", &stbl)].concat());
    let texts = boxed(b"trak", &[tkhd, mdia].concat());
    let chap = boxed(b"trak", &boxed(b"tref", &boxed(b"chap", &be32(2))));
    let udta = list.map_or(Vec::new(), |list| boxed(b"udta", &boxed(b"chpl", &list)));
    let film = moov();
    let whole = boxed(b"moov", &[&film[8..], &chap, &texts, &udta].concat());
    [ftyp, boxed(b"mdat", &samples), whole].concat()
}

/// A film with a packet of XMP in front of its header.
fn film_with_xmp() -> Vec<u8> {
    let identifier = b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac";
    let packet = b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description xmp:Rating='4' xmp:Label='Green'>\
        <Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Ana</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage></rdf:Description></rdf:RDF>";
    let uuid = boxed(b"uuid", &[&identifier[..], packet].concat());
    [boxed(b"ftyp", b"isom\0\0\x02\0isomavc1"), uuid, moov()].concat()
}

/// An item of iTunes' list.
fn item(kind: &[u8; 4], format: u32, value: &[u8]) -> Vec<u8> {
    boxed(kind, &boxed(b"data", &[&be32(format)[..], &be32(0), value].concat()))
}

fn m4a() -> Vec<u8> {
    let free = [full(b"mean", b"com.apple.iTunes"), full(b"name", b"replaygain_track_gain")].concat();
    let free =
        boxed(b"----", &[free, boxed(b"data", &[&be32(1)[..], &be32(0), b"-3.5 dB"].concat())].concat());
    let list = [
        item(b"trkn", 0, &[0, 0, 0, 4, 0, 9, 0, 0]),
        item(b"disk", 0, &[0, 0, 0, 1, 0, 2]),
        item(b"gnre", 0, &[0, 18]),
        item(b"tmpo", 21, &[0, 90]),
        item(b"cpil", 21, &[1]),
        item(b"\xa9day", 1, b"2004-05-06T07:00:00Z"),
        item(b"\xa9lyr", 1, b"la la"),
        free,
    ];
    let meta = full(
        b"meta",
        &[full(b"hdlr", b"\0\0\0\0mdirappl\0\0\0\0\0\0\0\0\0"), boxed(b"ilst", &list.concat())].concat(),
    );
    let film = moov();
    [boxed(b"ftyp", b"M4A \0\0\x02\0"), boxed(b"moov", &[&film[8..], &boxed(b"udta", &meta)].concat())]
        .concat()
}

fn mkv() -> Vec<u8> {
    let head = ebml(&[0x1a, 0x45, 0xdf, 0xa3], &ebml(&[0x42, 0x82], b"matroska"));
    let info = [ebml(&[0x2a, 0xd7, 0xb1], &[0x0f, 0x42, 0x40]), ebml(&[0x44, 0x89], &5000f64.to_be_bytes())]
        .concat();
    let colour = ebml(&[0x55, 0xb0], &[ebml(&[0x55, 0xba], &[16]), ebml(&[0x55, 0xbb], &[9])].concat());
    let video = ebml(&[0xe0], &[ebml(&[0xb0], &[1, 64]), ebml(&[0xba], &[240]), colour].concat());
    let dolby = ebml(
        &[0x41, 0xe4],
        &[ebml(&[0x41, 0xe7], b"dvvC"), ebml(&[0x41, 0xed], &[1, 0, 0x10, 0x25, 0x10])].concat(),
    );
    let track =
        [ebml(&[0xd7], &[1]), ebml(&[0x83], &[1]), ebml(&[0x86], b"V_MPEGH/ISO/HEVC"), dolby, video].concat();
    let atom = |start: u64, title: &str| {
        let shown = ebml(&[0x80], &ebml(&[0x85], title.as_bytes()));
        ebml(&[0xb6], &[ebml(&[0x91], &start.to_be_bytes()), shown].concat())
    };
    let hidden = ebml(&[0xb6], &[ebml(&[0x91], &[9]), ebml(&[0x98], &[1])].concat());
    let edition = ebml(&[0x45, 0xb9], &[atom(0, "One"), hidden, atom(2_500_000_000, "Two")].concat());
    let tag = |level: u8, name: &str, value: &str| {
        let target = ebml(&[0x63, 0xc0], &ebml(&[0x68, 0xca], &[level]));
        let simple = [ebml(&[0x45, 0xa3], name.as_bytes()), ebml(&[0x44, 0x87], value.as_bytes())].concat();
        ebml(&[0x73, 0x73], &[target, ebml(&[0x67, 0xc8], &simple)].concat())
    };
    let tags = [
        tag(50, "TOTAL_PARTS", "11"),
        tag(30, "PART_NUMBER", "7"),
        tag(30, "GENRE", "Jazz"),
        tag(50, "DATE_RELEASED", "2001"),
    ];
    let segment = [
        ebml(&[0x15, 0x49, 0xa9, 0x66], &info),
        ebml(&[0x16, 0x54, 0xae, 0x6b], &ebml(&[0xae], &track)),
        ebml(&[0x10, 0x43, 0xa7, 0x70], &edition),
        ebml(&[0x12, 0x54, 0xc3, 0x67], &tags.concat()),
        ebml(&[0x1f, 0x43, 0xb6, 0x75], &ebml(&[0xe7], &[0])),
    ];
    [head, ebml(&[0x18, 0x53, 0x80, 0x67], &segment.concat())].concat()
}

/// A camcorder's stream: a parameter set, then the message with the date.
fn camcorder() -> Vec<u8> {
    let identifier = b"\x17\xee\x8c\x60\xf8\x4d\x11\xd9\x8c\xd6\x08\x00\x20\x0c\x9a\x66MDPM";
    let entries =
        [&[3u8, 0x18, 0x12, 0x20, 0x10, 0x06][..], &[0x19, 0x15, 0x12, 0x34, 0x56], &[0xe0, 1, 8, 0, 2]]
            .concat();
    let set = [0, 0, 1, 0x67, 100, 0, 40, 0xac, 0x2c, 0xa5];
    transport(0x1b, &[&set[..], &[0, 0, 1, 6, 5, 36], identifier, &entries, &[0x80]].concat())
}

fn pdf(page: &str, trailer: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.4\n".to_vec();
    let objects = [
        "1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj\n".to_owned(),
        "2 0 obj << /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 612 792] >> endobj\n".to_owned(),
        format!("3 0 obj << /Type /Page /Parent 2 0 R {page} >> endobj\n"),
        "4 0 obj 300 endobj\n".to_owned(),
    ];
    let mut places = Vec::new();
    for o in objects {
        places.push(out.len());
        out.extend(o.as_bytes());
    }
    let start = out.len();
    out.extend(b"xref\n0 5\n0000000000 65535 f \n");
    for at in places {
        out.extend(format!("{at:010} 00000 n \n").as_bytes());
    }
    out.extend(
        format!("trailer << /Size 5 /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n").as_bytes(),
    );
    out
}

fn pptx() -> Vec<u8> {
    let app = b"<Properties><Slides>3</Slides><Words>40</Words></Properties>";
    zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        (
            "ppt/presentation.xml",
            b"<p:presentation xmlns:p='p'><p:sldSz cx='12192000' cy='6858000'/></p:presentation>",
        ),
        ("docProps/app.xml", app),
    ])
}

fn docx() -> Vec<u8> {
    let styles = b"<w:styles xmlns:w='w'><w:docDefaults><w:rPrDefault><w:rPr><w:lang w:val='de-DE'/></w:rPr></w:rPrDefault></w:docDefaults></w:styles>";
    zip(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("word/styles.xml", styles),
        ("docProps/app.xml", b"<Properties><Pages>1</Pages><Words>512</Words></Properties>"),
    ])
}

fn ods() -> Vec<u8> {
    let meta =
        b"<m xmlns:meta='meta'><meta:document-statistic meta:table-count='4' meta:word-count='20'/></m>";
    let styles = b"<o xmlns:s='style' xmlns:fo='fo'><s:default-style><s:text-properties fo:language='pt' fo:country='BR'/></s:default-style>
        <s:page-layout s:name='a'><s:page-layout-properties fo:page-width='1in' fo:page-height='1in'/></s:page-layout>
        <s:page-layout s:name='b'><s:page-layout-properties fo:page-width='8.5in' fo:page-height='11in'/></s:page-layout>
        <s:master-page s:name='Default' s:page-layout-name='b'/></o>";
    let mime = b"application/vnd.oasis.opendocument.spreadsheet";
    zip(&[("mimetype", mime), ("meta.xml", meta), ("styles.xml", styles)])
}

#[test]
fn files_say_more_than_imm_asks() {
    let (trailer, film) = samsung();
    let one =
        |start: u64, title: &str| [&start.to_be_bytes()[..], &[title.len() as u8], title.as_bytes()].concat();
    let nero = [vec![1, 0, 0, 0, 0, 0, 0, 0, 1], one(20_000_000, "Nero")].concat();
    let table: Vec<(&str, Vec<u8>, Value)> = vec![
        ("a.jpg", profiled(), json!({"ColorProfile": "Display P3", "GainMap": "iso21496"})),
        ("b.jpg", trailer, json!({"MotionPhotoOffset": film})),
        (
            "c.jpg",
            jpeg(&[segment(0xe1, &[b"Exif\0\0".to_vec(), exif_block()].concat())], &[]),
            json!({"MotionPhotoOffset": null}),
        ),
        (
            "a.png",
            png(),
            json!({"ColorProfile": "Adobe RGB (1998)", "FrameCount": 12, "ContentType": "image/apng"}),
        ),
        ("a.webp", webp(), json!({"ColorProfile": "sRGB", "FrameCount": 5})),
        ("a.gif", gif(), json!({"FrameCount": 4})),
        ("a.heic", heic(), json!({"ColorProfile": "Display P3", "GainMap": "apple"})),
        (
            "a.mp4",
            chaptered(None),
            json!({"Chapters": [{"Title": "Begin", "StartTime": 0.0}, {"Title": "End", "StartTime": 1.5}]}),
        ),
        ("b.mp4", chaptered(Some(nero)), json!({"Chapters": [{"Title": "Nero", "StartTime": 2.0}]})),
        ("c.mp4", film_with_xmp(), json!({"Rating": 4, "ColorLabel": "Green", "Persons": ["Ana"]})),
        (
            "a.m4a",
            m4a(),
            json!({"TrackNumber": 4, "TrackTotal": 9, "DiscNumber": 1, "DiscTotal": 2, "Genre": "Rock", "BPM": 90.0,
                "Compilation": true, "ReleaseDate": "2004-05-06", "Lyrics": "la la", "ReplayGainTrackGain": -3.5}),
        ),
        (
            "a.mkv",
            mkv(),
            json!({"Chapters": [{"Title": "One", "StartTime": 0.0}, {"Title": "Two", "StartTime": 2.5}],
                "HDRFormat": ["Dolby Vision", "HDR10"], "TrackNumber": 7, "TrackTotal": 11, "Genre": "Jazz", "ReleaseDate": "2001"}),
        ),
        (
            "a.mts",
            camcorder(),
            json!({"ProduceTime": "2010-06-15T12:34:56+09:00", "Timezone": "+09:00", "EXIF": {"Make": "Sony"}}),
        ),
        ("a.pdf", pdf("", ""), json!({"PageWidth": 612.0, "PageHeight": 792.0, "Encrypted": null})),
        ("b.pdf", pdf("/CropBox [100 700 10 -5]", ""), json!({"PageWidth": 90.0, "PageHeight": 700.0})),
        (
            "c.pdf",
            pdf("/MediaBox [0 0 4 0 R 200] /Rotate 90", ""),
            json!({"PageWidth": 200.0, "PageHeight": 300.0}),
        ),
        (
            "d.pdf",
            pdf("/MediaBox [0 0 0 0]", "/Encrypt << /Filter /Other >>"),
            json!({"PageWidth": null, "Encrypted": true}),
        ),
        (
            "a.pptx",
            pptx(),
            json!({"PageWidth": 960.0, "PageHeight": 540.0, "SlideCount": 3, "WordCount": 40}),
        ),
        ("a.docx", docx(), json!({"Language": "de-DE", "WordCount": 512})),
        ("a.ods", ods(), json!({"Language": "pt-BR", "PageWidth": 612.0, "SheetCount": 4, "WordCount": 20})),
    ];
    let mut wrong = Vec::new();
    for (name, bytes, want) in table {
        let record = run(&bytes, name, Limits::default());
        let got = metadata(&record);
        for (field, want) in want.as_object().unwrap() {
            if got.get(field).unwrap_or(&Value::Null) != want {
                wrong.push(format!("{name} {field}: want {want}, got {}; {:?}", got[field], record.reason()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn chapters_past_any_end_are_survived() {
    let file = chaptered(None);
    let at = file.windows(4).position(|w| w == b"stco").unwrap();
    for bytes in [[0xff; 4], [0x7f, 0xff, 0xff, 0xff], [0, 0, 0, 1]] {
        let mut damaged = file.clone();
        damaged[at + 12..at + 16].copy_from_slice(&bytes);
        let record = run(&damaged, "a.mp4", Limits::default());
        let starts: Vec<f64> = record.metadata.extra.chapters.iter().map(|c| c.start_time).collect();
        assert_eq!(starts, [0.0, 1.5], "{:?}", record.reason());
    }
    // The same with offsets of 64 bits.
    let mut wide = file[..at].to_vec();
    wide.extend([&b"co64"[..], &[0, 0, 0, 0, 0, 0, 0, 1], &[0xff; 8]].concat());
    let record = run(&wide, "a.mp4", Limits::default());
    assert!(
        !record.problems.iter().any(|p| p.kind == mediadex_media::ProblemKind::Panic),
        "{:?}",
        record.reason()
    );
}

#[test]
fn what_is_cut_is_said() {
    let frame = |id: &[u8; 4], body: &[u8]| [&id[..], &be32(body.len() as u32), &[0, 0], body].concat();
    let song = |tag: Vec<u8>| {
        let len = tag.len() as u32;
        let size = [21, 14, 7, 0].map(|shift| (len >> shift & 0x7f) as u8);
        [b"ID3\x03\0\0".to_vec(), size.to_vec(), tag, frames(40)].concat()
    };
    let lyrics = frame(b"USLT", &[&b"\0eng\0"[..], &b"la ".repeat(3000)].concat());
    let chapters: Vec<u8> = (0..600u32)
        .flat_map(|n| frame(b"CHAP", &[&b"c\0"[..], &be32(n * 1000), &[0xff; 12]].concat()))
        .collect();
    let table = [("Lyrics", song(lyrics)), ("Chapters", song(chapters))];
    for (what, bytes) in table {
        let record = run(&bytes, "a.mp3", Limits::default());
        let said = record.problems.iter().any(|p| p.what == what);
        assert!(said, "{what}: {:?}", record.reason());
        let length = serde_json::to_string(&record.metadata.extra).unwrap().len();
        assert!(length < 64 * 1024, "{what}: {length}");
    }
}

#[test]
fn a_picture_without_a_trailer_costs_one_more_read_at_most() {
    let (file, _) = samsung();
    let record = run(&file, "a.jpg", Limits::default());
    assert_eq!(record.gets(), 2);
    assert!(record.bytes_read < 128 * 1024, "{}", record.bytes_read);
}
