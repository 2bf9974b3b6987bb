//! Chapters as ID3, Vorbis comments, Nero and QuickTime write them.

use std::collections::BTreeMap;

use crate::bytes::{be16, be32, be64};
use crate::extra::{Chapter, MAX_CHAPTERS, MAX_NAME};
use crate::text;

/// Chapters as they are gathered.
#[derive(Debug, Default)]
pub(crate) struct Chapters {
    list: Vec<Chapter>,
    /// Vorbis: start and title by the number in the name.
    numbered: BTreeMap<u32, (Option<f64>, Option<String>)>,
}

/// `hh:mm:ss.nnn` in seconds.
pub(crate) fn clock(text: &str) -> Option<f64> {
    let parts: Vec<f64> = text.trim().split(':').take(4).map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let seconds = parts.iter().fold(0.0, |sum, p| sum * 60.0 + p);
    seconds_of(seconds)
}

/// To the millisecond, where it is a time at all.
pub(crate) fn seconds_of(value: f64) -> Option<f64> {
    (value.is_finite() && (0.0..1e9).contains(&value)).then(|| (value * 1e3).round() / 1e3)
}

impl Chapters {
    /// Adds one; one more than are kept says that there are more.
    pub(crate) fn add(&mut self, start: f64, title: Option<&str>) {
        if let Some(start_time) = seconds_of(start).filter(|_| self.list.len() <= MAX_CHAPTERS) {
            let title = title.and_then(|t| text::clean(t, MAX_NAME));
            self.list.push(Chapter { title, start_time });
        }
    }

    /// Takes `CHAPTER001` and `CHAPTER001NAME`.
    pub(crate) fn named(&mut self, name: &str, value: &str) {
        let Some(rest) = name.strip_prefix("CHAPTER") else { return };
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, kind) = rest.split_at(digits);
        let Ok(number) = number.parse() else { return };
        if self.numbered.len() > MAX_CHAPTERS && !self.numbered.contains_key(&number) {
            return;
        }
        match kind {
            "" => self.numbered.entry(number).or_default().0 = clock(value),
            "NAME" => self.numbered.entry(number).or_default().1 = text::clean(value, MAX_NAME),
            _ => {}
        }
    }

    /// Takes ID3's frame: an identifier, start and end in ms, places in bytes, frames of its
    /// own, among them the title.
    pub(crate) fn frame(&mut self, b: &[u8], version: u8, decode: fn(u8, &[u8]) -> String) {
        let id = b.iter().position(|c| *c == 0).unwrap_or(b.len());
        let Some(start) = be32(b, id + 1) else { return };
        let mut rest = b.get(id + 17..).unwrap_or_default();
        let mut title = None;
        for _ in 0..16 {
            let (Some(name), Some(size)) = (rest.get(..4), rest.get(4..8)) else { break };
            let size = match (version, size) {
                (4, &[a, b, c, d]) => {
                    u32::from(a) << 21 | u32::from(b) << 14 | u32::from(c) << 7 | u32::from(d)
                }
                (_, size) => be32(size, 0).unwrap_or(0),
            } as usize;
            let Some(body) = rest.get(10..10usize.saturating_add(size)) else { break };
            if name == b"TIT2"
                && let Some((encoding, body)) = body.split_first()
            {
                title = Some(decode(*encoding, body).trim_matches('\0').to_owned());
            }
            rest = rest.get(10 + size..).unwrap_or_default();
        }
        self.add(f64::from(start) / 1e3, title.as_deref());
    }

    /// All of them, by their start.
    pub(crate) fn done(mut self) -> Vec<Chapter> {
        for (start, title) in self.numbered.into_values() {
            if let Some(start_time) = start {
                self.list.push(Chapter { title, start_time });
            }
        }
        self.list.sort_by(|a, b| a.start_time.total_cmp(&b.start_time));
        self.list
    }
}

/// Nero's list: a count, and of each the start in 100 ns and a counted title.
pub(crate) fn nero(b: &[u8]) -> Vec<Chapter> {
    let mut chapters = Chapters::default();
    let mut at = if b.first() == Some(&0) { 4 } else { 8 };
    let count = b.get(at).copied().unwrap_or(0);
    at += 1;
    for _ in 0..count {
        let (Some(start), Some(len)) = (be64(b, at), b.get(at + 8)) else { break };
        let Some(title) = b.get(at + 9..at + 9 + usize::from(*len)) else { break };
        at += 9 + usize::from(*len);
        chapters.add(start as f64 / 1e7, Some(&text::decode(title)));
    }
    chapters.done()
}

/// FLAC's cue sheet: tracks with the sample that each begins at; titles it has none.
pub(crate) fn cue_sheet(b: &[u8], rate: u32) -> Vec<Chapter> {
    let mut chapters = Chapters::default();
    let mut at = 396;
    for _ in 0..b.get(395).copied().unwrap_or(0) {
        let (Some(start), Some(number), Some(indices)) = (be64(b, at), b.get(at + 8), b.get(at + 35)) else {
            break;
        };
        // The numbers of what follows the last track.
        if !matches!(number, 170 | 255) {
            chapters.add(start as f64 / f64::from(rate.max(1)), None);
        }
        at += 36 + usize::from(*indices) * 12;
    }
    chapters.done()
}

/// A sample of a track of texts: its length, the text.
pub(crate) fn sample_text(b: &[u8]) -> Option<String> {
    let len = usize::from(be16(b, 0)?);
    let raw = b.get(2..)?;
    let raw = raw.get(..len.min(raw.len()))?;
    let shown = match raw {
        [0xfe, 0xff, rest @ ..] => text::utf16(rest, true),
        [0xff, 0xfe, rest @ ..] => text::utf16(rest, false),
        _ => text::decode(raw),
    };
    text::clean(&shown, MAX_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chapter(start_time: f64, title: &str) -> Chapter {
        Chapter { title: Some(title.into()), start_time }
    }

    #[test]
    fn chapters_of_comments() {
        let mut c = Chapters::default();
        for (name, value) in [
            ("CHAPTER002NAME", "End"),
            ("CHAPTER001", "00:00:00.000"),
            ("CHAPTER002", "00:01:02.500"),
            ("CHAPTER001NAME", "Begin"),
            ("CHAPTER003NAME", "no start"),
            ("CHAPTER", "x"),
            ("CHAPTER9URL", "x"),
        ] {
            c.named(name, value);
        }
        assert_eq!(c.done(), [chapter(0.0, "Begin"), chapter(62.5, "End")]);
        for (text, want) in [("1:02", Some(62.0)), ("x", None), ("nan", None), ("1e99", None), ("-1", None)] {
            assert_eq!(clock(text), want, "{text}");
        }
    }

    #[test]
    fn chapters_of_nero() {
        let mut b = vec![1, 0, 0, 0, 0, 0, 0, 0, 2];
        for (start, title) in [(0u64, "A"), (15_000_000, "Two")] {
            b.extend(start.to_be_bytes());
            b.push(title.len() as u8);
            b.extend(title.as_bytes());
        }
        assert_eq!(nero(&b), [chapter(0.0, "A"), chapter(1.5, "Two")]);
        for cut in 0..b.len() {
            assert!(nero(&b[..cut]).len() < 2);
        }
    }

    #[test]
    fn chapters_of_id3() {
        let latin = |_: u8, b: &[u8]| text::latin1(b);
        let mut b = b"c0\0".to_vec();
        b.extend(1500u32.to_be_bytes());
        b.extend([0xff; 12]);
        b.extend(b"TIT2\0\0\0\x04\0\0\0One");
        let mut c = Chapters::default();
        c.frame(&b, 4, latin);
        c.frame(&b[..7], 4, latin);
        c.frame(&b[..5], 4, latin);
        assert_eq!(c.done(), [chapter(1.5, "One"), Chapter { title: None, start_time: 1.5 }]);
    }

    #[test]
    fn chapters_of_a_cue_sheet() {
        let track = |start: u64, number: u8, indices: u8| {
            [&start.to_be_bytes()[..], &[number], &[0; 26], &[indices], &vec![0; usize::from(indices) * 12]]
                .concat()
        };
        let b = [vec![0; 395], vec![3], track(0, 1, 2), track(88_200, 2, 1), track(99_000, 170, 0)].concat();
        let starts = |b: &[u8]| cue_sheet(b, 44_100).iter().map(|c| c.start_time).collect::<Vec<f64>>();
        assert_eq!(starts(&b), [0.0, 2.0]);
        assert_eq!(starts(&b[..400]), [0.0; 0]);
        assert_eq!(starts(b""), [0.0; 0]);
    }

    #[test]
    fn texts_of_samples() {
        assert_eq!(sample_text(b"\0\x03One\0\0\0\x0cencd").as_deref(), Some("One"));
        assert_eq!(sample_text(b"\0\x04\xfe\xff\0A").as_deref(), Some("A"));
        assert_eq!(sample_text(b"\xff\xffOne").as_deref(), Some("One"));
        assert_eq!(sample_text(b"\0"), None);
    }
}
