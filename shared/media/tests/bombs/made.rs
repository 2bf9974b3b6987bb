//! Hostile files of a few bytes to a few kilobytes, made here: streams that unpack to
//! many times what is read of one, counts that no bytes stand behind, and parts that lead to one another.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

/// A file and the name it goes by.
pub(crate) type Made = (String, Vec<u8>);

/// All kinds, each in several sizes.
pub(crate) fn all() -> Vec<Made> {
    let mut made = Vec::new();
    for (layers, millions) in [(1, 48), (2, 64), (3, 96)] {
        let bomb = layered(layers, millions);
        made.push((format!("objects-{layers}.pdf"), pdf_objects(&bomb, layers)));
        made.push((format!("table-{layers}.pdf"), pdf_table(&bomb, layers)));
        made.push((format!("metadata-{layers}.pdf"), pdf_metadata(&bomb, layers)));
        made.push((format!("rows-{layers}.pdf"), pdf_rows(&bomb, layers)));
    }
    for count in [100, 4000, 65_535] {
        made.push((format!("extents-{count}.heic"), heic(count, 0)));
        made.push((format!("short-extents-{count}.heic"), heic(count, 2)));
    }
    for count in [1000, 40_000, 200_000] {
        made.push((format!("attributes-{count}.xmp.jpg"), xmp_jpeg(&attributes(count))));
        made.push((format!("elements-{count}.xmp.jpg"), xmp_jpeg(&"<rdf:a>".repeat(count.min(9000)))));
        made.push((format!("attributes-{count}.png"), png_text(&packet(&attributes(count)))));
        made.push((format!("attributes-{count}.docx"), docx(&packet(&attributes(count)))));
    }
    let zeros = packed_zeros(64);
    made.push(("text.png".into(), png_packed(&zeros)));
    made.push(("part.docx".into(), docx_packed(&deflated_zeros(64))));
    made.push(("header.mov".into(), packed_movie(&zeros)));
    made.push(("frame.mp3".into(), packed_frame(&zeros)));
    made.push(("picture.svgz".into(), packed_svg()));
    made.push(("window.jxl".into(), brotli_window()));
    made.push(("counts.mov".into(), table_counts()));
    made.push(("counts.avif".into(), item_counts()));
    for count in [16, 512] {
        made.push((format!("directories-{count}.jpg"), directories(count)));
    }
    made
}

fn packed_zeros(mebibytes: usize) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..mebibytes {
        out.write_all(&zeros).unwrap();
    }
    out.finish().unwrap()
}

fn deflated_zeros(mebibytes: usize) -> Vec<u8> {
    let mut out = DeflateEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..mebibytes {
        out.write_all(&zeros).unwrap();
    }
    out.finish().unwrap()
}

/// Zeros packed again and again: the innermost layer holds `mebibytes`.
fn layered(layers: usize, mebibytes: usize) -> Vec<u8> {
    let mut bytes = packed_zeros(mebibytes);
    for _ in 1..layers {
        let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
        out.write_all(&bytes).unwrap();
        bytes = out.finish().unwrap();
    }
    bytes
}

fn stream(number: u32, dict: &str, data: &[u8], layers: usize) -> Vec<u8> {
    let filter = "/FlateDecode ".repeat(layers);
    let head = format!("{number} 0 obj\n<< {dict} /Filter [ {filter}] /Length {} >>\nstream\n", data.len());
    [head.as_bytes(), data, b"\nendstream\nendobj\n"].concat()
}

/// The catalogue is in an object stream that never ends, and the table is wrong.
fn pdf_objects(bomb: &[u8], layers: usize) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n".to_vec();
    for number in 5..13 {
        pdf.extend(stream(number, "/Type /ObjStm /N 90000 /First 8", bomb, layers));
    }
    pdf.extend(b"trailer\n<< /Root 1 0 R /Info 2 0 R >>\nstartxref\n7\n%%EOF\n");
    pdf
}

/// The cross-reference is a stream that never ends.
fn pdf_table(bomb: &[u8], layers: usize) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n".to_vec();
    pdf.extend(stream(3, "/Type /XRef /W [1 2 1] /Size 900000000 /Root 1 0 R", bomb, layers));
    pdf.extend(b"startxref\n9\n%%EOF\n");
    pdf
}

/// The cross-reference's rows are longer than the file.
fn pdf_rows(bomb: &[u8], layers: usize) -> Vec<u8> {
    let rows = "/DecodeParms << /Predictor 12 /Columns 1048576 /Colors 32 /BitsPerComponent 32 >>";
    let mut pdf = b"%PDF-1.7\n".to_vec();
    pdf.extend(stream(3, &format!("/Type /XRef /W [1 2 1] /Size 9 /Root 1 0 R {rows}"), bomb, layers));
    let short = pdf.len();
    pdf.extend(stream(4, &format!("/Type /XRef /W [1 2 1] /Size 9 {rows}"), &packed_zeros(1), 1));
    pdf.extend(format!("startxref\n{}\n%%EOF\n", if layers == 1 { short } else { 9 }).bytes());
    pdf
}

/// A good file whose XMP never ends.
fn pdf_metadata(bomb: &[u8], layers: usize) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n".to_vec();
    pdf.extend(b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R /Metadata 3 0 R >>\nendobj\n");
    pdf.extend(b"2 0 obj\n<< /Type /Pages /Count 1 /Kids [] >>\nendobj\n");
    pdf.extend(stream(3, "/Type /Metadata", bomb, layers));
    pdf.extend(b"trailer\n<< /Root 1 0 R >>\nstartxref\n0\n%%EOF\n");
    pdf
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes(), &kind[..], body].concat()
}

/// Items whose extents take no bytes at all, or two each.
fn heic(extents: u16, size: u8) -> Vec<u8> {
    let items = 200u16;
    let mut iloc = vec![1, 0, 0, 0, size << 4, 0];
    iloc.extend(items.to_be_bytes());
    for id in 0..items {
        iloc.extend([id.to_be_bytes(), [0, 0], [0, 0], extents.to_be_bytes()].concat());
        if size > 0 {
            iloc.extend(vec![0; usize::from(extents) * usize::from(size)]);
        }
        if iloc.len() > 3 << 20 {
            break;
        }
    }
    let mut infe = vec![2, 0, 0, 0, 0, 0, 0, 0];
    infe.extend(b"Exif\0");
    let mut iinf = vec![0, 0, 0, 0, 0, 1];
    iinf.extend(boxed(b"infe", &infe));
    let meta = [vec![0; 4], boxed(b"pitm", &[0; 6]), boxed(b"iinf", &iinf), boxed(b"iloc", &iloc)].concat();
    [boxed(b"ftyp", b"heic\0\0\0\0mif1heic"), boxed(b"meta", &meta)].concat()
}

fn attributes(count: usize) -> String {
    let all: String = (0..count).map(|i| format!(" a{i}=''")).collect();
    format!("<rdf:Description{all}/>")
}

fn packet(inner: &str) -> Vec<u8> {
    format!("<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF>{inner}</rdf:RDF></x:xmpmeta>").into_bytes()
}

fn segment(mark: u8, body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(65_000)];
    [&[0xff, mark], &(body.len() as u16 + 2).to_be_bytes()[..], body].concat()
}

/// A JPEG of which only the head stands: segments, a frame header, the scan.
fn jpeg(segments: &[u8]) -> Vec<u8> {
    let frame = segment(0xc0, &[8, 0, 48, 0, 64, 1, 1, 0x11, 0]);
    [&[0xff, 0xd8], segments, &frame, &[0xff, 0xda, 0, 2, 0xff, 0xd9]].concat()
}

fn xmp_jpeg(inner: &str) -> Vec<u8> {
    let body = [&b"http://ns.adobe.com/xap/1.0/\0"[..], &packet(inner)].concat();
    jpeg(&segment(0xe1, &body))
}

/// Entries that all lead to one directory of such entries.
fn directories(count: u16) -> Vec<u8> {
    let mut tiff = b"MM\0*\0\0\0\x08".to_vec();
    tiff.extend(count.to_be_bytes());
    for _ in 0..count {
        tiff.extend([0x87, 0x69, 0, 4, 0, 0, 0, 1, 0, 0, 0, 8]);
    }
    tiff.extend([0; 4]);
    jpeg(&segment(0xe1, &[&b"Exif\0\0"[..], &tiff].concat()))
}

fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), &kind[..], body, &[0; 4]].concat()
}

fn png(middle: &[u8]) -> Vec<u8> {
    let head = [&64u32.to_be_bytes()[..], &48u32.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let (head, end) = (chunk(b"IHDR", &head), chunk(b"IEND", &[]));
    [&b"\x89PNG\r\n\x1a\n"[..], &head, middle, &chunk(b"IDAT", &[0; 8]), &end].concat()
}

fn png_text(text: &[u8]) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text).unwrap();
    png_packed(&out.finish().unwrap())
}

fn png_packed(packed: &[u8]) -> Vec<u8> {
    png(&chunk(b"iTXt", &[&b"XML:com.adobe.xmp\0\x01\0\0\0"[..], packed].concat()))
}

fn docx(core: &[u8]) -> Vec<u8> {
    let mut out = DeflateEncoder::new(Vec::new(), Compression::fast());
    out.write_all(core).unwrap();
    docx_packed(&out.finish().unwrap())
}

/// A package whose properties are `packed`; the directory lies about their length.
fn docx_packed(packed: &[u8]) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    let parts = [
        ("[Content_Types].xml", &b"\x03\0"[..]),
        ("word/document.xml", b"\x03\0"),
        ("docProps/core.xml", packed),
    ];
    for (name, packed) in parts {
        let at = zip.len() as u32;
        let sizes = [&[0; 4][..], &(packed.len() as u32).to_le_bytes(), &100u32.to_le_bytes()].concat();
        let lens = [(name.len() as u16).to_le_bytes(), [0; 2]].concat();
        let fields = [&[20, 0, 0, 0, 8, 0, 0, 0, 0, 0][..], &sizes, &lens].concat();
        zip.extend([b"PK\x03\x04", &fields[..], name.as_bytes(), packed].concat());
        directory.extend(
            [b"PK\x01\x02\x14\0", &fields[..], &[0; 10], &at.to_le_bytes(), name.as_bytes()].concat(),
        );
    }
    let end = [(directory.len() as u32).to_le_bytes(), (zip.len() as u32).to_le_bytes()].concat();
    [&zip[..], &directory, b"PK\x05\x06\0\0\0\0\x03\0\x03\0", &end, &[0; 2]].concat()
}

fn packed_movie(packed: &[u8]) -> Vec<u8> {
    let body = [&u32::MAX.to_be_bytes()[..], packed].concat();
    let movie = boxed(b"cmov", &[boxed(b"dcom", b"zlib"), boxed(b"cmvd", &body)].concat());
    [boxed(b"ftyp", b"qt  \0\0\0\0qt  "), boxed(b"moov", &movie)].concat()
}

/// A text frame of ID3 that is packed.
fn packed_frame(packed: &[u8]) -> Vec<u8> {
    let safe = |n: usize| [(n >> 21) as u8 & 127, (n >> 14) as u8 & 127, (n >> 7) as u8 & 127, n as u8 & 127];
    let body = [&[0x7f, 0x7f, 0x7f, 0x7f], packed].concat();
    let body = &body[..body.len().min(60_000)];
    let frame = [&b"TIT2"[..], &safe(body.len()), &[0, 0x09], body].concat();
    let mut sound = [&b"ID3\x04\0\0"[..], &safe(frame.len()), &frame].concat();
    for _ in 0..4 {
        sound.extend([0xff, 0xfb, 0x90, 0x64]);
        sound.extend([0; 413]);
    }
    sound
}

fn packed_svg() -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(b"<svg width='30' height='20'>").unwrap();
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..64 {
        out.write_all(&blanks).unwrap();
    }
    out.finish().unwrap()
}

/// A packed box that asks for a window of a gigabyte.
fn brotli_window() -> Vec<u8> {
    let packed = boxed(b"brob", b"xml \x11\x1e\xff\xff\xff\xff\xff\xff");
    let codestream = boxed(b"jxlc", b"\xff\x0a\xf8\x01\x00\x00\x00\x00");
    [boxed(b"JXL ", b"\r\n\x87\n"), boxed(b"ftyp", b"jxl \0\0\0\0jxl "), packed, codestream].concat()
}

/// A film whose tables name more entries than any file has.
fn table_counts() -> Vec<u8> {
    let most = [0xff; 4];
    let table = |kind: &[u8; 4]| boxed(kind, &[&[0; 4][..], &most, &most, &[0; 64]].concat());
    let kinds = [b"stts", b"ctts", b"stsz", b"stco", b"co64", b"stss", b"stsd", b"stsc"];
    let tables: Vec<u8> = kinds.into_iter().flat_map(table).collect();
    let hdlr = boxed(b"hdlr", b"\0\0\0\0\0\0\0\0vide\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let mdia = boxed(b"mdia", &[hdlr, boxed(b"minf", &boxed(b"stbl", &tables))].concat());
    let elst = boxed(b"edts", &table(b"elst"));
    let keys = boxed(b"meta", &[table(b"keys"), table(b"ilst")].concat());
    let run = boxed(b"trun", &[&[0, 0, 0x0f, 1][..], &most, &[0; 64]].concat());
    let fragment = boxed(b"moof", &boxed(b"traf", &run));
    let movie = boxed(b"moov", &[boxed(b"trak", &[elst, mdia].concat()), keys].concat());
    [boxed(b"ftyp", b"qt  \0\0\0\0qt  "), movie, fragment].concat()
}

/// A picture whose lists of items and of their properties name more than any file has.
fn item_counts() -> Vec<u8> {
    let most = [0xff; 4];
    let list = |kind: &[u8; 4], version: u8| {
        boxed(kind, &[&[version, 0, 0, 1][..], &most, &most, &[0xff; 64]].concat())
    };
    let properties = boxed(b"iprp", &[boxed(b"ipco", &[0; 8]), list(b"ipma", 1)].concat());
    let meta = [vec![0; 4], list(b"pitm", 1), list(b"iinf", 1), list(b"iloc", 2), properties].concat();
    [boxed(b"ftyp", b"avif\0\0\0\0mif1avif"), boxed(b"meta", &meta)].concat()
}
