//! Tracks, discs, genres, loudness and lyrics, as they are gathered from tags. What single
//! kinds of tags write otherwise than as texts, `tags.rs` reads.

use crate::ctx::Ctx;
use crate::extra::chapters::Chapters;
use crate::extra::{Extra, MAX_NAME};
use crate::text;

/// Values of tags as they are gathered.
#[derive(Debug, Default)]
pub(crate) struct Music {
    pub(super) extra: Extra,
    pub(super) genres: Vec<String>,
    /// Dates by how well they tell the release, best first.
    pub(super) dates: [Option<String>; 3],
    pub(super) lyrics: Option<String>,
    /// Day and month that ID3 writes beside the year.
    pub(super) day: Option<String>,
    /// Gains of track and album by Opus, where nothing says them in dB.
    r128: (Option<f64>, Option<f64>),
    /// By a scale of 100 or 255 that the tag does not name.
    pub(super) rating: Option<i32>,
    pub(crate) chapters: Chapters,
}

/// ID3's numbered genres, which MP4 uses too.
const GENRES: &str = "Blues|Classic Rock|Country|Dance|Disco|Funk|Grunge|Hip-Hop|Jazz|Metal|New Age|Oldies|Other|Pop|R&B|Rap|Reggae|Rock|Techno|Industrial|Alternative|Ska|Death Metal|Pranks|Soundtrack|Euro-Techno|Ambient|Trip-Hop|Vocal|Jazz+Funk|Fusion|Trance|Classical|Instrumental|Acid|House|Game|Sound Clip|Gospel|Noise|Alternative Rock|Bass|Soul|Punk|Space|Meditative|Instrumental Pop|Instrumental Rock|Ethnic|Gothic|Darkwave|Techno-Industrial|Electronic|Pop-Folk|Eurodance|Dream|Southern Rock|Comedy|Cult|Gangsta|Top 40|Christian Rap|Pop/Funk|Jungle|Native American|Cabaret|New Wave|Psychedelic|Rave|Showtunes|Trailer|Lo-Fi|Tribal|Acid Punk|Acid Jazz|Polka|Retro|Musical|Rock & Roll|Hard Rock|Folk|Folk-Rock|National Folk|Swing|Fast Fusion|Bebop|Latin|Revival|Celtic|Bluegrass|Avantgarde|Gothic Rock|Progressive Rock|Psychedelic Rock|Symphonic Rock|Slow Rock|Big Band|Chorus|Easy Listening|Acoustic|Humour|Speech|Chanson|Opera|Chamber Music|Sonata|Symphony|Booty Bass|Primus|Porn Groove|Satire|Slow Jam|Club|Tango|Samba|Folklore|Ballad|Power Ballad|Rhythmic Soul|Freestyle|Duet|Punk Rock|Drum Solo|A Cappella|Euro-House|Dance Hall|Goa|Drum & Bass|Club-House|Hardcore|Terror|Indie|BritPop|Afro-Punk|Polsk Punk|Beat|Christian Gangsta Rap|Heavy Metal|Black Metal|Crossover|Contemporary Christian|Christian Rock|Merengue|Salsa|Thrash Metal|Anime|JPop|Synthpop";

/// The genre of that number.
pub(crate) fn genre(number: u32) -> Option<&'static str> {
    GENRES.split('|').nth(number as usize)
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '+' | '-')))
        .unwrap_or(text.len());
    let digits = text.get(..end)?.replace(',', ".");
    digits.parse::<f64>().ok().filter(|v| v.is_finite() && v.abs() < 1e6)
}

fn whole(text: &str) -> Option<u32> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok().filter(|n| (1..100_000).contains(n))
}

/// `3/12`: the number and how many there are.
fn pair(text: &str) -> (Option<u32>, Option<u32>) {
    let (first, second) = text.split_once('/').unwrap_or((text, ""));
    (whole(first), whole(second))
}

/// The year, month and day that a text begins with.
fn date(text: &str) -> Option<String> {
    let text = text.trim();
    let digits =
        |from: usize, to: usize| text.get(from..to).filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
    let year = digits(0, 4).filter(|y| *y != "0000")?;
    let part = |at: usize, most: &str| {
        let parted = text.get(at..=at).is_some_and(|c| matches!(c, "-" | "/" | "."));
        digits(at + 1, at + 3).filter(|d| parted && *d != "00" && *d <= most)
    };
    // Without anything between: 19990131.
    if text.len() == 8 && digits(4, 8).is_some() {
        return Some(format!("{year}-{}-{}", digits(4, 6)?, digits(6, 8)?));
    }
    if text.get(4..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        return None;
    }
    Some(match (part(4, "12"), part(7, "31")) {
        (Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        (Some(month), None) => format!("{year}-{month}"),
        _ => year.to_owned(),
    })
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// Stars by a byte, as ID3's POPM has it and Windows and most players write it.
pub(crate) fn stars_of_byte(byte: u8) -> Option<i32> {
    match byte {
        0 => None,
        1..=31 => Some(1),
        32..=95 => Some(2),
        96..=159 => Some(3),
        160..=223 => Some(4),
        _ => Some(5),
    }
}

/// Stars by a number of 5, 100 or 255; which one, its size tells.
fn stars(text: &str) -> Option<i32> {
    let value = number(text)?;
    match value {
        v if v < 0.0 => None,
        v if v <= 5.0 => Some(v.round() as i32),
        v if v <= 100.0 => Some((v / 20.0).round() as i32),
        v if v <= 255.0 => stars_of_byte(v as u8),
        _ => None,
    }
}

impl Music {
    /// Takes a value under the name that Vorbis, APE, Matroska or a text frame of users gives
    /// it.
    pub(crate) fn named(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_uppercase();
        let x = &mut self.extra;
        match name.as_str() {
            "TRACKNUMBER" | "TRACK" | "TRACKNUM" => self.track(value),
            "TRACKTOTAL" | "TOTALTRACKS" | "TRACKC" | "TOTAL_TRACKS" => {
                Extra::fill(&mut x.track_total, whole(value))
            }
            "DISCNUMBER" | "DISC" | "DISK" | "DISKNUMBER" => self.disc(value),
            "DISCTOTAL" | "TOTALDISCS" | "DISCC" | "TOTAL_DISCS" => {
                Extra::fill(&mut x.disc_total, whole(value))
            }
            "GENRE" => self.genre(value),
            "RELEASEDATE" | "RELEASE DATE" | "DATE_RELEASED" | "RELEASE_DATE" => self.date(0, value),
            "DATE" => self.date(1, value),
            "YEAR" => self.date(2, value),
            "BPM" | "TEMPO" | "TBPM" => self.bpm(value),
            "REPLAYGAIN_TRACK_GAIN" => Extra::fill(&mut x.replay_gain_track_gain, number(value)),
            "REPLAYGAIN_TRACK_PEAK" => Extra::fill(&mut x.replay_gain_track_peak, number(value)),
            "REPLAYGAIN_ALBUM_GAIN" => Extra::fill(&mut x.replay_gain_album_gain, number(value)),
            "REPLAYGAIN_ALBUM_PEAK" => Extra::fill(&mut x.replay_gain_album_peak, number(value)),
            "R128_TRACK_GAIN" => Extra::fill(&mut self.r128.0, opus_gain(value)),
            "R128_ALBUM_GAIN" => Extra::fill(&mut self.r128.1, opus_gain(value)),
            "LYRICS" | "UNSYNCEDLYRICS" | "UNSYNCED LYRICS" => self.lyrics(value),
            "COMPILATION" | "ITUNESCOMPILATION" => Extra::fill(&mut x.compilation, truth(value)),
            "FMPS_RATING" => {
                let part = number(value).filter(|v| (0.0..=1.0).contains(v));
                Extra::fill(&mut x.rating, part.map(|v| (v * 5.0).round() as i32));
            }
            "RATING" | "RATE" => Extra::fill(&mut self.rating, stars(value)),
            name => self.chapters.named(name, value),
        }
    }

    /// Takes a tag of Matroska: its level says what a part is, the piece (30) of an album (50)
    /// or a disc (40).
    pub(crate) fn matroska(&mut self, level: u64, name: &str, value: &str) {
        let x = &mut self.extra;
        match (name, level) {
            ("PART_NUMBER", 40) => self.disc(value),
            ("PART_NUMBER", _) => self.track(value),
            ("TOTAL_PARTS", 50) => Extra::fill(&mut x.track_total, whole(value)),
            ("TOTAL_PARTS", _) => {}
            // A track's own loudness, or the album's.
            ("REPLAYGAIN_GAIN", 50) => self.named("REPLAYGAIN_ALBUM_GAIN", value),
            ("REPLAYGAIN_GAIN", _) => self.named("REPLAYGAIN_TRACK_GAIN", value),
            ("REPLAYGAIN_PEAK", 50) => self.named("REPLAYGAIN_ALBUM_PEAK", value),
            ("REPLAYGAIN_PEAK", _) => self.named("REPLAYGAIN_TRACK_PEAK", value),
            _ => self.named(name, value),
        }
    }

    /// Takes a track's number, with or without the total.
    pub(crate) fn track(&mut self, value: &str) {
        let (number, total) = pair(value);
        Extra::fill(&mut self.extra.track_number, number);
        Extra::fill(&mut self.extra.track_total, total);
    }

    /// Takes a disc's number, with or without the total.
    pub(crate) fn disc(&mut self, value: &str) {
        let (number, total) = pair(value);
        Extra::fill(&mut self.extra.disc_number, number);
        Extra::fill(&mut self.extra.disc_total, total);
    }

    /// Takes one genre, which may be a number or begin with one in brackets.
    pub(crate) fn genre(&mut self, value: &str) {
        let mut rest = value.trim();
        let mut found = Vec::new();
        while let Some((inner, behind)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            let named = match inner {
                "RX" => Some("Remix"),
                "CR" => Some("Cover"),
                _ => inner.parse().ok().and_then(genre),
            };
            let Some(named) = named else { break };
            // A refinement behind it says the same better.
            found.push(named.to_owned());
            rest = behind.trim_start();
        }
        match rest.parse().ok() {
            Some(number) => found.extend(genre(number).map(str::to_owned)),
            None if !rest.is_empty() => {
                if !rest.starts_with('(') {
                    found.clear();
                }
                found.push(rest.to_owned());
            }
            None => {}
        }
        for one in found.iter().filter_map(|g| text::clean(g, MAX_NAME)) {
            if self.genres.len() < 16 && !self.genres.contains(&one) {
                self.genres.push(one);
            }
        }
    }

    /// Takes a date: of the release (0), of the recording (1), a year alone (2).
    pub(crate) fn date(&mut self, rank: usize, value: &str) {
        if let Some(slot) = self.dates.get_mut(rank) {
            Extra::fill(slot, date(value));
        }
    }

    pub(crate) fn bpm(&mut self, value: &str) {
        Extra::fill(&mut self.extra.bpm, number(value).filter(|v| *v > 0.0));
    }

    pub(crate) fn lyrics(&mut self, value: &str) {
        if self.lyrics.is_none() && !value.trim().is_empty() {
            self.lyrics = Some(value.to_owned());
        }
    }

    pub(crate) fn compilation(&mut self, value: &str) {
        Extra::fill(&mut self.extra.compilation, truth(value));
    }

    pub(crate) fn rating(&mut self, stars: Option<i32>) {
        Extra::fill(&mut self.rating, stars);
    }

    /// Writes what the record does not have yet.
    pub(crate) fn write(self, ctx: &mut Ctx<'_>) {
        let max = ctx.limits.max_text;
        let long = self.lyrics.as_ref().is_some_and(|l| l.len() > max);
        let (to, x) = (&mut ctx.meta.extra, self.extra);
        let [release, recording, year] = self.dates;
        let year = year.map(|year| match self.day.filter(|_| year.len() == 4) {
            Some(day) => date(&format!("{year}{day}")).unwrap_or(year),
            None => year,
        });
        let lyrics = self.lyrics.and_then(|l| text::clean(&l, max));
        // A total without its number belongs to the tag that has both.
        if to.track_number.is_none() {
            to.track_number = x.track_number;
            Extra::fill(&mut to.track_total, x.track_total);
        }
        if to.disc_number.is_none() {
            to.disc_number = x.disc_number;
            Extra::fill(&mut to.disc_total, x.disc_total);
        }
        let genres = Some(self.genres.join(";")).filter(|g| !g.is_empty());
        Extra::fill(&mut to.genre, genres);
        Extra::fill(&mut to.release_date, release.or(recording).or(year));
        Extra::fill(&mut to.bpm, x.bpm);
        Extra::fill(&mut to.replay_gain_track_gain, x.replay_gain_track_gain.or(self.r128.0));
        Extra::fill(&mut to.replay_gain_track_peak, x.replay_gain_track_peak);
        Extra::fill(&mut to.replay_gain_album_gain, x.replay_gain_album_gain.or(self.r128.1));
        Extra::fill(&mut to.replay_gain_album_peak, x.replay_gain_album_peak);
        Extra::fill(&mut to.compilation, x.compilation);
        Extra::fill(&mut to.rating, x.rating.or(self.rating));
        let taken = to.lyrics.is_none();
        Extra::fill(&mut to.lyrics, lyrics);
        if to.chapters.is_empty() {
            to.chapters = self.chapters.done();
        }
        if long && taken {
            ctx.problem(crate::ProblemKind::Limit, "Lyrics", "cut at max_text");
        }
    }
}

/// Opus counts in 256ths of a dB from a reference that is 5 dB lower.
fn opus_gain(value: &str) -> Option<f64> {
    number(value).map(|v| ((v / 256.0 + 5.0) * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(values: &[(&str, &str)]) -> Music {
        let mut music = Music::default();
        for (name, value) in values {
            music.named(name, value);
        }
        music
    }

    #[test]
    fn numbers_and_totals() {
        for (text, want) in [
            ("3/12", (Some(3), Some(12))),
            ("03", (Some(3), None)),
            ("A3", (None, None)),
            ("0/0", (None, None)),
            ("", (None, None)),
            ("/4", (None, Some(4))),
        ] {
            let m = named(&[("TRACKNUMBER", text)]);
            assert_eq!((m.extra.track_number, m.extra.track_total), want, "{text}");
        }
        let m = named(&[("Disc", "1"), ("DISCTOTAL", "2"), ("totaltracks", "9")]);
        assert_eq!(
            (m.extra.disc_number, m.extra.disc_total, m.extra.track_total),
            (Some(1), Some(2), Some(9))
        );
    }

    #[test]
    fn genres_by_name_and_number() {
        for (text, want) in [
            ("Rock", "Rock"),
            ("17", "Rock"),
            ("(17)", "Rock"),
            ("(4)Eurodisco", "Eurodisco"),
            ("(51)(39)", "Techno-Industrial;Noise"),
            ("(RX)", "Remix"),
            ("(live)", "(live)"),
            ("255", ""),
            ("", ""),
        ] {
            let m = named(&[("GENRE", text)]);
            assert_eq!(m.genres.join(";"), want, "{text}");
        }
        assert_eq!(genre(147), Some("Synthpop"));
    }

    #[test]
    fn dates_are_cut_to_days() {
        for (text, want) in [
            ("1999", Some("1999")),
            ("1999-03", Some("1999-03")),
            ("1999-03-07T10:00:00", Some("1999-03-07")),
            ("19990307", Some("1999-03-07")),
            ("1999-00-00", Some("1999")),
            ("0000", None),
            ("199", None),
            ("12345", None),
            ("x", None),
        ] {
            assert_eq!(date(text).as_deref(), want, "{text}");
        }
        let m = named(&[("YEAR", "1990"), ("DATE", "1991-01-01"), ("RELEASEDATE", "1992")]);
        assert_eq!(m.dates.into_iter().flatten().next().as_deref(), Some("1992"));
    }

    #[test]
    fn stars_by_their_scale() {
        for (name, text, want) in [
            ("RATING", "4", Some(4)),
            ("RATING", "80", Some(4)),
            ("RATING", "196", Some(4)),
            ("RATING", "-1", None),
            ("RATING", "999", None),
        ] {
            assert_eq!(named(&[(name, text)]).rating, want, "{text}");
        }
        assert_eq!(named(&[("FMPS_RATING", "0.6")]).extra.rating, Some(3));
        let bytes = [(0, None), (1, Some(1)), (64, Some(2)), (128, Some(3)), (196, Some(4)), (255, Some(5))];
        for (byte, want) in bytes {
            assert_eq!(stars_of_byte(byte), want);
        }
    }

    #[test]
    fn loudness() {
        let m = named(&[
            ("replaygain_track_gain", "-7.25 dB"),
            ("REPLAYGAIN_TRACK_PEAK", "0.98"),
            ("R128_ALBUM_GAIN", "-512"),
        ]);
        let x = m.extra;
        assert_eq!((x.replay_gain_track_gain, x.replay_gain_track_peak), (Some(-7.25), Some(0.98)));
        assert_eq!((x.replay_gain_album_gain, m.r128), (None, (None, Some(3.0))));
    }
}
