//! Sound files that lofty reads: MP3, APE, WavPack, Musepack, and every ID3 or
//! APE tag.

use std::io::{Cursor, Read, Seek};
use std::time::Duration;

use lofty::config::{GlobalOptions, ParseOptions, ParsingMode, apply_global_options};
use lofty::file::{AudioFile, FileType, TaggedFile, TaggedFileExt};
use lofty::probe::Probe;
use lofty::properties::FileProperties;
use lofty::tag::{ItemKey, Tag, TagType};

use crate::audio::header::Shape;
use crate::audio::{cover, id3, mpeg, single};
use crate::ctx::Ctx;
use crate::metadata::AudioStream;
use crate::source::{Parse, Source, Stop};
use crate::text;

/// Tags at the end: ID3v1, APE, Lyrics3.
const TAIL: u64 = 16 * 1024;

/// Runs lofty; what it misses is noted by the source.
fn open<R: Read + Seek>(ctx: &mut Ctx<'_>, kind: FileType, reader: R, properties: bool) -> Parse<TaggedFile> {
    let max = ctx.room();
    let read = ctx.guarded("sound", |_| {
        apply_global_options(GlobalOptions::new().allocation_limit(max));
        let mut options = ParseOptions::new();
        options = options.parsing_mode(ParsingMode::Relaxed).read_properties(properties);
        let reader = std::io::BufReader::with_capacity(4096, reader);
        Probe::with_file_type(reader, kind).options(options).read()
    });
    match read {
        Some(Ok(file)) if !ctx.src.lacks() => Ok(file),
        _ if ctx.src.lacks() => Err(Stop::Missing),
        Some(Ok(file)) => Ok(file),
        Some(Err(_)) | None => Err(Stop::Malformed("lofty could not read it")),
    }
}

/// Asks at once for the first frame behind the tag and for the tags at the end,
/// and lets long pictures in the tag be passed over.
fn plan(ctx: &mut Ctx<'_>) -> Parse<u64> {
    let src = ctx.src;
    let size = src.size();
    let tag = id3::tag_len(src.upto(0, 10)?).unwrap_or(0).min(size);
    ctx.meta.audio_covers = id3::pictures(src, tag);
    // Some writers put a further tag behind one that is there.
    let mut further = tag;
    while let Some(len) = src.peek(further, 10).and_then(id3::tag_len) {
        // The first names the piece; of those behind it the start tells enough.
        src.blank(further.saturating_add(TAIL)..further.saturating_add(len).min(size));
        further = further.saturating_add(len).min(size);
    }
    let tag = further;
    let tail = size.saturating_sub(TAIL)..size;
    let first = tag..tag.saturating_add(TAIL).min(size);
    if !src.gaps(tail.clone()).is_empty() || !src.gaps(first.clone()).is_empty() {
        src.note_missing(first);
        src.note_missing(tail);
        return Err(Stop::Missing);
    }
    if src.lacks() { Err(Stop::Missing) } else { Ok(tag) }
}

/// MP3, and what else MPEG audio there is.
pub(crate) fn mp3(ctx: &mut Ctx<'_>) -> Parse {
    let tag = plan(ctx)?;
    let src = ctx.src;
    id3::texts(ctx, src, tag);
    let head = src.held_from(tag);
    let window = head.get(..head.len().min(64 * 1024)).unwrap_or_default();
    let frame = first_frame(window);
    let file = open(ctx, FileType::Mpeg, ctx.src.reader(), true);
    let (mut rate, mut channels, mut length, mut bits) = (0, 0, Duration::ZERO, None);
    match &file {
        Ok(file) => {
            (rate, channels, length, bits) = shape(file.properties());
            tags(ctx, file);
        }
        Err(Stop::Missing) => return Err(Stop::Missing),
        Err(_) => {}
    }
    let mut seconds = length.as_secs_f64();
    let mut name = "mp3";
    if let Some((at, frame)) = frame {
        rate = frame.sample_rate;
        channels = frame.channels;
        name = match frame.layer {
            1 => "mp1",
            2 => "mp2",
            _ => "mp3",
        };
        if let Some(frames) = counted_frames(window.get(at..).unwrap_or_default(), frame) {
            seconds = f64::from(frames) * f64::from(frame.samples) / f64::from(rate);
        } else if let Some(mean) = mean_bitrate(head.get(at..).unwrap_or_default()) {
            // No count: the frames held stand for the others.
            let sound = ctx.src.size().saturating_sub(tag + at as u64);
            seconds = sound as f64 * 8.0 / mean;
            bits = Some(mean as u64);
        }
        if bits.is_none() || bits == Some(0) {
            bits = Some(u64::from(frame.bitrate));
        }
    } else {
        file?;
    }
    let mut stream = AudioStream::of(name).shaped(rate, channels);
    stream.bitrate = bits;
    stream.sample_format = Some("fltp".into());
    single(ctx, ("mp3", "MP2/3 (MPEG audio layer 2/3)"), stream, seconds);
    Ok(())
}

/// The first frame that another one follows, or that counts all others.
fn first_frame(window: &[u8]) -> Option<(usize, mpeg::Frame)> {
    let mut at = 0;
    let mut lone = None;
    while at + 4 <= window.len() {
        let hit = window.get(at..)?.iter().position(|b| *b == 0xff)?;
        at += hit;
        if let Some(frame) = window.get(at..).and_then(mpeg::Frame::parse) {
            match window.get(at + frame.len as usize..) {
                Some(next) if next.len() >= 4 => {
                    let follows = mpeg::Frame::parse(next)
                        .is_some_and(|n| n.layer == frame.layer && n.sample_rate == frame.sample_rate);
                    if follows {
                        return Some((at, frame));
                    }
                }
                _ => lone = lone.or(Some((at, frame))),
            }
            // Nor does a frame that counts the others need one: it is no accident.
            if window.get(at..).is_some_and(|b| counted_frames(b, frame).is_some()) {
                return Some((at, frame));
            }
        }
        at += 1;
    }
    lone
}

/// Mean bit rate of the frames that follow one another.
fn mean_bitrate(b: &[u8]) -> Option<f64> {
    let (mut at, mut seconds) = (0usize, 0.0);
    for _ in 0..50_000 {
        let Some(f) = b.get(at..).and_then(mpeg::Frame::parse) else { break };
        at += f.len as usize;
        seconds += f64::from(f.samples) / f64::from(f.sample_rate);
    }
    (seconds > 0.0).then(|| at.min(b.len()) as f64 * 8.0 / seconds)
}

/// Frames by a Xing, Info or VBRI header.
fn counted_frames(b: &[u8], frame: mpeg::Frame) -> Option<u32> {
    let side = match (frame.version, frame.channels) {
        (1, 1) => 17,
        (1, _) => 32,
        (_, 1) => 9,
        _ => 17,
    };
    let at = 4 + side;
    match b.get(at..at + 4) {
        Some(b"Xing" | b"Info") => {
            let flags = crate::bytes::be32(b, at + 4)?;
            if flags & 1 == 1 { crate::bytes::be32(b, at + 8).filter(|n| *n > 0) } else { None }
        }
        _ if b.get(36..40) == Some(b"VBRI") => crate::bytes::be32(b, 50).filter(|n| *n > 0),
        _ => None,
    }
}

/// Reads a format's own header.
pub(crate) type HeaderReader = fn(&[u8]) -> Option<Shape>;

/// APE, WavPack, Musepack: the tags by lofty, the sound by the format's own header
/// where one is read here.
pub(crate) fn other(
    ctx: &mut Ctx<'_>,
    kind: FileType,
    format: (&str, &str),
    name: &str,
    own: Option<HeaderReader>,
) -> Parse {
    let tag = plan(ctx)?;
    let shape_of = own.and_then(|own| own(ctx.src.held_from(tag)));
    let file = open(ctx, kind, ctx.src.reader(), shape_of.is_none());
    let (rate, channels, seconds, bits) = match (&file, shape_of) {
        (Err(Stop::Missing), _) => return Err(Stop::Missing),
        (Ok(_), Some(s)) => (s.rate, s.channels, s.seconds, None),
        (Err(stop), Some(s)) => {
            ctx.stopped("tags", stop.clone());
            (s.rate, s.channels, s.seconds, None)
        }
        (Ok(file), None) => {
            let (rate, channels, length, bits) = shape(file.properties());
            (rate, channels, length.as_secs_f64(), bits)
        }
        (Err(stop), None) => return Err(stop.clone()),
    };
    if let Ok(file) = &file {
        tags(ctx, file);
    }
    let mut stream = AudioStream::of(name).shaped(rate, channels);
    stream.bitrate = bits;
    single(ctx, format, stream, seconds);
    Ok(())
}

/// An ID3v2 tag inside another container (WAV, AIFF, AAC, FLAC).
pub(crate) fn id3_block(ctx: &mut Ctx<'_>, bytes: &[u8]) {
    // lofty reads tags of files only, so a file is made: the tag and two frames.
    const FRAME: [u8; 4] = [0xff, 0xfb, 0x90, 0x64];
    let mut tag = Source::new(bytes.len() as u64);
    tag.supply(0, bytes.to_vec());
    id3::texts(ctx, &tag, bytes.len() as u64);
    let mut file = bytes.to_vec();
    for _ in 0..2 {
        let start = file.len();
        file.extend_from_slice(&FRAME);
        file.resize(start + 417, 0);
    }
    let read = ctx.guarded("id3", |_| {
        let mut options = ParseOptions::new();
        options.parsing_mode(ParsingMode::Relaxed).read_properties(false);
        Probe::with_file_type(Cursor::new(file), FileType::Mpeg).options(options).read()
    });
    match read {
        Some(Ok(file)) => tags(ctx, &file),
        Some(Err(_)) => ctx.stopped("id3", Stop::Malformed("the tag could not be read")),
        None => {}
    }
}

/// An APE tag at the end of a sound file that lofty does not know.
pub(crate) fn ape_block(ctx: &mut Ctx<'_>, bytes: &[u8]) {
    // Only the tag and its footer are handed on, behind the frames of a file it knows.
    let Some(at) = crate::bytes::find(bytes, b"APETAGEX") else { return };
    id3_block(ctx, bytes.get(at..).unwrap_or_default());
}

fn shape(p: &FileProperties) -> (u32, u32, Duration, Option<u64>) {
    let bits = p.audio_bitrate().map(|kbit| u64::from(kbit) * 1000);
    (p.sample_rate().unwrap_or(0), p.channels().map_or(0, u32::from), p.duration(), bits)
}

/// Copies tags into the record; the first tag that has a field wins, and of
/// several values the first stands.
fn tags(ctx: &mut Ctx<'_>, file: &TaggedFile) {
    let primary = file.primary_tag_type();
    let (first, rest): (Vec<&Tag>, Vec<&Tag>) = file.tags().iter().partition(|t| t.tag_type() == primary);
    for tag in first.into_iter().chain(rest) {
        one_tag(ctx, tag);
    }
}

fn one_tag(ctx: &mut Ctx<'_>, tag: &Tag) {
    let max = ctx.limits.max_text;
    let old = tag.tag_type() == TagType::Id3v1;
    let get = |key: ItemKey| {
        tag.get_strings(key).find_map(|v| text::clean(&if old { text::reread(v) } else { v.into() }, max))
    };
    // One field holds one name, as in ffprobe; the others are kept as authors.
    let artists: Vec<String> =
        tag.get_strings(ItemKey::TrackArtist).filter_map(|v| text::clean(v, 256)).take(16).collect();
    let m = &mut ctx.meta;
    for (slot, keys) in [
        (&mut m.title, &[ItemKey::TrackTitle][..]),
        (&mut m.artist, &[ItemKey::TrackArtist]),
        (&mut m.album, &[ItemKey::AlbumTitle]),
        (&mut m.album_artist, &[ItemKey::AlbumArtist]),
        (&mut m.composer, &[ItemKey::Composer]),
        (&mut m.performer, &[ItemKey::Performer]),
        (&mut m.language, &[ItemKey::Language]),
        (&mut m.copyright, &[ItemKey::CopyrightMessage]),
        (&mut m.description, &[ItemKey::Comment, ItemKey::Description]),
    ] {
        if slot.is_none() {
            *slot = keys.iter().find_map(|k| get(*k));
        }
    }
    if m.authors.is_empty() && artists.len() > 1 {
        m.authors = artists;
    }
    if m.audio_covers.is_empty() {
        m.audio_covers = tag.pictures().iter().take(8).map(|p| cover(p.data()).unwrap_or_default()).collect();
    }
}
