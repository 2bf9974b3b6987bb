//! What stands in a file far from its head is read, or the record says that it was not.

use crate::samples::{boxed, le, riff, segment};
use mediadex_media::{Limits, Record};

fn record(bytes: &[u8], name: &str) -> Record {
    crate::run(bytes, name, Limits::default())
}

/// Whether the record is Partial and the reason names `what`.
fn says(record: &Record, what: &str) -> bool {
    record.reason().is_some_and(|reason| reason.contains(what))
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], kind, body, &[0; 4]].concat()
}

/// A picture in pieces of `piece` bytes, with `behind` in front of its end.
fn png(piece: usize, pieces: usize, behind: &[Vec<u8>]) -> Vec<u8> {
    let header = [0, 0, 0, 31, 0, 0, 0, 17, 8, 2, 0, 0, 0];
    let mut out = [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &header)].concat();
    for _ in 0..pieces {
        out.extend(chunk(b"IDAT", &noise(piece)));
    }
    out.extend(chunk(b"IDAT", &noise(piece / 2)));
    out.extend(behind.concat());
    out.extend(chunk(b"IEND", &[]));
    out
}

#[test]
fn texts_behind_the_image_data_of_a_png() {
    let title = || chunk(b"tEXt", b"Title\0Harbour");
    let long = |len: usize| chunk(b"tEXt", &[&b"Note\0"[..], &vec![b'x'; len]].concat());
    // The length of the pieces and of the text in front of which the title stands.
    for (piece, pieces, text) in [
        (8192, 200, 0),
        (8192, 200, 40_000),
        (8192, 200, 400_000),
        (65_536, 40, 0),
        (65_536, 40, 100_000),
        (300_000, 10, 0),
        (300_000, 10, 200_000),
        (3_000_000, 0, 0),
    ] {
        let bytes = png(piece, pieces, &[title(), long(text)]);
        let found = record(&bytes, "a.png");
        assert_eq!(found.metadata.title.as_deref(), Some("Harbour"), "{piece} {text}");
        assert!(!found.is_partial(), "{piece} {text}: {:?}", found.reason());
        assert!(found.gets() <= 4, "{piece} {text}: {} reads", found.gets());
    }
    // Further away than is looked: said.
    let found = record(&png(8192, 200, &[title(), long(700_000)]), "a.png");
    assert!(found.metadata.title.is_some() || says(&found, "behind the image data"), "{:?}", found.reason());
    // A picture without texts is whole, and one that was cut is said to be.
    let plain = png(65_536, 40, &[]);
    assert!(!record(&plain, "a.png").is_partial());
    assert!(record(&plain[..plain.len() - 100_000], "a.png").is_partial());
}

fn ebml(id: &[u8], body: &[u8]) -> Vec<u8> {
    [id, &(body.len() as u64 | 1 << 56).to_be_bytes()[..], body].concat()
}

fn simple_tag(name: &str, value: &str) -> Vec<u8> {
    let simple = [ebml(&[0x45, 0xa3], name.as_bytes()), ebml(&[0x44, 0x87], value.as_bytes())].concat();
    ebml(&[0x73, 0x73], &[ebml(&[0x63, 0xc0], &[]), ebml(&[0x67, 0xc8], &simple)].concat())
}

fn attachment(mime: &str, data: &[u8]) -> Vec<u8> {
    ebml(&[0x61, 0xa7], &[ebml(&[0x46, 0x60], mime.as_bytes()), ebml(&[0x46, 0x5c], data)].concat())
}

fn cover() -> Vec<u8> {
    let frame = segment(0xc0, &[8, 0, 50, 0, 100, 1, 1, 0x11, 0]);
    [&[0xff, 0xd8][..], &frame, &[0xff, 0xd9]].concat()
}

const SEEK_HEAD: &[u8] = &[0x11, 0x4d, 0x9b, 0x74];
const TAGS: &[u8] = &[0x12, 0x54, 0xc3, 0x67];
const ATTACHMENTS: &[u8] = &[0x19, 0x41, 0xa4, 0x69];

fn seek_head(to: &[(&[u8], u64)]) -> Vec<u8> {
    let seeks: Vec<Vec<u8>> = to
        .iter()
        .map(|(id, at)| {
            ebml(&[0x4d, 0xbb], &[ebml(&[0x53, 0xab], id), ebml(&[0x53, 0xac], &at.to_be_bytes())].concat())
        })
        .collect();
    ebml(SEEK_HEAD, &seeks.concat())
}

/// A film whose seek head names what stands behind 3 MB of clusters: elements by their ids.
fn mkv(front: &[u8], behind: &[(&[u8], Vec<u8>)]) -> Vec<u8> {
    let head = ebml(&[0x1a, 0x45, 0xdf, 0xa3], &ebml(&[0x42, 0x82], b"matroska"));
    let info = ebml(&[0x44, 0x89], &5000f64.to_be_bytes());
    let video = ebml(&[0xe0], &[ebml(&[0xb0], &[1, 64]), ebml(&[0xba], &[240])].concat());
    let track = [ebml(&[0xd7], &[1]), ebml(&[0x83], &[1]), ebml(&[0x86], b"V_VP9"), video].concat();
    let parts = [
        ebml(&[0x15, 0x49, 0xa9, 0x66], &info),
        ebml(&[0x16, 0x54, 0xae, 0x6b], &ebml(&[0xae], &track)),
        front.to_vec(),
        ebml(&[0x1f, 0x43, 0xb6, 0x75], &[ebml(&[0xe7], &[0]), ebml(&[0xec], &noise(3_000_000))].concat()),
    ]
    .concat();
    let list = |start: u64| {
        let mut at = start + parts.len() as u64;
        let mut places = Vec::new();
        for (id, bytes) in behind {
            places.push((*id, at));
            at += bytes.len() as u64;
        }
        seek_head(&places)
    };
    let lead = list(0).len() as u64;
    let late: Vec<u8> = behind.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    [head, ebml(&[0x18, 0x53, 0x80, 0x67], &[list(lead), parts, late].concat())].concat()
}

#[test]
fn what_seek_heads_of_matroska_name() {
    let title = || ebml(TAGS, &simple_tag("TITLE", "Night bus"));
    let artist = || ebml(TAGS, &simple_tag("ARTIST", "Mira Vale"));
    // Tags in front, and more of them behind the clusters.
    let found = record(&mkv(&title(), &[(TAGS, artist())]), "a.mkv");
    let m = &found.metadata;
    assert_eq!((m.title.as_deref(), m.artist.as_deref()), (Some("Night bus"), Some("Mira Vale")));
    // Two behind them, the first longer than one read of its own.
    let long = ebml(TAGS, &[simple_tag("X", &"y".repeat(60_000)), simple_tag("TITLE", "Night bus")].concat());
    let found = record(&mkv(&[], &[(TAGS, long), (TAGS, artist())]), "a.mkv");
    let m = &found.metadata;
    assert_eq!((m.title.as_deref(), m.artist.as_deref()), (Some("Night bus"), Some("Mira Vale")));
    assert!(!found.is_partial(), "{:?}", found.reason());
    // A cover behind a font.
    let fonts = |n: usize| {
        let mut all = vec![attachment("font/ttf", &noise(200_000)); n];
        all.push(attachment("image/jpeg", &cover()));
        ebml(ATTACHMENTS, &all.concat())
    };
    let found = record(&mkv(&[], &[(ATTACHMENTS, fonts(1))]), "a.mkv");
    assert_eq!(found.metadata.audio_covers.first().and_then(|c| c.image_width), Some(100));
    assert!(!found.is_partial(), "{:?}", found.reason());
    // More fonts than are passed over.
    let found = record(&mkv(&[], &[(ATTACHMENTS, fonts(12))]), "a.mkv");
    assert!(says(&found, "attachments"), "{:?}", found.reason());
}

/// FLAC with comments and so many covers.
fn flac(comments: &[String], covers: usize) -> Vec<u8> {
    let packed = (44_100u64 << 44) | (1 << 41) | (15 << 36) | 88_200;
    let info = [&[16, 0, 16, 0, 0, 0, 0, 0, 0, 0][..], &packed.to_be_bytes(), &[0; 16]].concat();
    let le = |n: usize| (n as u32).to_le_bytes();
    let mut texts = [&le(0)[..], &le(comments.len())].concat();
    for text in comments {
        texts.extend([&le(text.len())[..], text.as_bytes()].concat());
    }
    let picture = [[0u8; 12].as_slice(), &[0, 0, 0, 9], &[0, 0, 0, 9], &[0; 12]].concat();
    let block = |kind: u8, body: &[u8]| [&[kind][..], &(body.len() as u32).to_be_bytes()[1..], body].concat();
    let pictures: Vec<u8> = (0..covers).flat_map(|_| block(6, &picture)).collect();
    [b"fLaC".to_vec(), block(0, &info), pictures, block(0x84, &texts), vec![0xff, 0xf8, 0, 0]].concat()
}

#[test]
fn more_values_than_are_kept_are_said() {
    let artists = |n: usize| (0..n).map(|i| format!("ARTIST=Artist {i}")).collect::<Vec<_>>();
    let found = record(&flac(&artists(16), 8), "a.flac");
    assert!(!found.is_partial(), "{:?}", found.reason());
    assert_eq!((found.metadata.authors.len(), found.metadata.audio_covers.len()), (16, 8));
    assert!(says(&record(&flac(&artists(17), 1), "a.flac"), "Artist"));
    assert!(says(&record(&flac(&artists(1), 9), "a.flac"), "AudioCovers"));
    let datasets: Vec<u8> = [0x1c, 2, 5, 0, 4, b'T', b'e', b'x', b't', 0x1c, 2, 120, 0x01, 0, b'c'].to_vec();
    let resource = [&b"8BIM\x04\x04\0\0"[..], &(datasets.len() as u32).to_be_bytes(), &datasets].concat();
    let body = [&b"Photoshop 3.0\0"[..], &resource, &[0]].concat();
    let frame = segment(0xc0, &[8, 0, 50, 0, 100, 1, 1, 0x11, 0]);
    let scan = segment(0xda, &[1, 1, 0, 0, 63, 0]);
    let jpeg = [&[0xff, 0xd8][..], &segment(0xed, &body), &frame, &scan, &[0x12, 0xff, 0xd9]].concat();
    let found = record(&jpeg, "a.jpg");
    assert_eq!(found.metadata.title.as_deref(), Some("Text"));
    assert!(says(&found, "iptc"), "{:?}", found.reason());
}

/// WMA: a content description, and an extended one.
fn asf(author: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).chain([0, 0]).collect::<Vec<u8>>();
    let short = |n: usize| (n as u16).to_le_bytes();
    let object = |id: [u8; 4], body: &[u8]| {
        [&id[..], &[0; 12], &(body.len() as u64 + 24).to_le_bytes(), body].concat()
    };
    let author = wide(author);
    let content = [&short(0)[..], &short(author.len()), &[0; 6], &author].concat();
    let mut extended = short(more.len()).to_vec();
    for (name, value) in more {
        let (name, value) = (wide(name), wide(value));
        extended.extend([&short(name.len())[..], &name, &[0, 0], &short(value.len()), &value].concat());
    }
    let objects =
        [object([0x33, 0x26, 0xb2, 0x75], &content), object([0x40, 0xa4, 0xd0, 0xd2], &extended)].concat();
    let id = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c";
    [&id[..], &(objects.len() as u64 + 30).to_le_bytes(), &[2, 0, 0, 0, 1, 2], &objects].concat()
}

#[test]
fn several_artists_of_asf() {
    let more = [
        ("Author", "Two"),
        ("WM/AlbumArtist", "A"),
        ("WM/AlbumArtist", "B"),
        ("WM/Composer", "C"),
        ("Author", "One"),
    ];
    let m = record(&asf("One", &more), "a.wma").metadata;
    assert_eq!((m.artist.as_deref(), m.album_artist.as_deref()), (Some("One;Two"), Some("A;B")));
    assert_eq!(
        (m.composer.as_deref(), m.authors.as_slice()),
        (Some("C"), &["One".to_owned(), "Two".into()][..])
    );
    let one = record(&asf("One", &[]), "a.wma").metadata;
    assert_eq!((one.artist.as_deref(), one.authors.len()), (Some("One"), 0));
}

#[test]
fn pictures_of_other_headers() {
    // HEIF's minimised header: flags, chroma, orientation 6, 15 bits a side.
    let bits = format!("{:02b}{:09b}{:02b}{:03b}0{:015b}{:015b}0", 0, 0, 0, 5, 3999, 2999);
    let fields: Vec<u8> = bits
        .as_bytes()
        .chunks(8)
        .map(|c| c.iter().enumerate().fold(0, |n, (i, b)| n | (b - b'0') << (7 - i)))
        .collect();
    let mini = [boxed(b"ftyp", b"mif3avif"), boxed(b"mini", &[&fields[..], &[0; 40]].concat())].concat();
    let m = record(&mini, "a.avif").metadata;
    assert_eq!((m.image_width, m.image_height, m.orientation), (Some(4000), Some(3000), Some(6)));
    assert_eq!(m.content_type.as_deref(), Some("image/avif"));
    let m = record(b"PF\n768 512\n-1.0\n\0\0\0\0", "a.pfm").metadata;
    assert_eq!((m.image_width, m.image_height), (Some(768), Some(512)));
    // JPEG XR: a directory with tags of its own.
    let entry = |tag: u16, value: u32| {
        [&tag.to_le_bytes()[..], &4u16.to_le_bytes(), &1u32.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let jxr =
        [&b"II\xbc\x01\x08\0\0\0\x02\0"[..], &entry(0xbc80, 1000), &entry(0xbc81, 667), &[0; 4]].concat();
    let m = record(&jxr, "a.jxr").metadata;
    assert_eq!((m.image_width, m.image_height), (Some(1000), Some(667)));
    assert_eq!(m.content_type.as_deref(), Some("image/jxr"));
}

#[test]
fn how_motion_jpeg_in_a_film_is_sampled() {
    let full = |kind: &[u8; 4], body: &[u8]| boxed(kind, &[&[0; 4][..], body].concat());
    let film = |sampling: u8, front: bool| {
        let luma = [8, 0, 50, 0, 100, 3, 1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1];
        let frame = [&[0xff, 0xd8][..], &segment(0xdb, &[0; 65]), &segment(0xc0, &luma), &[0; 3000]].concat();
        let movie = |at: u32| {
            let mdhd =
                full(b"mdhd", &[&[0; 8][..], &30u32.to_be_bytes(), &60u32.to_be_bytes(), &[0; 4]].concat());
            let hdlr = full(b"hdlr", b"\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0\0");
            let mut entry = vec![0; 78];
            entry[24..28].copy_from_slice(&[0, 100, 0, 50]);
            let stsd = full(b"stsd", &[&[0, 0, 0, 1][..], &boxed(b"jpeg", &entry)].concat());
            let stco = full(b"stco", &[&[0, 0, 0, 1][..], &at.to_be_bytes()].concat());
            let minf = boxed(b"minf", &boxed(b"stbl", &[stsd, stco].concat()));
            boxed(b"moov", &boxed(b"trak", &boxed(b"mdia", &[mdhd, hdlr, minf].concat())))
        };
        let ftyp = boxed(b"ftyp", b"qt  \0\0\0\0qt  ");
        // The frames stand in front of the film's head, or megabytes behind it.
        let (gap, len) = (vec![0; 2_000_000], movie(0).len());
        match front {
            true => [&ftyp[..], &boxed(b"mdat", &frame), &movie(ftyp.len() as u32 + 8)].concat(),
            false => {
                let at = (ftyp.len() + len + 8 + gap.len()) as u32;
                [&ftyp[..], &movie(at), &boxed(b"mdat", &[gap, frame].concat())].concat()
            }
        }
    };
    for (sampling, front, want) in [
        (0x21, true, "yuvj422p"),
        (0x21, false, "yuvj422p"),
        (0x22, true, "yuvj420p"),
        (0x11, false, "yuvj444p"),
    ] {
        let found = record(&film(sampling, front), "a.mov");
        let format = found.metadata.video_streams.first().and_then(|v| v.pixel_format.as_deref());
        assert_eq!(format, Some(want), "{:?}", found.reason());
    }
}

#[test]
fn texts_of_the_macintosh() {
    // A text's length, language 0, the letters.
    let text = |raw: &[u8]| [&(raw.len() as u16).to_be_bytes()[..], &[0, 0], raw].concat();
    let film = |raw: &[u8]| {
        let movie = crate::samples::moov();
        let inner = [&movie[8..], &boxed(b"udta", &boxed(b"\xa9ART", &text(raw)))].concat();
        [boxed(b"ftyp", b"qt  \0\0\0\0qt  "), boxed(b"moov", &inner)].concat()
    };
    for (raw, want) in
        [(&b"c\xbfmp\xbfs\x8er"[..], "c\u{f8}mp\u{f8}s\u{e9}r"), ("M\u{fc}ller".as_bytes(), "M\u{fc}ller")]
    {
        assert_eq!(record(&film(raw), "a.mov").metadata.artist.as_deref(), Some(want));
    }
}

#[test]
fn an_encrypted_office_file_is_named_by_its_name() {
    let mut head = vec![0; 512];
    head[..8].copy_from_slice(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    (head[30], head[32], head[48], head[57]) = (9, 6, 1, 16);
    head[60..64].fill(0xff);
    head[68..].fill(0xff);
    head[76..80].fill(0);
    // The table: itself, the directory's one sector.
    let mut table = vec![0xff; 512];
    (table[0], table[4]) = (0xfd, 0xfe);
    let entry = |name: &str, kind: u8, child: u8| {
        let mut b = vec![0; 128];
        let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        b[..wide.len()].copy_from_slice(&wide);
        (b[64], b[66]) = (wide.len() as u8 + 2, kind);
        b[68..80].fill(0xff);
        if child > 0 {
            b[76..80].copy_from_slice(&[child, 0, 0, 0]);
        }
        b
    };
    let directory = [entry("Root Entry", 5, 1), entry("EncryptedPackage", 2, 0), vec![0; 256]].concat();
    let file = [head, table, directory].concat();
    for (name, want) in [
        ("plan.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("plan.DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("plan", "application/x-tika-ooxml-protected"),
    ] {
        let found = record(&file, name);
        assert_eq!(found.metadata.content_type.as_deref(), Some(want), "{name}");
        assert!(says(&found, "encrypted"), "{name}: {:?}", found.reason());
    }
}

#[test]
fn more_tags_of_exif_than_are_kept_are_said() {
    let few = Limits { max_exif_tags: 2, ..Limits::default() };
    let jpeg = crate::samples::jpeg();
    let (all, some) = (record(&jpeg, "a.jpg"), crate::run(&jpeg, "a.jpg", few));
    assert!(!says(&all, "tags are kept") && all.metadata.exif.as_ref().is_some_and(|e| e.len() > 2));
    assert!(says(&some, "exif: the first 2 tags are kept"), "{:?}", some.reason());
    // Fields of their own do not depend on it.
    assert_eq!(some.metadata.orientation, all.metadata.orientation);
    assert_eq!(some.metadata.authors, all.metadata.authors);
}

#[test]
fn long_chunks_of_aiff_and_wav_are_said() {
    let long = vec![b'x'; 1_100_000];
    let form = |kind: &[u8; 4]| {
        let chunk = [&kind[..], &(long.len() as u32).to_be_bytes(), &long].concat();
        let common =
            [&b"COMM\0\0\0\x12\0\x01\0\0\0\x08\0\x08"[..], &[0x40, 0x0c, 0xfa, 0, 0, 0, 0, 0, 0, 0]].concat();
        let body = [&b"AIFF"[..], &common, &chunk].concat();
        [&b"FORM"[..], &(body.len() as u32).to_be_bytes(), &body].concat()
    };
    assert!(says(&record(&form(b"NAME"), "a.aiff"), "chunk"));
    assert!(!says(&record(&form(b"XXXX"), "a.aiff"), "chunk"));
    let wave = |kind: &[u8; 4]| {
        let list = [&b"LIST"[..], &(long.len() as u32 + 4).to_le_bytes(), kind, &long].concat();
        let format = b"fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0";
        let body = [&b"WAVE"[..], format, &list, b"data\x04\0\0\0\0\0\0\0"].concat();
        [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat()
    };
    assert!(says(&record(&wave(b"INFO"), "a.wav"), "LIST"));
    assert!(!says(&record(&wave(b"adtl"), "a.wav"), "LIST"));
}

#[test]
fn more_streams_than_are_kept_are_said() {
    let film = |streams: usize| {
        let header =
            riff(b"strh", &[b"vidsXVID".to_vec(), le(&[0, 0, 0, 1, 25, 0, 100, 0, 0, 0, 0, 0])].concat());
        let list = riff(b"LIST", &[b"strl".to_vec(), header].concat()).repeat(streams);
        let main = riff(b"avih", &le(&[40_000, 0, 0, 0, 100, 0, 1, 0, 320, 240, 0, 0, 0, 0]));
        let header = riff(b"LIST", &[b"hdrl".to_vec(), main, list].concat());
        riff(b"RIFF", &[&b"AVI "[..], &header, &riff(b"LIST", b"movi")].concat())
    };
    let tracks = |n: usize| {
        let header = boxed(b"mvhd", &[0; 100]);
        let media = boxed(b"mdia", &boxed(b"mdhd", &[0; 24]));
        let movie = boxed(b"moov", &[header, boxed(b"trak", &media).repeat(n)].concat());
        [boxed(b"ftyp", b"isom\0\0\0\0isom"), movie].concat()
    };
    // Programs, each with a map of its own: 33 fit a packet.
    let broadcast = |packets: u16| {
        let mut out = crate::samples::transport(2, &[0, 0, 1, 0xb3, 0x2d, 0x01, 0xe0, 0x13]);
        for n in 0..packets {
            let programs: Vec<u8> = (0..33)
                .flat_map(|i| {
                    let pid = 0x400 + n * 33 + i;
                    [0, (n * 33 + i + 2) as u8, 0xe0 | (pid >> 8) as u8, pid as u8]
                })
                .collect();
            let table = [&[0, 0, 0xb0, 5 + 132 + 4][..], &[0, 1, 0xc1, 0, 0], &programs, &[0; 4]].concat();
            let mut packet = vec![0x47, 0x40, 0, 0x10];
            packet.extend(table);
            packet.resize(188, 0xff);
            out.extend(packet);
        }
        out
    };
    for (name, few, many, what) in [
        ("a.avi", film(64), film(65), "streams: the first 64 are kept"),
        ("a.mp4", tracks(256), tracks(257), "streams: the first 256 are kept"),
        ("a.ts", broadcast(1), broadcast(2), "streams: the first 64 are kept"),
    ] {
        assert!(!says(&record(&few, name), "are kept"), "{name}: {:?}", record(&few, name).reason());
        assert!(says(&record(&many, name), what), "{name}: {:?}", record(&many, name).reason());
    }
}

#[test]
fn more_descriptions_of_a_packet_than_are_read_are_said() {
    let packet = |n: usize| {
        let one = "<rdf:Description rdf:about=''><dc:format>image/jpeg</dc:format></rdf:Description>";
        let spaces = "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:dc='http://purl.org/dc/elements/1.1/'";
        let xmp = format!("http://ns.adobe.com/xap/1.0/\0<rdf:RDF {spaces}>{}</rdf:RDF>", one.repeat(n));
        let jpeg = crate::samples::jpeg();
        [&jpeg[..2], &segment(0xe1, xmp.as_bytes()), &jpeg[2..]].concat()
    };
    assert!(!says(&record(&packet(64), "a.jpg"), "xmp"));
    assert!(says(&record(&packet(65), "a.jpg"), "xmp: the packet is longer"));
}

#[test]
fn a_compound_file_with_more_sectors_than_are_read_says_so() {
    let mut head = vec![0; 512];
    head[..8].copy_from_slice(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);
    head[24..34].copy_from_slice(&[0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0]);
    head[44..48].copy_from_slice(&1u32.to_le_bytes());
    head[48..52].copy_from_slice(&2u32.to_le_bytes());
    head[60..64].copy_from_slice(&0xffff_fffeu32.to_le_bytes());
    // The index of the table is a sector that names itself as the next one.
    head[68..76].copy_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0]);
    head[76..512].fill(0xff);
    head[76..80].copy_from_slice(&1u32.to_le_bytes());
    let index: Vec<u8> = (0..128u32).flat_map(|i| u32::from(i < 127).to_le_bytes()).collect();
    // The directory goes on in a sector far behind.
    let table: Vec<u8> =
        (0..128u32).flat_map(|i| if i == 2 { 3_000_000u32 } else { 0xffff_ffff }.to_le_bytes()).collect();
    let found = record(&[head, index, table, vec![0; 512]].concat(), "a.doc");
    assert!(says(&found, "more sectors than are read"), "{:?}", found.reason());
}
