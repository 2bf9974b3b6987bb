//! MP4, MOV, M4A, 3GP: the movie header, wherever it lies.
//!
//! Own walker: the crates that read MP4 hang or allocate on damaged files, and
//! none reads by ranges. Sample tables are summed, never loaded.

use std::io::Read as _;

use crate::bmff::{self, Box4};
use crate::bytes::{View, be16, be32, be64, rfind};
use crate::codec;
use crate::ctx::Ctx;
use crate::metadata::MediaType;
use crate::source::{Parse, Source, Stop};
use crate::time::Stamp;
use crate::video::mp4_track::{Track, times};
use crate::video::{mp4_chapters, mp4_tags};

/// Read behind the media data at once; most movie headers fit.
const TAIL_READ: u64 = 256 * 1024;
/// Movie headers up to this length are read in one piece.
const WHOLE_MOOV: u64 = 2 * 1024 * 1024;
/// Most fragments summed where nothing tells the duration.
const MAX_FRAGMENTS: usize = 4096;
/// Tracks kept; films have some twenty.
const MAX_TRACKS: usize = 256;

/// Reads the movie.
pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let all = View::all(ctx.src);
    let mut movie = Movie::default();
    let mut at = 0;
    let mut found = false;
    for _ in 0..bmff::MAX_BOXES {
        ctx.tick()?;
        // Behind media data lies the movie header in most cases: read well into it.
        if at > 0 && !found && at < all.len() && ctx.src.peek(at, 16.min(all.len() - at)).is_none() {
            all.upto(at, TAIL_READ.min(all.len() - at))?;
        }
        if found && at < all.len() && ctx.src.peek(at, 8.min(all.len() - at)).is_none() {
            if movie.wants_fragments(all.len()) && all.len() > crate::WHOLE_BYTES {
                movie.last_fragment(ctx.src)?;
            }
            if !movie.wants_fragments(all.len()) || all.len() > crate::WHOLE_BYTES {
                movie.passed = movie.fragmented;
                break;
            }
        }
        let Some(b) = (match bmff::box_at(all, at) {
            Ok(b) => b,
            Err(stop) if found && !matches!(stop, Stop::Missing) => {
                ctx.stopped("box", stop);
                break;
            }
            Err(stop) => return Err(stop),
        }) else {
            break;
        };
        match &b.kind {
            b"moov" => {
                found = true;
                b.body.upto(0, b.body.len().min(WHOLE_MOOV))?;
                match bmff::path(b.body, &[b"cmov", b"cmvd"])? {
                    Some(packed) => movie.packed_header(ctx, packed)?,
                    None => movie.header(ctx, b.body)?,
                }
                if b.cut {
                    ctx.stopped("moov", Stop::Malformed("the movie header is cut"));
                }
            }
            b"sidx" => ctx.part("sidx", |_| movie.segment_index(b)),
            b"moof" if movie.fragments < MAX_FRAGMENTS => {
                movie.fragments += 1;
                if movie.wants_fragments(all.len()) || ctx.src.peek(b.body.start, b.body.len()).is_some() {
                    ctx.part("moof", |_| movie.fragment(b.body));
                } else {
                    movie.passed = true;
                }
            }
            b"meta" => ctx.part("meta", |ctx| mp4_tags::meta(ctx, b.body)),
            b"udta" => ctx.part("udta", |ctx| mp4_tags::user_data(ctx, b.body)),
            b"uuid" => ctx.part("xmp", |ctx| mp4_tags::xmp_box(ctx, b.body)),
            _ => {}
        }
        at = b.next;
    }
    if !found && movie.fragments == 0 {
        return Err(Stop::Malformed("no movie header"));
    }
    movie.write(ctx);
    Ok(())
}

#[derive(Default)]
struct Movie {
    timescale: u32,
    duration: u64,
    fragmented: bool,
    /// The header states the length with all fragments.
    stated: bool,
    /// End of what segment indexes list, seconds, and where that lies.
    indexed: f64,
    covered: u64,
    fragments: usize,
    /// Fragments that were not read, and whether the last one was.
    passed: bool,
    end_known: bool,
    tracks: Vec<Track>,
}

impl Movie {
    /// Whether the duration still has to be summed from fragments. A header that has
    /// samples of its own states their duration only.
    fn wants_fragments(&self, size: u64) -> bool {
        let indexed = self.indexed > 0.0 && self.covered >= size.saturating_sub(TAIL_READ);
        let own = self.tracks.iter().any(|t| t.ticks > 0);
        self.fragmented && !self.stated && !indexed && (self.duration == 0 || own)
    }

    fn header(&mut self, ctx: &mut Ctx<'_>, moov: View<'_>) -> Parse {
        let mut made = None;
        let mut extends = None;
        let walked = bmff::walk(moov, |b| {
            match &b.kind {
                b"mvhd" => {
                    let (created, scale, duration) = times(b.body)?;
                    made = Stamp::from_quicktime(created);
                    self.timescale = scale;
                    self.duration = duration;
                }
                b"trak" if self.tracks.len() >= MAX_TRACKS => super::note_streams(ctx, MAX_TRACKS),
                b"trak" => {
                    let mut track = Track::default();
                    let read = track.read(b.body);
                    self.tracks.push(track);
                    read?;
                }
                b"mvex" => extends = Some(b.body),
                b"udta" => ctx.part("udta", |ctx| mp4_tags::user_data(ctx, b.body)),
                b"meta" => ctx.part("meta", |ctx| mp4_tags::meta(ctx, b.body)),
                _ => {}
            }
            Ok(true)
        });
        // It speaks of tracks, which may stand behind it.
        if let Some(mvex) = extends {
            self.fragmented = true;
            self.extends(mvex)?;
        }
        ctx.part("chapters", |ctx| mp4_chapters::read(ctx, moov));
        if ctx.meta.produce_time.is_none() {
            ctx.meta.produce_time = made.map(|s| s.rfc3339());
            ctx.utc = true;
        }
        match walked {
            Err(Stop::Malformed(why)) if !self.tracks.is_empty() => {
                ctx.stopped("moov", Stop::Malformed(why));
                Ok(())
            }
            other => other,
        }
    }

    /// Old QuickTime packs the header: its length, then what zlib made of it.
    fn packed_header(&mut self, ctx: &mut Ctx<'_>, packed: View<'_>) -> Parse {
        let b = packed.upto(4, packed.len().saturating_sub(4).min(WHOLE_MOOV))?;
        let max = ctx.room().min(WHOLE_MOOV as usize * 2) as u64;
        let mut bytes = Vec::new();
        let read = flate2::read::ZlibDecoder::new(b).take(max).read_to_end(&mut bytes);
        if read.is_err() && bytes.is_empty() {
            return Err(Stop::Malformed("the packed movie header does not inflate"));
        }
        let mut copy = Source::new(bytes.len() as u64);
        copy.supply(0, bytes);
        match bmff::child(View::all(&copy), b"moov")? {
            Some(moov) => self.header(ctx, moov.body),
            None => Err(Stop::Malformed("no header in the packed one")),
        }
    }

    fn extends(&mut self, mvex: View<'_>) -> Parse {
        bmff::walk(mvex, |b| {
            match &b.kind {
                b"mehd" => {
                    let h = b.body.upto(0, 12)?;
                    let long = h.first() == Some(&1);
                    let total = if long { be64(h, 4) } else { be32(h, 4).map(u64::from) };
                    self.duration = total.filter(|t| *t > 0).unwrap_or(self.duration);
                    self.stated = total.is_some_and(|t| t > 0);
                }
                b"trex" => {
                    let h = b.body.upto(0, 16)?;
                    let id = be32(h, 4);
                    if let Some(track) = self.tracks.iter_mut().find(|t| Some(t.id) == id) {
                        track.default_duration = be32(h, 12).unwrap_or(0);
                    }
                }
                _ => {}
            }
            Ok(true)
        })
    }

    /// Durations and lengths of the segments listed; several indexes in a row, one
    /// for each segment, add up through the time each begins at.
    fn segment_index(&mut self, sidx: Box4<'_>) -> Parse {
        let view = sidx.body;
        let h = view.upto(0, 32)?;
        let long = h.first() == Some(&1);
        let scale = be32(h, 8).unwrap_or(0);
        let (begin, offset) = if long {
            (be64(h, 12), be64(h, 20))
        } else {
            (be32(h, 12).map(u64::from), be32(h, 16).map(u64::from))
        };
        let at = if long { 30 } else { 22 };
        let count = u64::from(be16(h, at).unwrap_or(0));
        let refs = view.upto(at as u64 + 2, count * 12)?;
        let sum = |at: usize| {
            refs.chunks_exact(12).filter_map(|r| be32(r, at)).map(|n| u64::from(n & 0x7fff_ffff)).sum()
        };
        let (bytes, ticks): (u64, u64) = (sum(0), sum(4));
        if scale > 0 {
            let end = begin.unwrap_or(0).saturating_add(ticks);
            self.indexed = self.indexed.max(end as f64 / f64::from(scale));
            let covered = sidx.next.saturating_add(offset.unwrap_or(0)).saturating_add(bytes);
            self.covered = self.covered.max(covered);
        }
        Ok(())
    }

    /// The last fragment of a long file tells its end without a walk over all.
    fn last_fragment(&mut self, src: &Source) -> Parse {
        let size = src.size();
        let from = size.saturating_sub(TAIL_READ);
        let tail = src.upto(from, size - from)?;
        let mut end = tail.len();
        for _ in 0..16 {
            let Some(at) =
                rfind(tail.get(..end).unwrap_or_default(), b"moof").and_then(|at| at.checked_sub(4))
            else {
                return Ok(());
            };
            end = at + 4;
            let parent = View::all(src);
            if let Ok(Some(b)) = bmff::box_at(parent, from + at as u64)
                && b.body.len() < TAIL_READ
                && !b.cut
            {
                // Without the time it begins at, its place in the whole is not known.
                self.end_known = crate::bytes::find(tail.get(at..).unwrap_or_default(), b"tfdt").is_some();
                return self.fragment(b.body);
            }
        }
        Ok(())
    }

    fn fragment(&mut self, moof: View<'_>) -> Parse {
        // A fragment's header is short beside its media data.
        moof.upto(0, moof.len().min(TAIL_READ))?;
        bmff::walk(moof, |traf| {
            if &traf.kind != b"traf" {
                return Ok(true);
            }
            let (mut id, mut default) = (None, None);
            bmff::walk(traf.body, |b| {
                match &b.kind {
                    b"tfhd" => {
                        let h = b.body.upto(0, 28)?;
                        let flags = be32(h, 0).unwrap_or(0);
                        id = be32(h, 4);
                        let at = 8 + if flags & 1 != 0 { 8 } else { 0 } + if flags & 2 != 0 { 4 } else { 0 };
                        if flags & 8 != 0 {
                            default = be32(h, at);
                        }
                    }
                    b"tfdt" => {
                        let h = b.body.upto(0, 12)?;
                        let long = h.first() == Some(&1);
                        let begin = if long { be64(h, 4) } else { be32(h, 4).map(u64::from) };
                        if let Some(track) = self.tracks.iter_mut().find(|t| Some(t.id) == id) {
                            // A gap, where fragments before were not read.
                            track.run_start = begin;
                        }
                    }
                    b"trun" => {
                        if let Some(track) = self.tracks.iter_mut().find(|t| Some(t.id) == id) {
                            track.run(b.body, default)?;
                        }
                    }
                    _ => {}
                }
                Ok(true)
            })?;
            Ok(true)
        })
    }

    fn seconds_of(&self, track: &Track) -> Option<f64> {
        // What is true of some fragments is not true of the stream.
        if self.passed && !self.end_known {
            return None;
        }
        let media = |ticks: u64| (track.timescale > 0).then(|| ticks as f64 / f64::from(track.timescale));
        let edited = track.edited.filter(|e| *e > 0 && self.timescale > 0 && !self.fragmented);
        edited
            .map(|e| e as f64 / f64::from(self.timescale))
            .or_else(|| {
                let summed = track.ticks.saturating_add(track.fragment_ticks);
                media(track.duration.max(summed).max(track.fragment_end)).filter(|s| *s > 0.0)
            })
            .and_then(codec::seconds)
    }

    fn write(mut self, ctx: &mut Ctx<'_>) {
        let own = if self.timescale > 0 { self.duration as f64 / f64::from(self.timescale) } else { 0.0 };
        // All ones means unknown.
        let own = if matches!(self.duration, 0xffff_ffff | u64::MAX) { 0.0 } else { own };
        let end_of = |t: &Track| {
            let delay = if self.timescale > 0 { t.delay as f64 / f64::from(self.timescale) } else { 0.0 };
            Some(self.seconds_of(t)? + delay)
        };
        let longest = self.tracks.iter().filter_map(end_of).fold(0.0, f64::max);
        // An initialisation segment announces fragments that are other objects.
        let alone = self.fragmented && self.fragments == 0 && self.covered == 0 && longest == 0.0;
        let best = match () {
            () if alone => 0.0,
            // The movie's own length, where it has one and holds all of it.
            () if own > 0.0 && !self.fragmented => own,
            () if self.passed && !self.end_known && !self.stated => self.indexed,
            () => own.max(longest).max(self.indexed),
        };
        ctx.meta.format_name = Some("mov,mp4,m4a,3gp,3g2,mj2".into());
        ctx.meta.format_long_name = Some("QuickTime / MOV".into());
        ctx.meta.duration = codec::seconds(best);
        ctx.meta.bitrate = codec::bitrate(ctx.src.size(), best);
        ctx.meta.stream_count = Some(self.tracks.len() as u32);
        let durations: Vec<Option<f64>> = self.tracks.iter().map(|t| self.seconds_of(t)).collect();
        for (index, (track, duration)) in self.tracks.iter_mut().zip(durations).enumerate() {
            track.incomplete = self.passed;
            track.write(ctx, index as u32, duration);
        }
        let first = ctx.meta.video_streams.first();
        let size = first.map(|v| (v.width, v.height));
        if let Some((w, h)) = size {
            ctx.meta.video_width = w;
            ctx.meta.video_height = h;
        } else if !ctx.meta.audio_streams.is_empty() && ctx.kind.media == MediaType::Video {
            // Sound alone in a film's container.
            ctx.kind.media = MediaType::Audio;
            let mime = match ctx.kind.mime {
                "video/3gpp" => "audio/3gpp",
                "video/quicktime" => "audio/quicktime",
                _ => "audio/mp4",
            };
            ctx.refine(ctx.kind.format, mime);
        }
    }
}
