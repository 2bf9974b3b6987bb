//! One track of a movie: its headers, what its sample tables add up to, and its
//! runs in fragments.

use crate::bmff;
use crate::bytes::{View, be16, be32, be64};
use crate::codec;
use crate::ctx::Ctx;
use crate::metadata::{AudioStream, SubtitleStream, VideoStream};
use crate::source::{Parse, Stop};
use crate::video::mp4_entry::{audio_entry, subtitle_entry, video_entry};

/// Sample size tables up to this length are summed.
const MAX_TABLE: u64 = 2 * 1024 * 1024;
/// Read of the first picture of a track of JPEGs.
const JPEG_HEAD: u64 = 2048;

#[derive(Default)]
pub(super) struct Track {
    pub(super) id: u32,
    handler: [u8; 4],
    pub(super) timescale: u32,
    /// Media duration in its timescale.
    pub(super) duration: u64,
    language: Option<String>,
    /// Presented length by the edit list, in movie time.
    pub(super) edited: Option<u64>,
    /// Empty edits in front, in movie time.
    pub(super) delay: u64,
    rotate: u32,
    frames: u64,
    /// Sum of sample durations.
    pub(super) ticks: u64,
    delta: Option<u32>,
    bytes: u64,
    /// Default sample duration in fragments.
    pub(super) default_duration: u32,
    pub(super) fragment_ticks: u64,
    /// Decode time of the fragment being read, and the end of the last one.
    pub(super) run_start: Option<u64>,
    pub(super) fragment_end: u64,
    fragment_frames: u64,
    /// There are fragments that were not read.
    pub(super) incomplete: bool,
    presented: (u32, u32),
    /// Where the first sample lies.
    first_sample: Option<u64>,
    entry: Entry,
}

#[derive(Default)]
enum Entry {
    #[default]
    None,
    Video(Box<VideoStream>),
    Audio(Box<AudioStream>),
    Subtitle(Box<SubtitleStream>),
}

/// Creation time, timescale and duration of `mvhd` and `mdhd`.
pub(super) fn times(view: View<'_>) -> Parse<(u64, u32, u64)> {
    let b = view.upto(0, 32)?;
    let read = if b.first() == Some(&1) {
        (be64(b, 4), be32(b, 20), be64(b, 24))
    } else {
        (be32(b, 4).map(u64::from), be32(b, 12), be32(b, 16).map(u64::from))
    };
    match read {
        (Some(created), Some(scale), Some(duration)) => Ok((created, scale, duration)),
        _ => Err(Stop::Malformed("media header is cut")),
    }
}

impl Track {
    pub(super) fn read(&mut self, trak: View<'_>) -> Parse {
        bmff::walk(trak, |b| {
            match &b.kind {
                b"tkhd" => self.track_header(b.body)?,
                b"edts" => {
                    if let Some(elst) = bmff::child(b.body, b"elst")? {
                        self.edit_list(elst.body)?;
                    }
                }
                b"mdia" => bmff::walk(b.body, |b| {
                    match &b.kind {
                        b"mdhd" => {
                            (_, self.timescale, self.duration) = times(b.body)?;
                            let at = if b.body.upto(0, 1)? == [1] { 32 } else { 20 };
                            self.language = be16(b.body.upto(at, 2)?, 0).and_then(packed_language);
                            if matches!(self.duration, 0xffff_ffff | u64::MAX) {
                                self.duration = 0;
                            }
                        }
                        b"hdlr" => {
                            if let Some(&[x, y, z, w]) = b.body.upto(8, 4)?.get(..4) {
                                self.handler = [x, y, z, w];
                            }
                        }
                        b"minf" => {
                            if let Some(stbl) = bmff::child(b.body, b"stbl")? {
                                self.sample_table(stbl.body)?;
                            }
                        }
                        _ => {}
                    }
                    Ok(true)
                })?,
                _ => {}
            }
            Ok(true)
        })
    }

    fn track_header(&mut self, view: View<'_>) -> Parse {
        let b = view.upto(0, 96)?;
        let long = b.first() == Some(&1);
        self.id = be32(b, if long { 20 } else { 12 }).unwrap_or(0);
        let matrix = if long { 52 } else { 40 };
        let cell = |i: usize| be32(b, matrix + i * 4).map(|v| f64::from(v as i32) / 65536.0);
        if let (Some(a), Some(b)) = (cell(0), cell(1)) {
            let degrees = b.atan2(a).to_degrees().round() as i64;
            self.rotate = degrees.rem_euclid(360) as u32;
        }
        let side = |i: usize| be32(b, matrix + 36 + i * 4).map_or(0, |v| v >> 16);
        self.presented = (side(0), side(1));
        Ok(())
    }

    /// Sum of what is presented; empty edits delay and do not count.
    fn edit_list(&mut self, view: View<'_>) -> Parse {
        let b = view.upto(0, 8)?;
        let long = b.first() == Some(&1);
        let count = u64::from(be32(b, 4).unwrap_or(0)).min(4096);
        let unit = if long { 20 } else { 12 };
        let table = view.upto(8, count * unit)?;
        let mut sum = 0u64;
        for e in table.chunks_exact(unit as usize) {
            let (duration, start) = if long {
                (be64(e, 0), be64(e, 8).map(|s| s as i64))
            } else {
                (be32(e, 0).map(u64::from), be32(e, 4).map(|s| i64::from(s as i32)))
            };
            if start.is_some_and(|s| s >= 0) {
                sum = sum.saturating_add(duration.unwrap_or(0));
            } else if sum == 0 {
                self.delay = self.delay.saturating_add(duration.unwrap_or(0));
            }
        }
        self.edited = Some(sum);
        Ok(())
    }

    fn sample_table(&mut self, stbl: View<'_>) -> Parse {
        bmff::walk(stbl, |b| {
            match &b.kind {
                b"stsd" => self.sample_description(b.body)?,
                b"stts" => {
                    let count = u64::from(be32(b.body.upto(4, 4)?, 0).unwrap_or(0));
                    // A variable frame rate makes long tables; a part tells the mean.
                    let table = b.body.upto(8, (count * 8).min(1 << 20))?;
                    for e in table.chunks_exact(8) {
                        let (Some(n), Some(delta)) = (be32(e, 0), be32(e, 4)) else { continue };
                        self.frames = self.frames.saturating_add(u64::from(n));
                        self.ticks = self.ticks.saturating_add(u64::from(n).saturating_mul(u64::from(delta)));
                        self.delta = self.delta.or(Some(delta));
                    }
                }
                b"stco" => self.first_sample = be32(b.body.upto(8, 4)?, 0).map(u64::from),
                b"co64" => self.first_sample = be64(b.body.upto(8, 8)?, 0),
                b"stsz" => {
                    let h = b.body.upto(4, 8)?;
                    let (size, count) = (be32(h, 0).unwrap_or(0), u64::from(be32(h, 4).unwrap_or(0)));
                    if size > 0 {
                        self.bytes = u64::from(size) * count;
                    } else if let Some(len) = count.checked_mul(4).filter(|l| *l <= MAX_TABLE)
                        && b.body.src.peek(b.body.start + 12, len).is_some()
                    {
                        let table = b.body.upto(12, len)?;
                        self.bytes = table.chunks_exact(4).filter_map(|s| be32(s, 0)).map(u64::from).sum();
                    }
                }
                _ => {}
            }
            Ok(true)
        })
    }

    /// Adds a fragment's run.
    pub(super) fn run(&mut self, view: View<'_>, default: Option<u32>) -> Parse {
        let h = view.upto(0, 8)?;
        let flags = be32(h, 0).unwrap_or(0) & 0x00ff_ffff;
        let count = u64::from(be32(h, 4).unwrap_or(0)).min(1 << 18);
        let default = u64::from(default.unwrap_or(self.default_duration));
        let mut ticks = count * default;
        if flags & 0x100 != 0 {
            let at = 8 + [1, 4].iter().filter(|f| flags & **f != 0).count() as u64 * 4;
            let unit = [0x100, 0x200, 0x400, 0x800].iter().filter(|f| flags & **f != 0).count() as u64 * 4;
            let table = view.upto(at, count * unit)?;
            ticks = table.chunks_exact(unit.max(4) as usize).filter_map(|e| be32(e, 0)).map(u64::from).sum();
        }
        self.fragment_frames = self.fragment_frames.saturating_add(count);
        self.fragment_ticks = self.fragment_ticks.saturating_add(ticks);
        let start = self.run_start.unwrap_or(0);
        self.run_start = Some(start.saturating_add(ticks));
        self.fragment_end = self.fragment_end.max(start.saturating_add(ticks));
        Ok(())
    }

    fn sample_description(&mut self, stsd: View<'_>) -> Parse {
        let Some(entry) = bmff::box_at(stsd.sub(8, u64::MAX), 0)? else { return Ok(()) };
        self.entry = match &self.handler {
            b"vide" | b"pict" => Entry::Video(Box::new(video_entry(entry)?)),
            b"soun" => Entry::Audio(Box::new(audio_entry(entry)?)),
            b"subt" | b"text" | b"sbtl" | b"clcp" => Entry::Subtitle(Box::new(subtitle_entry(entry))),
            _ => Entry::None,
        };
        Ok(())
    }

    pub(super) fn write(&mut self, ctx: &mut Ctx<'_>, index: u32, duration: Option<f64>) {
        let frames = self.frames.saturating_add(self.fragment_frames);
        let ticks = self.ticks.saturating_add(self.fragment_ticks);
        let rate = codec::fraction(frames.saturating_mul(u64::from(self.timescale)), ticks);
        let bitrate = duration.and_then(|s| codec::bitrate(self.bytes, s)).filter(|r| *r > 0);
        let counted = Some(frames).filter(|n| *n > 0 && !self.incomplete);
        let bitrate = bitrate.filter(|_| !self.incomplete);
        let base = codec::fraction(1, u64::from(self.timescale));
        let language = self.language.take();
        match std::mem::take(&mut self.entry) {
            Entry::Video(mut v) => {
                if v.width.is_none() {
                    v.width = Some(self.presented.0).filter(|w| *w > 0);
                    v.height = Some(self.presented.1).filter(|h| *h > 0);
                }
                if let (Some(w), Some(h)) = (v.width, v.height) {
                    v.display_aspect_ratio = codec::display_aspect(w, h, (1, 1));
                }
                // Only the pictures say how they are sampled.
                if v.codec_name.as_deref() == Some("mjpeg")
                    && let Some(frame) = self.first_sample.and_then(|at| ctx.src.near(at, JPEG_HEAD))
                    && let Some(format) = crate::sps::jpeg_pixel_format(frame)
                {
                    v.pixel_format = Some(format.to_owned());
                }
                v.index = Some(index);
                v.duration = duration;
                v.bitrate = bitrate;
                v.time_base = base;
                v.frame_count = counted;
                let constant = self.delta.filter(|d| u64::from(*d).saturating_mul(frames) == ticks);
                v.frame_rate = constant
                    .and_then(|d| codec::fraction(u64::from(self.timescale), u64::from(d)))
                    .or_else(|| rate.clone());
                v.average_frame_rate = rate;
                v.language = language;
                v.rotate = Some(self.rotate).filter(|r| *r > 0).map(|r| r.to_string());
                ctx.meta.video_streams.push(*v);
            }
            Entry::Audio(mut a) => {
                a.index = Some(index);
                // Media time ticks by the sample where the entry states no rate.
                a.sample_rate =
                    a.sample_rate.or(Some(self.timescale).filter(|t| (4000..=384_000).contains(t)));
                a.duration = duration;
                a.bitrate = bitrate.or(a.bitrate);
                a.time_base = base;
                a.frame_count = counted;
                a.language = language;
                ctx.meta.audio_streams.push(*a);
            }
            Entry::Subtitle(mut s) => {
                s.index = Some(index);
                s.duration = duration;
                s.bitrate = bitrate;
                s.language = language;
                ctx.meta.subtitles.push(*s);
            }
            Entry::None => {}
        }
    }
}

/// Three letters of five bits; QuickTime's numbers below 0x400 are left alone.
fn packed_language(code: u16) -> Option<String> {
    if code < 0x400 {
        return (code == 0).then(|| "eng".to_owned());
    }
    let letters: String = [10, 5, 0].iter().map(|s| char::from((code >> s & 31) as u8 + 0x60)).collect();
    (letters != "und" && letters.bytes().all(|b| b.is_ascii_lowercase())).then_some(letters)
}
