//! What a record says of an object: IMM's `File` fields that come from bytes,
//! under IMM's names on the wire (`ImageWidth`, `VideoStreams` ...).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::extra::Extra;

/// EXIF as tag name to value text, ordered by name.
///
/// The text is the raw, machine-comparable form: ASCII trimmed of NULs and
/// blanks, integers in decimal, rationals as `28/10` (never `f/2.8`), several
/// values joined by a blank, undefined bytes as text where they are printable
/// and as lower-case hex otherwise. MakerNote, thumbnails and values over
/// [`crate::Limits::max_exif_value`] are left out.
pub type ExifMap = BTreeMap<String, String>;

/// IMM's wire form of EXIF: a JSON text `{"Tag":{"value":"..."}}`.
pub fn exif_wire_json(exif: &ExifMap) -> String {
    let tags: serde_json::Map<String, serde_json::Value> =
        exif.iter().map(|(tag, value)| (tag.clone(), serde_json::json!({ "value": value }))).collect();
    serde_json::Value::Object(tags).to_string()
}

/// Kind of an object (IMM `MediaType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaType {
    /// Still or animated image.
    Image,
    /// Film: a container with a moving picture.
    Video,
    /// Sound only.
    Audio,
    /// Text, office documents, PDF, books.
    Document,
    /// Packed files.
    Archive,
    /// Anything else.
    Other,
}

impl MediaType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaType::Image => "image",
            MediaType::Video => "video",
            MediaType::Audio => "audio",
            MediaType::Document => "document",
            MediaType::Archive => "archive",
            MediaType::Other => "other",
        }
    }
}

/// What the bytes say. Every field is optional; names on the wire are those of
/// IMM's `File`, and the extensions say so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Metadata {
    /// MIME type decided from the content (RFC 6838 names).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Kind of object, decided from the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// Stored width of a still image in px, before Orientation is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_width: Option<u32>,
    /// Stored height of a still image in px, before Orientation is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_height: Option<u32>,
    /// 1..=8: how the stored pixels are to be turned for display (EXIF numbering).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<u32>,
    /// EXIF, tag name to raw value text. See [`ExifMap`].
    #[serde(rename = "EXIF", skip_serializing_if = "Option::is_none")]
    pub exif: Option<ExifMap>,
    /// When it was made, RFC 3339. See [`crate`] for the zone rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub produce_time: Option<String>,
    /// `+hh:mm`, only where the file itself states or proves it, or where its place does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Extension: `LatLong` where the zone is that of the place (feature `geocode`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone_source: Option<String>,
    /// `"lat,long"`, decimal degrees with six digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat_long: Option<String>,
    /// Where that is (feature `geocode`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// Container in ffprobe's terms, e.g. `mov,mp4,m4a,3gp,3g2,mj2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format_name: Option<String>,
    /// Container's full name in ffprobe's terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format_long_name: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Bit/s over the whole object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u64>,
    /// Seconds: the first timestamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<f64>,
    /// Streams in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_count: Option<u32>,
    /// Programs in the container (transport streams).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program_count: Option<u32>,
    /// Coded width of the first real video stream in px, before rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_width: Option<u32>,
    /// Coded height of the first real video stream in px, before rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video_height: Option<u32>,
    /// Video streams; cover pictures are not among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub video_streams: Vec<VideoStream>,
    /// Audio streams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audio_streams: Vec<AudioStream>,
    /// Subtitle streams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subtitles: Vec<SubtitleStream>,
    /// Cover pictures, dimensions only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audio_covers: Vec<Image>,
    /// Title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Artist of the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artist: Option<String>,
    /// Album.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// Artist of the album.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub album_artist: Option<String>,
    /// Composer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub composer: Option<String>,
    /// Performer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performer: Option<String>,
    /// BCP 47 tag where one can be made, else as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Pages, slides or sheets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_count: Option<u32>,
    /// Extension: who wrote or took it, in the file's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// Extension: keywords, tags, subjects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Extension: caption, comment or abstract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Extension: rights statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copyright: Option<String>,
    /// Extension: content identifier that pairs a Live Photo's image and film.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_photo_id: Option<String>,
    /// Extension: entries in an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_entry_count: Option<u64>,
    /// Extensions: ratings, persons, exposure, tracks, chapters and more.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A video stream (IMM `VideoStream`, ffprobe's terms).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VideoStream {
    /// Stream index in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Codec in ffprobe's terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_name: Option<String>,
    /// Codec's full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_long_name: Option<String>,
    /// Codec tag, e.g. `0x31637661`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_tag: Option<String>,
    /// Codec tag as text, e.g. `avc1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_tag_string: Option<String>,
    /// Codec time base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_time_base: Option<String>,
    /// Codec profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Codec level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
    /// Coded width in px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Coded height in px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// B-frame indicator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_b_frames: Option<u32>,
    /// `w:h` of one sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_aspect_ratio: Option<String>,
    /// `w:h` of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_aspect_ratio: Option<String>,
    /// Pixel format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_format: Option<String>,
    /// `tv` or `pc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_range: Option<String>,
    /// Matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_space: Option<String>,
    /// Transfer function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_transfer: Option<String>,
    /// Primaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_primaries: Option<String>,
    /// Bits per sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bit_depth: Option<u32>,
    /// Frames/s as a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<String>,
    /// Mean frames/s as a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_frame_rate: Option<String>,
    /// Seconds per tick as a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_base: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<f64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Bit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u64>,
    /// Frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_count: Option<u64>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Clockwise degrees to turn for display.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate: Option<String>,
    /// Extension: profile and compatibility of Dolby Vision, e.g. `8.4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dolby_vision_profile: Option<String>,
}

/// An audio stream (IMM `AudioStream`, ffprobe's terms).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AudioStream {
    /// Stream index in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Codec in ffprobe's terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_name: Option<String>,
    /// Codec's full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_long_name: Option<String>,
    /// Codec tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_tag: Option<String>,
    /// Codec tag as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_tag_string: Option<String>,
    /// Codec time base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_time_base: Option<String>,
    /// Sample format, e.g. `s16`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_format: Option<String>,
    /// Hz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// Channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    /// Channel layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_layout: Option<String>,
    /// Seconds per tick as a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_base: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<f64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Bit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u64>,
    /// Frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_count: Option<u64>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Lyrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lyric: Option<String>,
}

/// A subtitle stream (IMM `SubtitleStream`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SubtitleStream {
    /// Stream index in the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Codec in ffprobe's terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_name: Option<String>,
    /// Codec's full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_long_name: Option<String>,
    /// Codec tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_tag: Option<String>,
    /// Codec tag as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_tag_string: Option<String>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<f64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Bit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u64>,
    /// Text (the head of it).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
}

/// A resolved place (IMM `Address`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Address {
    /// Full address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_line: Option<String>,
    /// Country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// First-order division.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// City or town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// District.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    /// Street or township.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub township: Option<String>,
    /// BCP 47 tag of these names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// A picture inside another object (IMM `Image`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Image {
    /// px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_width: Option<u32>,
    /// px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_height: Option<u32>,
    /// EXIF of the picture.
    #[serde(rename = "EXIF", skip_serializing_if = "Option::is_none")]
    pub exif: Option<ExifMap>,
}
