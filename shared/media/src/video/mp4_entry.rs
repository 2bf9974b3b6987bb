//! Sample descriptions: codec and parameters of a track.

use crate::bmff::{self, Box4};
use crate::bytes::{be16, be32, be64};
use crate::codec;
use crate::extra::film;
use crate::metadata::{AudioStream, SubtitleStream, VideoStream};
use crate::source::{Parse, Stop};

/// Tag fields in ffprobe's form.
fn tag(kind: [u8; 4]) -> (String, String) {
    let text: String =
        kind.iter().map(|b| if (0x20..0x7f).contains(b) { char::from(*b) } else { '.' }).collect();
    (format!("0x{:08x}", u32::from_le_bytes(kind)), text)
}

/// The format an encrypted entry hides.
fn original(entry: Box4<'_>, header: u64) -> Parse<[u8; 4]> {
    let frma = bmff::path(entry.body.sub(header, u64::MAX), &[b"sinf", b"frma"])?;
    Ok(match frma.map(|f| f.get(0, 4)).transpose()? {
        Some(&[a, b, c, d]) => [a, b, c, d],
        _ => entry.kind,
    })
}

pub(super) fn video_entry(entry: Box4<'_>) -> Parse<VideoStream> {
    let kind = if &entry.kind == b"encv" { original(entry, 78)? } else { entry.kind };
    let head = entry.body.upto(0, 78)?;
    let mut stream = VideoStream::default();
    let name = match &kind {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" | b"dva1" | b"dvav" => "h264",
        b"hvc1" | b"hev1" | b"hvc2" | b"hev2" | b"dvh1" | b"dvhe" => "hevc",
        b"vvc1" | b"vvi1" => "vvc",
        b"av01" | b"dav1" => "av1",
        b"vp08" => "vp8",
        b"vp09" => "vp9",
        b"mp4v" | b"XVID" | b"DIVX" | b"3IVX" => "mpeg4",
        b"s263" | b"h263" | b"H263" => "h263",
        b"jpeg" | b"mjpa" | b"mjpb" | b"MJPG" => "mjpeg",
        b"png " => "png",
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => "prores",
        b"m2v1" | b"mp2v" | b"hdv2" | b"hdv3" | b"mx5p" | b"xdvc" | b"xdv2" => "mpeg2video",
        b"m1v1" | b"mpeg" => "mpeg1video",
        b"SVQ1" => "svq1",
        b"SVQ3" => "svq3",
        b"cvid" => "cinepak",
        b"8BPS" => "8bps",
        b"IV31" | b"IV32" => "indeo3",
        b"IV41" => "indeo4",
        b"IV50" => "indeo5",
        b"rle " => "qtrle",
        b"rpza" => "rpza",
        b"smc " => "smc",
        b"dvc " | b"dvcp" | b"dvpp" | b"dv5n" | b"dv5p" => "dvvideo",
        b"raw " | b"2vuy" | b"yuv2" | b"v210" => "rawvideo",
        b"WMV3" => "wmv3",
        b"vc-1" => "vc1",
        _ => "",
    };
    if !name.is_empty() {
        stream = VideoStream::of(name);
    }
    match &kind {
        b"apch" | b"apcn" | b"apcs" | b"apco" => stream.pixel_format = Some("yuv422p10le".into()),
        b"ap4h" | b"ap4x" => stream.pixel_format = Some("yuv444p12le".into()),
        _ => {}
    }
    let (hex, text) = tag(entry.kind);
    stream.codec_tag = Some(hex);
    stream.codec_tag_string = Some(text);
    stream.width = be16(head, 24).map(u32::from).filter(|w| *w > 0);
    stream.height = be16(head, 26).map(u32::from).filter(|h| *h > 0);
    let walked = bmff::walk(entry.body.sub(78, u64::MAX), |b| {
        let config = || b.body.upto(0, 512);
        match &b.kind {
            b"avcC" => crate::sps::avcc(&mut stream, config()?),
            b"dvcC" | b"dvvC" | b"dvwC" => film::dolby_vision(&mut stream, config()?),
            b"hvcC" => crate::sps::hvcc(&mut stream, config()?),
            b"av1C" => codec::av1c(&mut stream, config()?),
            b"vpcC" => codec::vpcc(&mut stream, config()?),
            b"esds" => {
                if let Some((object, _, _)) = esds(config()?) {
                    let name = match object {
                        0x20 => "mpeg4",
                        0x21 => "h264",
                        0x23 => "hevc",
                        0x60..=0x65 => "mpeg2video",
                        0x6a => "mpeg1video",
                        0x6c => "mjpeg",
                        0x6d => "png",
                        _ => name,
                    };
                    stream.codec_name = Some(name.to_owned()).filter(|n| !n.is_empty());
                    stream.codec_long_name = codec::long_name(name).map(str::to_owned);
                    if name == "mpeg4" {
                        stream.pixel_format = Some("yuv420p".into());
                    }
                }
            }
            b"d263" => stream.pixel_format = Some("yuv420p".into()),
            b"pasp" => {
                let h = b.body.get(0, 8)?;
                stream.sample_aspect_ratio = be32(h, 0)
                    .zip(be32(h, 4))
                    .and_then(|(x, y)| codec::fraction(u64::from(x), u64::from(y)))
                    .map(|f| f.replace('/', ":"));
            }
            b"colr" => colour(&mut stream, b.body.upto(0, 11)?),
            _ => {}
        }
        Ok(true)
    });
    // ffprobe names the full range of HEVC in the pixel format, as it does for H.264.
    if stream.codec_name.as_deref() == Some("hevc") && stream.color_range.as_deref() == Some("pc") {
        let full = stream.pixel_format.take().map(|f| match f.as_str() {
            "yuv420p" | "yuv422p" | "yuv444p" => f.replace("yuv", "yuvj"),
            _ => f,
        });
        stream.pixel_format = full;
    }
    match walked {
        Err(Stop::Missing) => Err(Stop::Missing),
        _ => Ok(stream),
    }
}

/// `colr` of kind nclx or nclc: code points of H.273.
fn colour(stream: &mut VideoStream, b: &[u8]) {
    if !matches!(b.get(..4), Some(b"nclx" | b"nclc")) {
        return;
    }
    let code = |at| be16(b, at).map_or(2, u32::from);
    stream.with_colour(codec::Colour { full: None, primaries: code(4), transfer: code(6), matrix: code(8) });
    if let Some(range) = b.get(10) {
        stream.color_range = Some(if range & 0x80 != 0 { "pc" } else { "tv" }.to_owned());
    }
}

pub(super) fn subtitle_entry(entry: Box4<'_>) -> SubtitleStream {
    let name = match &entry.kind {
        b"tx3g" | b"text" => "mov_text",
        b"wvtt" => "webvtt",
        b"stpp" => "ttml",
        b"c608" => "eia_608",
        b"mp4s" => "dvd_subtitle",
        _ => "",
    };
    let mut stream = if name.is_empty() { SubtitleStream::default() } else { SubtitleStream::of(name) };
    let (hex, text) = tag(entry.kind);
    stream.codec_tag = Some(hex);
    stream.codec_tag_string = Some(text);
    stream
}

pub(super) fn audio_entry(entry: Box4<'_>) -> Parse<AudioStream> {
    let head = entry.body.upto(0, 64)?;
    let version = be16(head, 8).unwrap_or(0);
    let mut channels = u32::from(be16(head, 16).unwrap_or(0));
    let mut bits = u32::from(be16(head, 18).unwrap_or(0));
    let mut rate = be32(head, 24).unwrap_or(0) >> 16;
    let mut header = 28;
    if version == 1 {
        header = 44;
    } else if version == 2 {
        header = 64;
        rate = be64(head, 32).map(f64::from_bits).filter(|r| (1.0..1e7).contains(r)).map_or(0, |r| r as u32);
        channels = be32(head, 40).unwrap_or(0);
        bits = be32(head, 48).unwrap_or(0);
    }
    let flags = be32(head, 52).unwrap_or(0);
    let kind = if matches!(&entry.kind, b"enca" | b"drms") { original(entry, header)? } else { entry.kind };
    let mut name: String = match &kind {
        b"mp4a" => "aac",
        b"ac-3" | b"sac3" => "ac3",
        b"ec-3" => "eac3",
        b"ac-4" => "ac4",
        b"alac" => "alac",
        b"Opus" => "opus",
        b"fLaC" => "flac",
        b"samr" => "amr_nb",
        b"sawb" => "amr_wb",
        b".mp3" | b"ms\0U" => "mp3",
        b".mp2" => "mp2",
        b"dtsc" | b"dtse" | b"dtsh" | b"dtsl" => "dts",
        b"mlpa" => "truehd",
        b"sowt" => "pcm_s16le",
        b"twos" if bits == 8 => "pcm_s8",
        b"twos" => "pcm_s16be",
        b"in24" => "pcm_s24be",
        b"in32" => "pcm_s32be",
        b"fl32" => "pcm_f32be",
        b"fl64" => "pcm_f64be",
        b"ulaw" => "pcm_mulaw",
        b"alaw" => "pcm_alaw",
        b"ima4" => "adpcm_ima_qt",
        b"raw " if bits == 16 => "pcm_s16be",
        b"raw " => "pcm_u8",
        b"QDM2" => "qdm2",
        b"MAC3" => "mace3",
        b"MAC6" => "mace6",
        b"lpcm" => match (flags & 1 != 0, flags & 2 != 0, bits) {
            (true, true, 64) => "pcm_f64be",
            (true, false, 64) => "pcm_f64le",
            (true, true, 32) => "pcm_f32be",
            (true, false, 32) => "pcm_f32le",
            (_, true, 24) => "pcm_s24be",
            (_, false, 24) => "pcm_s24le",
            (_, true, _) => "pcm_s16be",
            _ => "pcm_s16le",
        },
        _ => "",
    }
    .to_owned();
    let (mut average, mut little) = (None, false);
    let walked = bmff::walk(entry.body.sub(header, u64::MAX), |b| {
        let mut descriptor = None;
        match &b.kind {
            b"esds" => descriptor = Some(b.body),
            b"wave" => {
                descriptor = bmff::child(b.body, b"esds")?.map(|e| e.body);
                if let Some(order) = bmff::child(b.body, b"enda")? {
                    little = be16(order.body.upto(0, 2)?, 0) == Some(1);
                }
            }
            b"dOps" => channels = b.body.upto(0, 2)?.get(1).map_or(channels, |c| u32::from(*c)),
            b"dfLa" => {
                let h = b.body.upto(0, 32)?;
                if let Some(packed) = be32(h, 18) {
                    rate = packed >> 12;
                    channels = (packed >> 9 & 7) + 1;
                }
            }
            b"alac" => {
                let h = b.body.upto(0, 28)?;
                if let (Some(c), Some(r)) = (h.get(13), be32(h, 24)) {
                    channels = u32::from(*c);
                    rate = r;
                }
            }
            b"dmlp" => {
                let sync = [&[0xf8, 0x72, 0x6f, 0xba][..], b.body.upto(0, 4)?].concat();
                if let Some((r, c)) = super::elementary::truehd_sync(&sync) {
                    (rate, channels) = (r, c);
                }
            }
            b"dac3" => {
                let h = b.body.upto(0, 3)?;
                let mode = h.get(1).map_or(2, |v| v >> 3 & 7);
                let lfe = h.get(1).map_or(0, |v| v >> 2 & 1);
                channels = ac3_channels(u32::from(mode)) + u32::from(lfe);
            }
            b"dec3" => {
                let h = b.body.upto(0, 5)?;
                let mode = h.get(3).map_or(2, |v| v >> 1 & 7);
                let lfe = h.get(3).map_or(0, |v| v & 1);
                channels = ac3_channels(u32::from(mode)) + u32::from(lfe);
            }
            _ => {}
        }
        if let Some(body) = descriptor
            && let Some((object, bits_per_second, config)) = esds(body.upto(0, 512)?)
        {
            average = Some(u64::from(bits_per_second)).filter(|r| *r > 0);
            match object {
                0x69 | 0x6b => name = "mp3".into(),
                0xa5 => name = "ac3".into(),
                0xa6 => name = "eac3".into(),
                0xa9 => name = "dts".into(),
                0xad => name = "opus".into(),
                0xdd => name = "vorbis".into(),
                0xe1 => name = "qcelp".into(),
                0x40 | 0x66..=0x68 => {
                    if let Some((r, c, _)) = codec::aac_config(config) {
                        rate = r;
                        channels = if c > 0 { c } else { channels };
                    }
                }
                _ => {}
            }
        }
        Ok(true)
    });
    if let Err(Stop::Missing) = walked {
        return Err(Stop::Missing);
    }
    if little && let Some(base) = name.strip_suffix("be") {
        name = format!("{base}le");
    }
    // AMR has one rate and one channel, whatever the entry says.
    match name.as_str() {
        "amr_nb" => (rate, channels) = (8000, 1),
        "amr_wb" => (rate, channels) = (16_000, 1),
        "opus" => rate = 48_000,
        _ => {}
    }
    let mut stream = if name.is_empty() { AudioStream::default() } else { AudioStream::of(&name) };
    stream = stream.shaped(rate, channels);
    let (hex, text) = tag(entry.kind);
    stream.codec_tag = Some(hex);
    stream.codec_tag_string = Some(text);
    stream.bitrate = average;
    Ok(stream)
}

/// Full-bandwidth channels of an AC-3 coding mode.
pub(crate) fn ac3_channels(mode: u32) -> u32 {
    match mode {
        0 | 2 => 2,
        1 => 1,
        3 | 4 => 3,
        5 | 6 => 4,
        _ => 5,
    }
}

/// Object type, average bit rate and decoder configuration of an `esds`.
fn esds(b: &[u8]) -> Option<(u8, u32, &[u8])> {
    /// Tag and content of a descriptor, whose length takes one to four bytes.
    fn descriptor(b: &[u8]) -> Option<(u8, &[u8])> {
        let (tag, mut rest) = b.split_first()?;
        let mut len = 0usize;
        for _ in 0..4 {
            let (byte, tail) = rest.split_first()?;
            rest = tail;
            len = len << 7 | usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some((*tag, rest.get(..len.min(rest.len()))?))
    }
    let (tag, es) = descriptor(b.get(4..)?)?;
    let inner = match tag {
        3 => {
            let flags = *es.get(2)?;
            let mut at = 3;
            at += if flags & 0x80 != 0 { 2 } else { 0 };
            if flags & 0x40 != 0 {
                at += 1 + usize::from(*es.get(at)?);
            }
            at += if flags & 0x20 != 0 { 2 } else { 0 };
            es.get(at..)?
        }
        _ => b.get(4..)?,
    };
    let (tag, config) = descriptor(inner)?;
    if tag != 4 {
        return None;
    }
    let specific = config.get(13..).and_then(descriptor).filter(|(tag, _)| *tag == 5).map(|(_, b)| b);
    Some((*config.first()?, be32(config, 9)?, specific.unwrap_or_default()))
}
