//! What an image's EXIF, XMP and IPTC say, before precedence is decided.

use crate::ctx::Ctx;
use crate::metadata::{ExifMap, Metadata};
use crate::text;
use crate::time::{Stamp, format_offset, offset_from_utc, parse_offset};

/// GPS directory as read.
#[derive(Default)]
pub(crate) struct Gps {
    pub(crate) lat: Option<f64>,
    pub(crate) long: Option<f64>,
    pub(crate) south: bool,
    pub(crate) west: bool,
    pub(crate) time: Vec<f64>,
    pub(crate) date: Option<String>,
}

/// Gathered facts; the first writer of a field wins (EXIF, then XMP, then IPTC).
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) exif: ExifMap,
    pub(crate) orientation: Option<u32>,
    pub(crate) taken: Option<Stamp>,
    pub(crate) digitized: Option<Stamp>,
    /// Dates of XMP and IPTC, best first.
    pub(crate) other_dates: Vec<Stamp>,
    /// Last change of the file, by EXIF: a date where nothing better is.
    pub(crate) modified: Option<Stamp>,
    /// GPS time of XMP.
    pub(crate) fix: Option<Stamp>,
    pub(crate) gps: Gps,
    pub(crate) lat_long: Option<(f64, f64)>,
    pub(crate) title: Option<String>,
    pub(crate) authors: Vec<String>,
    pub(crate) keywords: Vec<String>,
    pub(crate) description: Option<String>,
    pub(crate) copyright: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) live_photo_id: Option<String>,
    /// Who made it and what is said of it in fields that stand behind the others.
    pub(crate) other_authors: Vec<String>,
    pub(crate) comment: Option<String>,
    pub(crate) user_comment: Option<String>,
    /// What the camera writes into every picture.
    pub(crate) default_caption: Option<String>,
    /// Directories of the EXIF block that were read.
    pub(crate) directories: std::collections::BTreeSet<u64>,
    /// Extensions.
    pub(crate) more: crate::extra::xmp::More,
    /// The colour profile, as far as it is held.
    pub(crate) profile: Vec<u8>,
}

/// Whether a caption is one that cameras write into every picture.
pub(crate) fn is_default_caption(text: &str) -> bool {
    const KNOWN: &[&str] = &[
        "sony dsc",
        "minolta dsc",
        "kodak digital still camera",
        "pentax image",
        "exif_jpeg_picture",
        "exif jpeg",
        "jpeg",
        "default",
        "untitled",
        "digital photo",
        "dav",
        "hdr",
        "sdr",
        "cof",
        "mde",
        "hdrpl",
        "rhdr",
        "rbtf",
        "rpt",
        "burst",
        "dcim",
    ];
    let lower = text.trim().to_lowercase();
    KNOWN.contains(&lower.as_str()) || (lower.len() <= 40 && lower.ends_with("digital camera"))
}

/// `"lat,long"` with six digits, where it is a place on Earth and not 0,0.
pub(crate) fn lat_long_text(lat: f64, long: f64) -> Option<String> {
    let valid = lat.is_finite() && long.is_finite() && lat.abs() <= 90.0 && long.abs() <= 180.0;
    (valid && !(lat == 0.0 && long == 0.0)).then(|| format!("{lat:.6},{long:.6}"))
}

/// The best of dates, the best first. Where it is a day alone, the first that names a time
/// of that day goes before it.
pub(crate) fn best_date(dates: &[Stamp]) -> Option<&Stamp> {
    let first = dates.first()?;
    let timed = dates.iter().find(|s| s.same_day(first) && !s.is_midnight());
    Some(if first.is_midnight() { timed.unwrap_or(first) } else { first })
}

impl Facts {
    /// Called when a GPS directory was read.
    pub(crate) fn gps_ready(&mut self) {
        if let (Some(lat), Some(long)) = (self.gps.lat, self.gps.long) {
            let lat = if self.gps.south { -lat.abs() } else { lat };
            let long = if self.gps.west { -long.abs() } else { long };
            self.lat_long.get_or_insert((lat, long));
        }
    }

    fn gps_utc(&self) -> Option<Stamp> {
        let Some(date) = self.gps.date.as_deref() else { return self.fix.clone() };
        let &[h, m, s] = self.gps.time.as_slice() else { return None };
        let sane = (0.0..24.0).contains(&h) && (0.0..60.0).contains(&m) && (0.0..61.0).contains(&s);
        if !sane {
            return None;
        }
        let date = date.split_whitespace().next()?;
        let mut stamp = Stamp::parse(&format!("{date} {:02}:{:02}:{:02}", h as u32, m as u32, s as u32))?;
        stamp.offset = Some(0);
        Some(stamp)
    }

    /// The moment of capture with the best offset known (semantics.md F.3), and whether
    /// GPS alone tells it, which is UTC wherever it was.
    fn produced(&self) -> Option<(Stamp, bool)> {
        let tag = |name: &str| self.exif.get(name).map(String::as_str);
        let with = |stamp: &Stamp, sub: &str, offset: &str| {
            let mut stamp = stamp.clone().with_fraction(tag(sub).unwrap_or_default());
            let known =
                tag(offset).and_then(parse_offset).or_else(|| tag("OffsetTime").and_then(parse_offset));
            // An offset inside the text itself is the writer's own; never apply two.
            stamp.offset = stamp.offset.or(known);
            stamp
        };
        let mut stamp = self
            .taken
            .as_ref()
            .map(|s| with(s, "SubSecTimeOriginal", "OffsetTimeOriginal"))
            .or_else(|| {
                self.digitized.as_ref().map(|s| with(s, "SubSecTimeDigitized", "OffsetTimeDigitized"))
            })
            .or_else(|| best_date(&self.other_dates).cloned());
        // XMP often repeats the time of EXIF, and knows its zone.
        if let Some(local) = stamp.as_mut().filter(|s| s.offset.is_none()) {
            let same = self.other_dates.iter().filter(|s| s.wall_seconds() == local.wall_seconds());
            local.offset = same.filter_map(|s| s.offset).next();
        }
        let gps = self.gps_utc();
        if let (Some(local), Some(gps)) = (stamp.as_mut(), gps.as_ref())
            && local.offset.is_none()
        {
            local.offset = offset_from_utc(local, gps);
        }
        let changed = || self.modified.as_ref().map(|s| with(s, "SubSecTime", "OffsetTime"));
        let known = stamp.map(|s| (s, false)).or_else(|| gps.map(|s| (s, true)));
        known.or_else(|| changed().map(|s| (s, false)))
    }

    /// Writes what was gathered into the record.
    pub(crate) fn write(mut self, ctx: &mut Ctx<'_>) {
        let max = ctx.limits.max_text;
        self.description = self.description.or(self.comment.take()).or(self.user_comment.take());
        self.description = self.description.or(self.default_caption.take());
        if self.authors.is_empty() {
            self.authors = std::mem::take(&mut self.other_authors);
        }
        if let Some((stamp, utc)) = self.produced() {
            ctx.meta.produce_time = Some(stamp.rfc3339());
            ctx.utc = utc;
            ctx.meta.timezone = stamp.offset.map(format_offset);
        }
        let Metadata { title, description, copyright, language, .. } = &mut ctx.meta;
        for (to, from) in [
            (title, self.title),
            (description, self.description),
            (copyright, self.copyright),
            (language, self.language),
        ] {
            if to.is_none() {
                *to = from.and_then(|t| text::clean(&t, max));
            }
        }
        if ctx.meta.authors.is_empty() {
            ctx.meta.authors = self.authors;
        }
        let mut seen = std::collections::BTreeSet::new();
        self.keywords.retain(|k| seen.insert(k.clone()));
        if ctx.meta.keywords.is_empty() {
            ctx.meta.keywords = self.keywords;
        }
        ctx.meta.orientation = ctx.meta.orientation.or(self.orientation);
        ctx.meta.lat_long = self.lat_long.and_then(|(lat, long)| lat_long_text(lat, long));
        ctx.meta.live_photo_id = self.live_photo_id;
        if !self.exif.is_empty() {
            ctx.meta.exif = Some(self.exif);
        }
        self.more.profile(crate::extra::icc::name(&self.profile));
        let m = &mut ctx.meta;
        let sides = m.image_width.zip(m.image_height);
        let orientation = m.orientation.unwrap_or(1);
        self.more.write(&mut m.extra, m.exif.as_ref(), sides, orientation, ctx.src.size());
    }
}
