//! What an object is, from its bytes.
//!
//! The formats this crate reads are told by the tables here; everything else by
//! mimetype-detector. The name's extension and the declared type are consulted
//! only where bytes cannot decide: kinds of plain text.

use crate::bytes::{be16, be32, find, le16, le32};
use crate::ctx::Ctx;
use crate::image::is_pict;
use crate::metadata::MediaType;
use crate::sync;
use crate::text;

/// Which reader takes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Jpeg,
    Png,
    Gif,
    Webp,
    Bmp,
    Ico,
    Psd,
    Tiff,
    Rw2,
    Raf,
    Cr3,
    Mrw,
    Crw,
    X3f,
    PlainImage,
    Heif,
    Jp2,
    J2k,
    Jxl,
    Svg,
    Exr,
    OtherImage,
    Mp4,
    Matroska,
    Avi,
    MpegTs,
    MpegPs,
    BareVideo,
    Ivf,
    Dv,
    Flv,
    Asf,
    Real,
    Mp3,
    Aac,
    Loas,
    Ac3,
    Amr,
    Flac,
    Ogg,
    Wav,
    Aiff,
    Ape,
    WavPack,
    Musepack,
    Caf,
    Au,
    Tta,
    Dsf,
    Dff,
    Wave64,
    Dts,
    Tracker,
    Midi,
    Pdf,
    Zip,
    Ole,
    Rtf,
    Html,
    Text,
    None,
}

/// What an object was taken for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) format: &'static str,
    pub(crate) mime: &'static str,
    pub(crate) media: MediaType,
    pub(crate) family: Family,
}

impl Kind {
    pub(crate) const UNKNOWN: Kind =
        kind("unknown", "application/octet-stream", MediaType::Other, Family::None);
}

const fn kind(format: &'static str, mime: &'static str, media: MediaType, family: Family) -> Kind {
    Kind { format, mime, media, family }
}

const I: MediaType = MediaType::Image;
const V: MediaType = MediaType::Video;
const A: MediaType = MediaType::Audio;
const D: MediaType = MediaType::Document;
const Z: MediaType = MediaType::Archive;

/// Marks at fixed places, most specific first.
const MARKS: &[(usize, &[u8], Kind)] = &[
    (0, b"\xff\xd8\xff", kind("jpeg", "image/jpeg", I, Family::Jpeg)),
    (0, b"\x89PNG\r\n\x1a\n", kind("png", "image/png", I, Family::Png)),
    (0, b"\x8bJNG\r\n\x1a\n", kind("jng", "image/x-jng", I, Family::Png)),
    (0, b"\x8aMNG\r\n\x1a\n", kind("mng", "image/x-mng", I, Family::Png)),
    (0, b"\x76\x2f\x31\x01", kind("exr", "image/x-exr", I, Family::Exr)),
    (0, b"SIMPLE  =", kind("fits", "image/fits", I, Family::PlainImage)),
    (0, b"GIF87a", kind("gif", "image/gif", I, Family::Gif)),
    (0, b"GIF89a", kind("gif", "image/gif", I, Family::Gif)),
    (0, b"8BPS", kind("psd", "image/vnd.adobe.photoshop", I, Family::Psd)),
    (0, b"FUJIFILMCCD-RAW", kind("raf", "image/x-fuji-raf", I, Family::Raf)),
    (0, b"IIU\0", kind("rw2", "image/x-panasonic-rw2", I, Family::Rw2)),
    (0, b"IIRO", kind("orf", "image/x-olympus-orf", I, Family::Tiff)),
    (0, b"IIRS", kind("orf", "image/x-olympus-orf", I, Family::Tiff)),
    (0, b"MMOR", kind("orf", "image/x-olympus-orf", I, Family::Tiff)),
    (0, b"II*\0", kind("tiff", "image/tiff", I, Family::Tiff)),
    (0, b"MM\0*", kind("tiff", "image/tiff", I, Family::Tiff)),
    (0, b"II\xbc\x01", kind("jxr", "image/jxr", I, Family::Tiff)),
    (0, b"II+\0\x08", kind("tiff", "image/tiff", I, Family::Tiff)),
    (0, b"MM\0+\0\x08", kind("tiff", "image/tiff", I, Family::Tiff)),
    (0, b"\0MRM", kind("mrw", "image/x-minolta-mrw", I, Family::Mrw)),
    (0, b"II\x1a\0\0\0HEAPCCDR", kind("crw", "image/x-canon-crw", I, Family::Crw)),
    (0, b"FOVb", kind("x3f", "image/x-sigma-x3f", I, Family::X3f)),
    (0, b"\xff\x01Exiv2", kind("exv", "image/x-exv", I, Family::Jpeg)),
    (0, b"#?RADIANCE", kind("hdr", "image/vnd.radiance", I, Family::PlainImage)),
    (0, b"#?RGBE", kind("hdr", "image/vnd.radiance", I, Family::PlainImage)),
    (0, b"gimp xcf ", kind("xcf", "image/x-xcf", I, Family::PlainImage)),
    (0, b"SDPX", kind("dpx", "image/x-dpx", I, Family::PlainImage)),
    (0, b"XPDS", kind("dpx", "image/x-dpx", I, Family::PlainImage)),
    (0, b"FLIF", kind("flif", "image/flif", I, Family::PlainImage)),
    (0, b"PGF6", kind("pgf", "image/x-pgf", I, Family::PlainImage)),
    (0, b"\xff\x4f\xff\x51", kind("j2k", "image/x-j2c", I, Family::J2k)),
    (4, b"jP  \r\n\x87\n", kind("jp2", "image/jp2", I, Family::Jp2)),
    (4, b"JXL \r\n\x87\n", kind("jxl", "image/jxl", I, Family::Jxl)),
    (0, b"\x1a\x45\xdf\xa3", kind("matroska", "video/x-matroska", V, Family::Matroska)),
    (0, b"FLV\x01", kind("flv", "video/x-flv", V, Family::Flv)),
    (0, b".RMF", kind("rm", "application/vnd.rn-realmedia", V, Family::Real)),
    (0, b".ra\xfd", kind("ra", "audio/x-pn-realaudio", A, Family::Real)),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", kind("asf", "video/x-ms-asf", V, Family::Asf)),
    (0, b"\0\0\x01\xba", kind("mpeg", "video/mpeg", V, Family::MpegPs)),
    (0, b"\0\0\0\x01\x06\x05", kind("h264", "video/h264", V, Family::BareVideo)),
    (0, b"\0\0\0\x01\x67", kind("h264", "video/h264", V, Family::BareVideo)),
    (0, b"\0\0\0\x01\x27", kind("h264", "video/h264", V, Family::BareVideo)),
    (0, b"\0\0\0\x01\x09", kind("h264", "video/h264", V, Family::BareVideo)),
    (0, b"\0\0\0\x01\x40\x01", kind("hevc", "video/h265", V, Family::BareVideo)),
    (0, b"\0\0\x01\xb0", kind("m4v", "video/mpeg", V, Family::BareVideo)),
    (0, b"DKIF\0\0\x20\0", kind("ivf", "video/x-ivf", V, Family::Ivf)),
    (0, b"\x1f\x07\0\x3f", kind("dv", "video/dv", V, Family::Dv)),
    (0, b"\x1f\x07\0\xbf", kind("dv", "video/dv", V, Family::Dv)),
    (0, b"\0\0\x01\xb3", kind("mpegvideo", "video/mpeg", V, Family::BareVideo)),
    (0, b"fLaC", kind("flac", "audio/flac", A, Family::Flac)),
    (0, b"OggS", kind("ogg", "audio/ogg", A, Family::Ogg)),
    (0, b"MAC ", kind("ape", "audio/x-ape", A, Family::Ape)),
    (0, b"wvpk", kind("wv", "audio/x-wavpack", A, Family::WavPack)),
    (0, b"MPCK", kind("mpc8", "audio/x-musepack", A, Family::Musepack)),
    (0, b"MP+", kind("mpc", "audio/x-musepack", A, Family::Musepack)),
    (0, b"#!AMR", kind("amr", "audio/amr", A, Family::Amr)),
    (0, b"caff", kind("caf", "audio/x-caf", A, Family::Caf)),
    (0, b".snd", kind("au", "audio/basic", A, Family::Au)),
    (0, b"TTA1", kind("tta", "audio/x-tta", A, Family::Tta)),
    (0, b"DSD ", kind("dsf", "audio/x-dsf", A, Family::Dsf)),
    (0, b"FRM8", kind("dff", "audio/x-dff", A, Family::Dff)),
    (0, b"riff\x2e\x91\xcf\x11", kind("w64", "audio/x-w64", A, Family::Wave64)),
    (0, b"\x7f\xfe\x80\x01", kind("dts", "audio/vnd.dts", A, Family::Dts)),
    (0, b"IMPM", kind("it", "audio/x-it", A, Family::Tracker)),
    (0, b"Extended Module: ", kind("xm", "audio/x-xm", A, Family::Tracker)),
    (44, b"SCRM", kind("s3m", "audio/x-s3m", A, Family::Tracker)),
    (1080, b"M.K.", kind("mod", "audio/x-mod", A, Family::Tracker)),
    (0, b"MThd", kind("midi", "audio/midi", A, Family::Midi)),
    (0, b"PK\x03\x04", kind("zip", "application/zip", Z, Family::Zip)),
    (0, b"PK\x05\x06", kind("zip", "application/zip", Z, Family::Zip)),
    (0, b"PK\x07\x08", kind("zip", "application/zip", Z, Family::Zip)),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", kind("ole", "application/x-ole-storage", D, Family::Ole)),
    (0, b"{\\rtf", kind("rtf", "text/rtf", D, Family::Rtf)),
    (0, b"\x1f\x8b\x08", kind("gzip", "application/gzip", Z, Family::None)),
    (4, b"1AY&SY", kind("bzip2", "application/x-bzip2", Z, Family::None)),
    (0, b"\xfd7zXZ\0", kind("xz", "application/x-xz", Z, Family::None)),
    (0, b"\x28\xb5\x2f\xfd", kind("zstd", "application/zstd", Z, Family::None)),
    (0, b"7z\xbc\xaf\x27\x1c", kind("7z", "application/x-7z-compressed", Z, Family::None)),
    (0, b"Rar!\x1a\x07", kind("rar", "application/vnd.rar", Z, Family::None)),
    (257, b"ustar", kind("tar", "application/x-tar", Z, Family::None)),
];

const ZIP: Kind = kind("zip", "application/zip", Z, Family::Zip);
const PDF: Kind = kind("pdf", "application/pdf", D, Family::Pdf);
const WAV: Kind = kind("wav", "audio/x-wav", A, Family::Wav);
const AVI: Kind = kind("avi", "video/x-msvideo", V, Family::Avi);
const WEBP: Kind = kind("webp", "image/webp", I, Family::Webp);
const AIFF: Kind = kind("aiff", "audio/x-aiff", A, Family::Aiff);
const BMP: Kind = kind("bmp", "image/bmp", I, Family::Bmp);
const PCX: Kind = kind("pcx", "image/x-pcx", I, Family::PlainImage);
const PNM: Kind = kind("pnm", "image/x-portable-anymap", I, Family::PlainImage);
const PFM: Kind = kind("pfm", "image/x-portable-floatmap", I, Family::PlainImage);
const PICT: Kind = kind("pict", "image/x-pict", I, Family::PlainImage);
const ICO: Kind = kind("ico", "image/x-icon", I, Family::Ico);
const SVG: Kind = kind("svg", "image/svg+xml", I, Family::Svg);
const HTML: Kind = kind("html", "text/html", D, Family::Html);
pub(crate) const MP3: Kind = kind("mp3", "audio/mpeg", A, Family::Mp3);
pub(crate) const AAC: Kind = kind("aac", "audio/aac", A, Family::Aac);
const TS: Kind = kind("mpegts", "video/mp2t", V, Family::MpegTs);
const MP4: Kind = kind("mp4", "video/mp4", V, Family::Mp4);
const MOV: Kind = kind("mov", "video/quicktime", V, Family::Mp4);
const TGA: Kind = kind("tga", "image/x-tga", I, Family::PlainImage);
const JXL: Kind = kind("jxl", "image/jxl", I, Family::Jxl);
pub(crate) const AC3: Kind = kind("ac3", "audio/ac3", A, Family::Ac3);
pub(crate) const LOAS: Kind = kind("loas", "audio/aac", A, Family::Loas);
const SVGZ: Kind = kind("svgz", "image/svg+xml", I, Family::Svg);
const CUR: Kind = kind("cur", "image/x-icon", I, Family::Ico);

/// Decides what the object is from its head.
pub(crate) fn detect(ctx: &Ctx<'_>) -> Kind {
    let head = ctx.src.held_from(0);
    let whole = head.len() as u64 == ctx.src.size();
    sniff(head)
        .or_else(|| sync::sound(head, whole, sync::Place::Start))
        .or_else(|| behind_id3(ctx, head))
        .or_else(|| tga(ctx, head))
        .or_else(|| plain_text(head, ctx.name, ctx.declared_type))
        // A mark of another format goes before what sound looks like inside of a file.
        .or_else(|| by_detector(head, ctx.name, ctx.src.size()))
        .or_else(|| sync::sound(head, whole, sync::Place::Anywhere))
        .unwrap_or(Kind::UNKNOWN)
}

fn sniff(head: &[u8]) -> Option<Kind> {
    let at = |from: usize, mark: &[u8]| head.get(from..).is_some_and(|h| h.starts_with(mark));
    if at(4, b"ftyp") {
        return Some(by_brands(head));
    }
    if let Some((_, _, kind)) = MARKS.iter().find(|(from, mark, _)| at(*from, mark)) {
        let kind = refine_mark(*kind, head);
        // Three bytes are few: what must follow is looked at too.
        let follows = match kind.format {
            "jpeg" => head.get(3).is_none_or(|b| *b >= 0xc0),
            "gzip" => head.get(3).is_none_or(|b| b & 0xe0 == 0) && !is_packed_svg(head),
            "mpc" => head.get(3).is_none_or(|b| matches!(b & 15, 4..=7)),
            "bzip2" => at(0, b"BZh"),
            _ => true,
        };
        if follows {
            return Some(kind);
        }
    }
    if at(0, b"RIFF") || at(0, b"RIFX") || at(0, b"RF64") {
        match head.get(8..12) {
            Some(b"WAVE") => return Some(WAV),
            Some(b"AVI ") => return Some(AVI),
            Some(b"WEBP") => return Some(WEBP),
            _ => {}
        }
    }
    if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        return Some(AIFF);
    }
    // The header may stand anywhere in the first kilobyte.
    if find(head.get(..1024.min(head.len())).unwrap_or_default(), b"%PDF-").is_some() {
        return Some(PDF);
    }
    // A header longer than those that are known begins like them.
    if at(0, b"BM")
        && le32(head, 14).is_some_and(|n| matches!(n, 12 | 16 | 40 | 52 | 56 | 64 | 108 | 124..=1024))
    {
        return Some(BMP);
    }
    // Version 3 has no palette, and anything in its place and in the byte behind it.
    if at(0, b"\x0a")
        && matches!(head.get(3), Some(1 | 2 | 4 | 8))
        && (matches!(head.get(1..3), Some([0 | 2 | 4 | 5, 1])) && head.get(64) == Some(&0)
            || head.get(1..3) == Some(&[3, 1]) && matches!(head.get(65), Some(1..=4)))
    {
        return Some(PCX);
    }
    if let [b'P', b'1'..=b'7', b'\n' | b' ' | b'\t' | b'\r', rest @ ..] = head
        && let Some(c) = rest.iter().find(|c| !c.is_ascii_whitespace())
        && (c.is_ascii_digit() || matches!(c, b'#' | b'W' | b'D' | b'H'))
    {
        return Some(PNM);
    }
    if let [b'P', b'F' | b'f', b'\n' | b'\r', rest @ ..] = head
        && rest.iter().find(|c| !c.is_ascii_whitespace()).is_some_and(u8::is_ascii_digit)
    {
        return Some(PFM);
    }
    if at(0, b"\xff\x0a") && crate::image::is_jxl_codestream(head) {
        return Some(JXL);
    }
    if at(0, b"\x1f\x8b\x08") && is_packed_svg(head) {
        return Some(SVGZ);
    }
    if (at(0, b"\0\0\x01\0") || at(0, b"\0\0\x02\0"))
        && le16(head, 4).is_some_and(|n| (1..=256).contains(&n))
        && head.get(9) == Some(&0)
    {
        return Some(if at(2, b"\x02") { CUR } else { ICO });
    }
    let plain_lead = head.get(..512).is_some_and(|lead| lead.iter().all(|b| *b == 0));
    if (plain_lead && head.get(512..).is_some_and(is_pict)) || (is_pict(head) && head.get(10) == Some(&0)) {
        return Some(PICT);
    }
    // Old QuickTime files have no ftyp.
    if matches!(
        head.get(4..8),
        Some(b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot" | b"moof" | b"styp" | b"sidx")
    ) && be32(head, 0).is_some_and(|n| n == 0 || n == 1 || n >= 8)
    {
        return Some(if matches!(head.get(4..8), Some(b"moof" | b"styp" | b"sidx")) { MP4 } else { MOV });
    }
    if sync::is_transport_stream(head) {
        return Some(TS);
    }
    // A few bytes of other origin in front of an archive: programs cope with them.
    let lead = head.get(1..96.min(head.len())).unwrap_or_default();
    let packed = find(lead, b"PK\x03\x04").and_then(|at| head.get(1 + at..));
    packed
        .filter(|b| matches!(b.get(4..6), Some([10..=63, 0])) && matches!(le16(b, 8), Some(0 | 8)))
        .map(|_| ZIP)
}

/// Whether gzip holds an SVG, by its beginning.
fn is_packed_svg(head: &[u8]) -> bool {
    use std::io::Read as _;
    let mut start = Vec::new();
    let _ = flate2::read::GzDecoder::new(head).take(4096).read_to_end(&mut start);
    let text = text::decode_bom(&start);
    text.trim_start().starts_with('<') && crate::image::svg_root(&text).is_some()
}

/// Truevision TGA: version 2 has a mark at the end, version 1 none at all: its fields and
/// the name tell.
fn tga(ctx: &Ctx<'_>, head: &[u8]) -> Option<Kind> {
    let fields = match *head.get(..18)? {
        [_, map, kind, _, _, _, _, depth, .., bits, flags] => {
            let mapped = map == 1 && matches!(kind, 1 | 9) && matches!(depth, 15 | 16 | 24 | 32);
            let plain = map <= 1 && matches!(kind, 2 | 3 | 10 | 11);
            (mapped || plain) && matches!(bits, 8 | 15 | 16 | 24 | 32) && flags & 0xc0 == 0
        }
        _ => false,
    };
    let sides = le16(head, 12)? > 0 && le16(head, 14)? > 0;
    let size = ctx.src.size();
    if !fields || !sides {
        return None;
    }
    // Few files that are none begin so: the mark is worth a read.
    let marked = size.checked_sub(18).and_then(|at| ctx.src.near(at, 18)) == Some(b"TRUEVISION-XFILE.\0");
    let named = || ctx.name.rsplit_once('.').is_some_and(|(_, e)| e.eq_ignore_ascii_case("tga"));
    (marked || named()).then_some(TGA)
}

fn refine_mark(kind: Kind, head: &[u8]) -> Kind {
    match kind.family {
        Family::Tiff if kind.format == "tiff" => match head.get(8..10) {
            Some(b"CR") => Kind { format: "cr2", mime: "image/x-canon-cr2", ..kind },
            _ => kind,
        },
        _ => kind,
    }
}

/// An ID3v2 tag says nothing of what follows it: MP3 mostly, but AAC, FLAC too.
fn behind_id3(ctx: &Ctx<'_>, head: &[u8]) -> Option<Kind> {
    let len = crate::audio::id3::tag_len(head)?;
    let rest = ctx.src.held_from(len);
    let rest = if rest.is_empty() { return Some(MP3) } else { rest };
    // Padding behind the tag is common.
    let pad = rest.iter().take_while(|b| **b == 0).count();
    let found = sniff(rest.get(pad..).unwrap_or_default()).or_else(|| sniff(rest));
    let behind = || sync::sound(rest.get(pad..).unwrap_or_default(), false, sync::Place::BehindTag);
    let found = found.filter(|k| k.media == A).or_else(behind);
    Some(found.filter(|k| k.media == A).unwrap_or(MP3))
}

fn by_brands(head: &[u8]) -> Kind {
    let size = be32(head, 0).unwrap_or(0).clamp(16, 4096) as usize;
    let body = head.get(8..size.min(head.len())).unwrap_or_default();
    let brands: Vec<&[u8]> =
        body.chunks_exact(4).enumerate().filter(|(i, _)| *i != 1).map(|(_, b)| b).collect();
    let major = brands.first().copied().unwrap_or_default();
    let has = |any: &[&[u8; 4]]| brands.iter().any(|b| any.iter().any(|a| a.as_slice() == *b));
    let avif: &[&[u8; 4]] = &[b"avif", b"avis"];
    let heic: &[&[u8; 4]] = &[b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"];
    let major_in = |any: &[&[u8; 4]]| any.iter().any(|a| a.as_slice() == major);
    // A minimised header names its codec where the version stands elsewhere.
    let minimised = major == b"mif3";
    let still = [b"mif1", b"msf1", b"mif3"].iter().any(|b| b.as_slice() == major);
    if major == b"crx " {
        return kind("cr3", "image/x-canon-cr3", I, Family::Cr3);
    }
    if major == b"qt  " {
        return MOV;
    }
    if major_in(avif) || (minimised && head.get(12..16) == Some(b"avif")) || (still && has(avif)) {
        return kind("avif", "image/avif", I, Family::Heif);
    }
    if major_in(heic) || (minimised && head.get(12..16) == Some(b"heic")) || (still && has(heic)) {
        return kind("heic", "image/heic", I, Family::Heif);
    }
    if major_in(&[
        b"mif1", b"msf1", b"mif2", b"mif3", b"jpeg", b"jpgs", b"j2ki", b"avci", b"avcs", b"vvic", b"vvis",
        b"evbi", b"evbs", b"1pic",
    ]) {
        return kind("heif", "image/heif", I, Family::Heif);
    }
    match major {
        b"M4A " | b"M4B " | b"M4P " | b"F4A " => kind("m4a", "audio/mp4", A, Family::Mp4),
        b"M4V " | b"M4VH" | b"M4VP" => kind("m4v", "video/x-m4v", V, Family::Mp4),
        b"jp2 " | b"jpx " | b"jpm " => kind("jp2", "image/jp2", I, Family::Jp2),
        [b'3', b'g', b'2', _] => kind("3g2", "video/3gpp2", V, Family::Mp4),
        [b'3', b'g', _, _] => kind("3gp", "video/3gpp", V, Family::Mp4),
        // A brand nobody knows, that says what it goes with.
        _ if has(&[b"mif1"]) && has(avif) => kind("avif", "image/avif", I, Family::Heif),
        _ if has(&[b"mif1"]) && has(heic) => kind("heic", "image/heic", I, Family::Heif),
        _ if has(&[b"mif1"]) && !has(&[b"isom", b"mp41", b"mp42"]) => {
            kind("heif", "image/heif", I, Family::Heif)
        }
        _ => MP4,
    }
}

/// Whether UTF-16 behind its mark is text: hardly anything else has no half letters and no
/// control characters.
fn is_wide_text(b: &[u8], big: bool) -> bool {
    let text = text::utf16(b.get(..b.len().min(4096) / 2 * 2).unwrap_or_default(), big);
    let odd = text.chars().filter(|c| c.is_control() && !c.is_whitespace() || *c == '\u{fffd}').count();
    // The head may end inside of a letter.
    odd <= 1 && (!text.is_empty() || b.len() < 2)
}

/// Text, where the head has nothing that text does not have.
fn plain_text(head: &[u8], name: &str, declared: Option<&str>) -> Option<Kind> {
    let head = head.get(..head.len().min(16 * 1024)).unwrap_or_default();
    let wide = match head {
        [0xff, 0xfe, rest @ ..] => is_wide_text(rest, false),
        [0xfe, 0xff, rest @ ..] => is_wide_text(rest, true),
        _ => false,
    };
    if head.is_empty() {
        return None;
    }
    let odd = head.iter().filter(|b| matches!(b, 0..=8 | 11 | 14..=26 | 28..=31 | 127)).count();
    let utf8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(e) => e.error_len().is_none(),
    };
    // Text in a legacy encoding is mostly ASCII all the same, or wholly above it.
    let textual = wide
        || (odd == 0 && (utf8 || !head.contains(&0)))
        || (utf8 && odd * 100 < head.len() && !head.contains(&0));
    if !textual {
        return None;
    }
    let text = text::decode_bom(head);
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let lower: String = start.chars().take(1024).flat_map(char::to_lowercase).collect();
    // Comments and declarations may precede the root element.
    let prefixed = start.starts_with('<')
        && start.split([':', ' ', '>']).nth(1).is_some_and(|name| name.starts_with("svg"));
    let markup = ["<?xml", "<svg", "<!doctype", "<!--"].iter().any(|mark| lower.starts_with(mark));
    if (markup || prefixed) && crate::image::svg_root(&text).is_some() {
        return Some(SVG);
    }
    let html_marks = [
        "<!doctype html",
        "<html",
        "<head",
        "<title",
        "<body",
        "<script",
        "<meta",
        "<h1",
        "<div",
        "<table",
        "<p>",
    ];
    if html_marks.iter().any(|m| lower.starts_with(m)) || (lower.starts_with('<') && lower.contains("<html"))
    {
        return Some(HTML);
    }
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    let of = |format, mime| Some(kind(format, mime, D, Family::Text));
    if start.starts_with("WEBVTT") {
        return of("vtt", "text/vtt");
    }
    if start.starts_with("[Script Info]") {
        return of("ass", "text/x-ssa");
    }
    if crate::text_file::looks_like_srt(start) {
        return of("srt", "application/x-subrip");
    }
    if lower.starts_with("<?xml") {
        return of("xml", "application/xml");
    }
    match extension.as_str() {
        "md" | "markdown" | "mkd" => return of("markdown", "text/markdown"),
        "csv" => return of("csv", "text/csv"),
        "tsv" => return of("tsv", "text/tab-separated-values"),
        "html" | "htm" | "xhtml" if start.contains('<') => return Some(HTML),
        "json" if start.starts_with(['{', '[']) => return of("json", "application/json"),
        "yaml" | "yml" => return of("yaml", "application/yaml"),
        "srt" => return of("srt", "application/x-subrip"),
        _ => {}
    }
    match declared.map(|d| d.split(';').next().unwrap_or(d).trim()) {
        Some("text/markdown") => of("markdown", "text/markdown"),
        Some("text/csv") => of("csv", "text/csv"),
        Some("application/json") => of("json", "application/json"),
        _ => of("text", "text/plain"),
    }
}

/// The long tail, by mimetype-detector.
fn by_detector(head: &[u8], name: &str, size: u64) -> Option<Kind> {
    let found = std::panic::catch_unwind(|| {
        let found = mimetype_detector::detect(head);
        (found.mime(), found.extension().trim_start_matches('.'))
    });
    let Ok((mime, extension)) = found else { return None };
    let mime = mime.split(';').next().unwrap_or(mime);
    if mime == "application/octet-stream" || !is_plausible(mime, extension, head, name, size) {
        return None;
    }
    let media = match mime.split('/').next() {
        Some("image") => I,
        Some("video") => V,
        Some("audio") => A,
        Some("text") => D,
        _ if mime.contains("compressed") || mime.contains("zip") || mime.contains("archive") => Z,
        _ => MediaType::Other,
    };
    let family = if media == I { Family::OtherImage } else { Family::None };
    let format = if extension.is_empty() { "unknown" } else { extension };
    Some(kind(format, mime, media, family))
}

/// Whether more speaks for a type than two or three bytes, which any file may begin with:
/// its fields, or the name.
fn is_plausible(mime: &str, extension: &str, head: &[u8], name: &str, size: u64) -> bool {
    let named = name.rsplit_once('.').is_some_and(|(_, e)| e.eq_ignore_ascii_case(extension));
    match mime {
        // Day, a header of 32 bytes a column, and rows that fill the file.
        "application/x-dbf" => {
            let (Some([1..=12, 1..=31]), Some(rows)) = (head.get(2..4), le32(head, 4)) else {
                return false;
            };
            let (Some(lead), Some(row)) = (le16(head, 8), le16(head, 10)) else { return false };
            let len = u64::from(lead) + u64::from(rows) * u64::from(row);
            lead >= 65 && row > 1 && len <= size.saturating_add(1) && (named || len + 2 >= size)
        }
        "image/x-sgi" => {
            matches!(head.get(2..4), Some([0 | 1, 1 | 2]))
                && be16(head, 4).is_some_and(|n| (1..=3).contains(&n))
        }
        "application/x-dosexec" => le32(head, 60).is_some_and(|at| named || (64..1024 * 1024).contains(&at)),
        "application/x-cpio" => named || head.starts_with(b"0707"),
        "application/x-x509-ca-cert" => {
            named || (be16(head, 2).is_some_and(|n| u64::from(n) + 4 == size) && head.get(4) == Some(&0x30))
        }
        // These are told by their chains of frames, and plain text by its letters.
        "audio/mpeg" | "audio/aac" | "audio/ac3" | "video/mp2t" | "text/plain" | "image/jxl"
        | "image/bmp" => false,
        "image/x-portable-bitmap"
        | "image/x-portable-graymap"
        | "image/x-portable-pixmap"
        | "image/x-portable-arbitrarymap"
        | "application/gzip"
        | "application/x-bzip2" => false,
        "application/arj"
        | "application/x-3ds"
        | "application/x-coff"
        | "application/x-commodore-64-program"
        | "application/x-compress"
        | "application/x-llvm"
        | "application/x-pickle"
        | "application/x-python-bytecode"
        | "application/x-tasty"
        | "application/zlib"
        | "image/x-pictor"
        | "video/flc"
        | "video/fli" => named,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bytes_are_no_mark() {
        let mut state = 88_172_645_463_325_252u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        // Every beginning of two bytes, and noise behind it.
        for start in 0..=u16::MAX {
            let mut bytes: Vec<u8> = (0..64).flat_map(|_| next()).collect();
            bytes[..2].copy_from_slice(&start.to_be_bytes());
            let size = bytes.len() as u64;
            let found = sniff(&bytes)
                .or_else(|| sync::sound(&bytes, true, sync::Place::Start))
                .or_else(|| plain_text(&bytes, "a.bin", None))
                .or_else(|| by_detector(&bytes, "a.bin", size))
                .or_else(|| sync::sound(&bytes, true, sync::Place::Anywhere));
            assert_eq!(found.map(|k| k.format), None, "{:02x?}", &bytes[..8]);
        }
    }

    #[test]
    fn content_decides() {
        let table: &[(&[u8], &str, &str)] = &[
            (b"\xff\xd8\xff\xe0", "a.png", "jpeg"),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a.mov", "heic"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "a", "avif"),
            (b"\0\0\0\x1cftyphhhh\0\0\0\0mif1miafheic", "a.mov", "heic"),
            (b"\x7f\xfe\x80\x01\xfc\x3c", "a", "dts"),
            (b"\0\0\0\x01\x67\x42", "a", "h264"),
            (b"P6\n# c\n640 480\n255\n", "a", "pnm"),
            (b"\xff\x01Exiv2\xff\xe1", "a.exv", "exv"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a.heic", "mov"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "a", "webp"),
            (b"# Title\n\ntext", "README.md", "markdown"),
            (b"# Title\n\ntext", "README", "text"),
            (b"a,b\n1,2\n", "x.csv", "csv"),
            (b"1\n00:00:01,000 --> 00:00:02,000\nHi\n", "x", "srt"),
            (b"<?xml version='1.0'?><!-- c --><svg/>", "x", "svg"),
            (b"  <!DOCTYPE HTML><html>", "brokenimg.jpg", "html"),
            (b"\x01\x02\x03\x04\0\0", "a.jpg", "unknown"),
        ];
        for (head, name, want) in table {
            let found = sniff(head)
                .or_else(|| plain_text(head, name, None))
                .or_else(|| by_detector(head, name, head.len() as u64))
                .unwrap_or(Kind::UNKNOWN);
            let got = if found.family == Family::None && found.media == MediaType::Other {
                "unknown"
            } else {
                found.format
            };
            assert_eq!(got, *want, "{name}");
        }
    }
}
