//! Codecs in ffprobe's terms, and what their configuration records say.

use crate::bytes::be16;
use crate::metadata::{AudioStream, SubtitleStream, VideoStream};

/// Long name of a codec, as ffprobe prints it.
pub(crate) fn long_name(codec: &str) -> Option<&'static str> {
    Some(match codec {
        "h264" => "H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10",
        "hevc" => "H.265 / HEVC (High Efficiency Video Coding)",
        "vvc" => "H.266 / VVC (Versatile Video Coding)",
        "av1" => "Alliance for Open Media AV1",
        "vp8" => "On2 VP8",
        "vp9" => "Google VP9",
        "mpeg4" => "MPEG-4 part 2",
        "mpeg2video" => "MPEG-2 video",
        "mpeg1video" => "MPEG-1 video",
        "h263" => "H.263 / H.263-1996, H.263+ / H.263-1998 / H.263 version 2",
        "mjpeg" => "Motion JPEG",
        "theora" => "Theora",
        "prores" => "Apple ProRes (iCodec Pro)",
        "flv1" => "FLV / Sorenson Spark / Sorenson H.263 (Flash Video)",
        "vp6f" => "On2 VP6 (Flash version)",
        "msmpeg4v2" => "MPEG-4 part 2 Microsoft variant version 2",
        "msmpeg4v3" => "MPEG-4 part 2 Microsoft variant version 3",
        "wmv1" => "Windows Media Video 7",
        "wmv2" => "Windows Media Video 8",
        "wmv3" => "Windows Media Video 9",
        "vc1" => "SMPTE VC-1",
        "aac" => "AAC (Advanced Audio Coding)",
        "mp3" => "MP3 (MPEG audio layer 3)",
        "mp2" => "MP2 (MPEG audio layer 2)",
        "mp1" => "MP1 (MPEG audio layer 1)",
        "ac3" => "ATSC A/52A (AC-3)",
        "eac3" => "ATSC A/52B (AC-3, E-AC-3)",
        "ac4" => "AC-4",
        "dts" => "DCA (DTS Coherent Acoustics)",
        "truehd" => "TrueHD",
        "opus" => "Opus (Opus Interactive Audio Codec)",
        "vorbis" => "Vorbis",
        "speex" => "Speex",
        "flac" => "FLAC (Free Lossless Audio Codec)",
        "alac" => "ALAC (Apple Lossless Audio Codec)",
        "amr_nb" => "AMR-NB (Adaptive Multi-Rate NarrowBand)",
        "amr_wb" => "AMR-WB (Adaptive Multi-Rate WideBand)",
        "tta" => "TTA (True Audio)",
        "dsd_lsbf_planar" => "DSD (Direct Stream Digital), least significant bit first, planar",
        "dsd_msbf_planar" => "DSD (Direct Stream Digital), most significant bit first, planar",
        "dsd_msbf" => "DSD (Direct Stream Digital), most significant bit first",
        "ape" => "Monkey's Audio",
        "wavpack" => "WavPack",
        "musepack7" => "Musepack SV7",
        "musepack8" => "Musepack SV8",
        "wmav1" => "Windows Media Audio 1",
        "wmav2" => "Windows Media Audio 2",
        "wmapro" => "Windows Media Audio 9 Professional",
        "wmalossless" => "Windows Media Audio Lossless",
        "wmavoice" => "Windows Media Audio Voice",
        "pcm_s16le" => "PCM signed 16-bit little-endian",
        "pcm_s16be" => "PCM signed 16-bit big-endian",
        "pcm_s24le" => "PCM signed 24-bit little-endian",
        "pcm_s24be" => "PCM signed 24-bit big-endian",
        "pcm_s32le" => "PCM signed 32-bit little-endian",
        "pcm_s32be" => "PCM signed 32-bit big-endian",
        "pcm_u8" => "PCM unsigned 8-bit",
        "pcm_s8" => "PCM signed 8-bit",
        "pcm_f32le" => "PCM 32-bit floating point little-endian",
        "pcm_f32be" => "PCM 32-bit floating point big-endian",
        "pcm_f64le" => "PCM 64-bit floating point little-endian",
        "pcm_f64be" => "PCM 64-bit floating point big-endian",
        "pcm_alaw" => "PCM A-law / G.711 A-law",
        "pcm_mulaw" => "PCM mu-law / G.711 mu-law",
        "adpcm_ima_wav" => "ADPCM IMA WAV",
        "adpcm_ms" => "ADPCM Microsoft",
        "gsm_ms" => "GSM Microsoft variant",
        "mov_text" => "MOV text",
        "subrip" => "SubRip subtitle",
        "ass" => "ASS (Advanced SSA) subtitle",
        "webvtt" => "WebVTT subtitle",
        "ttml" => "Timed Text Markup Language",
        "hdmv_pgs_subtitle" => "HDMV Presentation Graphic Stream subtitles",
        "dvd_subtitle" => "DVD subtitles",
        "dvb_subtitle" => "DVB subtitles",
        "eia_608" => "EIA-608 closed captions",
        _ => return None,
    })
}

/// Layout name of a channel count, as ffprobe prints it.
pub(crate) fn channel_layout(channels: u32) -> Option<&'static str> {
    Some(match channels {
        1 => "mono",
        2 => "stereo",
        3 => "2.1",
        4 => "4.0",
        5 => "5.0",
        6 => "5.1",
        7 => "6.1",
        8 => "7.1",
        _ => return None,
    })
}

/// Pixel format of a codec that has one only, or one in all but rare files; what a
/// stream's own header says goes before it.
fn usual_pixel_format(codec: &str) -> Option<&'static str> {
    Some(match codec {
        "mpeg1video" | "mpeg2video" | "mpeg4" | "msmpeg4v2" | "msmpeg4v3" | "h263" | "flv1" | "wmv1"
        | "wmv2" | "wmv3" | "vp8" | "vp6f" | "theora" => "yuv420p",
        "svq1" | "indeo3" | "indeo4" | "indeo5" => "yuv410p",
        "cinepak" => "rgb24",
        "flashsv" => "bgr24",
        _ => return None,
    })
}

impl VideoStream {
    pub(crate) fn of(codec: &str) -> Self {
        VideoStream {
            codec_name: Some(codec.to_owned()),
            codec_long_name: long_name(codec).map(str::to_owned),
            pixel_format: usual_pixel_format(codec).map(str::to_owned),
            ..VideoStream::default()
        }
    }
}

impl AudioStream {
    pub(crate) fn of(codec: &str) -> Self {
        AudioStream {
            codec_name: Some(codec.to_owned()),
            codec_long_name: long_name(codec).map(str::to_owned),
            ..AudioStream::default()
        }
    }

    /// Sets rate and channels, dropping what no stream has.
    pub(crate) fn shaped(mut self, sample_rate: u32, channels: u32) -> Self {
        self.sample_rate = Some(sample_rate).filter(|r| (1..=6_144_000).contains(r));
        self.channels = Some(channels).filter(|c| (1..=255).contains(c));
        self.channel_layout = channel_layout(channels).map(str::to_owned);
        self
    }
}

impl SubtitleStream {
    pub(crate) fn of(codec: &str) -> Self {
        SubtitleStream {
            codec_name: Some(codec.to_owned()),
            codec_long_name: long_name(codec).map(str::to_owned),
            ..SubtitleStream::default()
        }
    }
}

/// Colour by the code points of H.273; 2 stands for unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    /// Whether values take the full range, where that is told.
    pub(crate) full: Option<bool>,
    pub(crate) primaries: u32,
    pub(crate) transfer: u32,
    pub(crate) matrix: u32,
}

impl Colour {
    pub(crate) const UNKNOWN: Colour = Colour { full: None, primaries: 2, transfer: 2, matrix: 2 };
}

impl VideoStream {
    /// Takes over what is told of the colour, in ffprobe's terms.
    pub(crate) fn with_colour(&mut self, colour: Colour) {
        const PRIMARIES: &[(u32, &str)] = &[
            (1, "bt709"),
            (4, "bt470m"),
            (5, "bt470bg"),
            (6, "smpte170m"),
            (7, "smpte240m"),
            (8, "film"),
            (9, "bt2020"),
            (10, "smpte428"),
            (11, "smpte431"),
            (12, "smpte432"),
            (22, "ebu3213"),
        ];
        const TRANSFERS: &[(u32, &str)] = &[
            (1, "bt709"),
            (4, "bt470m"),
            (5, "bt470bg"),
            (6, "smpte170m"),
            (7, "smpte240m"),
            (8, "linear"),
            (9, "log100"),
            (10, "log316"),
            (11, "iec61966-2-4"),
            (12, "bt1361e"),
            (13, "iec61966-2-1"),
            (14, "bt2020-10"),
            (15, "bt2020-12"),
            (16, "smpte2084"),
            (17, "smpte428"),
            (18, "arib-std-b67"),
        ];
        const MATRICES: &[(u32, &str)] = &[
            (0, "gbr"),
            (1, "bt709"),
            (4, "fcc"),
            (5, "bt470bg"),
            (6, "smpte170m"),
            (7, "smpte240m"),
            (8, "ycgco"),
            (9, "bt2020nc"),
            (10, "bt2020c"),
            (11, "smpte2085"),
            (12, "chroma-derived-nc"),
            (13, "chroma-derived-c"),
            (14, "ictcp"),
        ];
        let name = |code: u32, names: &[(u32, &str)]| {
            names.iter().find(|(c, _)| *c == code).map(|(_, name)| (*name).to_owned())
        };
        for (slot, found) in [
            (&mut self.color_primaries, name(colour.primaries, PRIMARIES)),
            (&mut self.color_transfer, name(colour.transfer, TRANSFERS)),
            (&mut self.color_space, name(colour.matrix, MATRICES)),
            (&mut self.color_range, colour.full.map(|full| if full { "pc" } else { "tv" }.to_owned())),
        ] {
            *slot = found.or(slot.take());
        }
    }
}

/// `n/d` in lowest terms; None where there is no such fraction.
pub(crate) fn fraction(n: u64, d: u64) -> Option<String> {
    if n == 0 || d == 0 {
        return None;
    }
    let (mut a, mut b) = (n, d);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Some(format!("{}/{}", n / a, d / a))
}

/// Display ratio from size and sample ratio.
pub(crate) fn display_aspect(width: u32, height: u32, sar: (u32, u32)) -> Option<String> {
    fraction(u64::from(width) * u64::from(sar.0), u64::from(height) * u64::from(sar.1))
        .map(|f| f.replace('/', ":"))
}

/// Whole bits a second over `bytes` in `seconds`.
pub(crate) fn bitrate(bytes: u64, seconds: f64) -> Option<u64> {
    let rate = bytes as f64 * 8.0 / seconds;
    (seconds > 0.0 && rate.is_finite() && rate < 1e15).then_some(rate as u64)
}

/// A duration that can be true.
pub(crate) fn seconds(value: f64) -> Option<f64> {
    // Microseconds are what ffprobe gives.
    (value.is_finite() && value > 0.0 && value < 1e9).then(|| (value * 1e6).round() / 1e6)
}

/// Bits, most significant first.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, at: 0 }
    }

    pub(crate) fn bits(&mut self, n: usize) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..n {
            let bit = *self.bytes.get(self.at / 8)? >> (7 - self.at % 8) & 1;
            value = value << 1 | u32::from(bit);
            self.at += 1;
        }
        Some(value)
    }

    /// Exponential Golomb code.
    pub(crate) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bits(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1u64 << zeros) - 1) as u32 + self.bits(zeros)?)
    }
}

/// Pixel format of planar YUV in ffprobe's terms.
pub(crate) fn pixel_format(chroma: u32, depth: u32, full_range: bool) -> Option<String> {
    let base = match chroma {
        0 => "gray",
        1 => "yuv420p",
        2 => "yuv422p",
        3 => "yuv444p",
        _ => return None,
    };
    let full =
        if full_range && depth == 8 && chroma > 0 { base.replace("yuv", "yuvj") } else { base.to_owned() };
    Some(if depth > 8 { format!("{base}{depth}le") } else { full })
}

/// `av1C`.
pub(crate) fn av1c(stream: &mut VideoStream, b: &[u8]) {
    let (Some(&one), Some(&two)) = (b.get(1), b.get(2)) else { return };
    stream.profile = match one >> 5 {
        0 => Some("Main".to_owned()),
        1 => Some("High".to_owned()),
        2 => Some("Professional".to_owned()),
        _ => None,
    };
    stream.level = Some(i32::from(one & 31));
    let depth = match (two & 0x40 != 0, two & 0x20 != 0) {
        (true, true) => 12,
        (true, false) => 10,
        _ => 8,
    };
    let chroma = match (two & 0x10 != 0, two & 8 != 0, two & 4 != 0) {
        (true, _, _) => 0,
        (_, true, true) => 1,
        (_, true, false) => 2,
        _ => 3,
    };
    stream.pixel_format = pixel_format(chroma, depth, false);
    stream.bit_depth = Some(depth);
}

/// `vpcC` behind its version and flags.
pub(crate) fn vpcc(stream: &mut VideoStream, b: &[u8]) {
    let Some(&[profile, level, packed]) = b.get(4..7) else { return };
    stream.profile = Some(format!("Profile {profile}"));
    stream.level = Some(i32::from(level));
    let depth = u32::from(packed >> 4);
    let chroma = match packed >> 1 & 7 {
        0 | 1 => 1,
        2 => 2,
        3 => 3,
        _ => 4,
    };
    stream.pixel_format = pixel_format(chroma, depth, packed & 1 == 1).map(|f| f.replace("yuvj", "yuv"));
    stream.bit_depth = Some(depth).filter(|d| *d > 0);
    if let Some(&[primaries, transfer, matrix]) = b.get(7..10) {
        let full = Some(packed & 1 == 1);
        let (primaries, transfer, matrix) = (primaries.into(), transfer.into(), matrix.into());
        stream.with_colour(Colour { full, primaries, transfer, matrix });
    }
}

/// Rate and channels of an AAC AudioSpecificConfig, with explicit SBR.
pub(crate) fn aac_config(b: &[u8]) -> Option<(u32, u32, &'static str)> {
    let mut r = BitReader::new(b);
    let object = |r: &mut BitReader<'_>| match r.bits(5) {
        Some(31) => r.bits(6).map(|n| n + 32),
        other => other,
    };
    let rate = |r: &mut BitReader<'_>| match r.bits(4)? {
        15 => r.bits(24),
        i => aac_rate(i),
    };
    let kind = object(&mut r)?;
    let mut sample_rate = rate(&mut r)?;
    let channels = match r.bits(4)? {
        7 => 8,
        n => n,
    };
    let mut profile = match kind {
        1 => "Main",
        2 => "LC",
        3 => "SSR",
        4 => "LTP",
        5 => "HE-AAC",
        29 => "HE-AACv2",
        42 => "xHE-AAC",
        _ => "",
    };
    if kind == 5 || kind == 29 {
        sample_rate = rate(&mut r)?;
    } else if let Some(at) = b.windows(2).skip(2).position(|w| be16(w, 0).is_some_and(|v| v >> 5 == 0x2b7)) {
        // Signalled behind the core's configuration, for players that know it.
        let mut r = BitReader::new(b.get(at + 2..).unwrap_or_default());
        r.bits(11)?;
        if object(&mut r) == Some(5) && r.bits(1) == Some(1) {
            sample_rate = rate(&mut r).unwrap_or(sample_rate);
            profile = "HE-AAC";
        }
    }
    // Parametric stereo is coded as one channel.
    let channels = if kind == 29 && channels == 1 { 2 } else { channels };
    Some((sample_rate, channels, profile))
}

/// MPEG-4 sampling frequency index.
pub(crate) fn aac_rate(index: u32) -> Option<u32> {
    const RATES: [u32; 13] =
        [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];
    RATES.get(index as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations() {
        assert_eq!(aac_config(&[0x12, 0x10]), Some((44_100, 2, "LC")));
        // Parametric stereo over one channel at half the rate.
        assert_eq!(aac_config(&[0xeb, 0x09, 0x88, 0]), Some((48_000, 2, "HE-AACv2")));
        assert_eq!(fraction(30_000, 1000).as_deref(), Some("30/1"));
        assert_eq!(fraction(1, 0), None);
        assert_eq!(display_aspect(1920, 1080, (1, 1)).as_deref(), Some("16:9"));
    }
}
