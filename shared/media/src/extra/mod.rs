//! What IMM's `File` has no field for: ratings, persons, exposure, tracks, chapters and
//! more, each an extension of its own. `docs/fields.md` lists them with their sources.

pub(crate) mod chapters;
pub(crate) mod exif;
pub(crate) mod film;
pub(crate) mod icc;
pub(crate) mod motion;
pub(crate) mod music;
pub(crate) mod regions;
pub(crate) mod tags;
pub(crate) mod xmp;

use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::extraction::ProblemKind;

/// Most persons and figures kept of a picture, and bytes of one name.
const MAX_PERSONS: usize = 64;
pub(crate) const MAX_NAME: usize = 256;
/// Most chapters kept of an object.
const MAX_CHAPTERS: usize = 512;

/// Fields beyond IMM's, under their names on the wire.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Extra {
    /// Stars, 0 to 5; -1 is rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<i32>,
    /// The colour label's name, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_label: Option<String>,
    /// Names of the persons shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub persons: Vec<String>,
    /// Faces with their places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Figure>,
    /// How many figures there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure_count: Option<u32>,
    /// Maker of the lens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lens_make: Option<String>,
    /// Name of the lens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lens_model: Option<String>,
    /// Millimetres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focal_length: Option<f64>,
    /// Millimetres, as on 35 mm film.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focal_length_in35mm: Option<u32>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure_time: Option<f64>,
    /// Aperture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f_number: Option<f64>,
    /// Sensitivity.
    #[serde(rename = "ISO", skip_serializing_if = "Option::is_none")]
    pub iso: Option<u32>,
    /// Where the film of a motion photo begins, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub motion_photo_offset: Option<u64>,
    /// Projection of a panorama, e.g. `equirectangular`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection: Option<String>,
    /// Kind of the gain map: `hdrgm`, `apple` or `iso21496`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain_map: Option<String>,
    /// Name of the ICC profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_profile: Option<String>,
    /// Frames of an animation, two at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_count: Option<u32>,
    /// Headline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    /// City, as written in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Who is to be named beside the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit: Option<String>,
    /// Keywords with those above them, parted by `|`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hierarchical_keywords: Vec<String>,
    /// Number of the track, and how many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_number: Option<u32>,
    /// Tracks of the disc.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track_total: Option<u32>,
    /// Number of the disc.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disc_number: Option<u32>,
    /// Discs of the album.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disc_total: Option<u32>,
    /// Genre; several are joined by `;`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genre: Option<String>,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_date: Option<String>,
    /// Beats a minute.
    #[serde(rename = "BPM", skip_serializing_if = "Option::is_none")]
    pub bpm: Option<f64>,
    /// dB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_gain_track_gain: Option<f64>,
    /// 1 is full scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_gain_track_peak: Option<f64>,
    /// dB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_gain_album_gain: Option<f64>,
    /// 1 is full scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_gain_album_peak: Option<f64>,
    /// Text that is sung.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lyrics: Option<String>,
    /// Whether the album is by several artists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compilation: Option<bool>,
    /// Chapters in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chapters: Vec<Chapter>,
    /// `HDR10`, `HDR10+`, `HLG`, `Dolby Vision`.
    #[serde(rename = "HDRFormat", skip_serializing_if = "Vec::is_empty")]
    pub hdr_format: Vec<String>,
    /// Present, and true, where the content is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    /// Width of the first page in points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_width: Option<f64>,
    /// Height of the first page in points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_height: Option<f64>,
    /// Words, as the program counted them that wrote the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_count: Option<u32>,
    /// Sheets of a spreadsheet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet_count: Option<u32>,
    /// Slides of a presentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slide_count: Option<u32>,
}

/// A face (IMM `Figure`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Figure {
    /// `face`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure_type: Option<String>,
    /// Extension: the person's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure_name: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Boundary>,
}

/// A box in pixels of the picture as it is displayed (IMM `Boundary`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Boundary {
    /// px from the left.
    pub left: u32,
    /// px from the top.
    pub top: u32,
    /// px.
    pub width: u32,
    /// px.
    pub height: u32,
}

/// A chapter of a film, a recording or a book that is read aloud.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Chapter {
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Seconds from the beginning.
    pub start_time: f64,
}

impl Extra {
    /// Sets a field that nothing has set yet.
    pub(crate) fn fill<T>(slot: &mut Option<T>, value: Option<T>) {
        if slot.is_none() {
            *slot = value;
        }
    }
}

/// What follows from several readers' findings, and the limits of lists.
pub(crate) fn finish(ctx: &mut Ctx<'_>) {
    film::hdr(&mut ctx.meta);
    let format = ctx.kind.format;
    let m = &mut ctx.meta;
    match format {
        _ if format.starts_with("xls") || matches!(format, "ods" | "ots") => {
            m.extra.sheet_count = m.page_count;
        }
        _ if format.starts_with("ppt") || matches!(format, "odp" | "otp") => {
            m.extra.slide_count = m.extra.slide_count.or(m.page_count);
        }
        _ => {}
    }
    let cut = cut_lists(&mut m.extra);
    let x = &m.extra;
    // IMM's own place for a song's text.
    if let (Some(lyrics), Some(stream)) = (&x.lyrics, m.audio_streams.first_mut()) {
        Extra::fill(&mut stream.lyric, Some(lyrics.clone()));
    }
    for what in cut {
        ctx.problem(ProblemKind::Limit, what, "the first ones are kept");
    }
}

/// Cuts lists to their limits, and names those that were longer.
pub(crate) fn cut_lists(x: &mut Extra) -> Vec<&'static str> {
    let cut = [
        ("Persons", x.persons.len() > MAX_PERSONS),
        ("Figures", x.figures.len() > MAX_PERSONS),
        ("HierarchicalKeywords", x.hierarchical_keywords.len() > crate::MAX_KEYWORDS),
        ("Chapters", x.chapters.len() > MAX_CHAPTERS),
    ];
    x.figure_count = Some(x.figures.len() as u32).filter(|n| *n > 0);
    x.persons.truncate(MAX_PERSONS);
    x.figures.truncate(MAX_PERSONS);
    x.hierarchical_keywords.truncate(crate::MAX_KEYWORDS);
    x.chapters.truncate(MAX_CHAPTERS);
    cut.into_iter().filter(|(_, cut)| *cut).map(|(what, _)| what).collect()
}
