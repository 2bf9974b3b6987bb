//! Plain text, Markdown, subtitles.

use crate::ctx::Ctx;
use crate::metadata::SubtitleStream;
use crate::source::Parse;
use crate::text;

/// `hh:mm:ss,mmm --> hh:mm:ss,mmm` behind a counter.
pub(crate) fn looks_like_srt(text: &str) -> bool {
    let mut lines = text.lines().filter(|l| !l.trim().is_empty());
    let counter = lines.next().is_some_and(|l| !l.is_empty() && l.trim().bytes().all(|b| b.is_ascii_digit()));
    counter && lines.next().is_some_and(|l| cue(l).is_some())
}

/// Start and end of a cue line, in seconds.
fn cue(line: &str) -> Option<(f64, f64)> {
    let (from, to) = line.split_once("-->")?;
    Some((clock(from)?, clock(to.split_whitespace().next()?)?))
}

fn clock(text: &str) -> Option<f64> {
    let text = text.trim().replace(',', ".");
    let mut seconds = 0.0;
    let mut parts = 0;
    for part in text.split(':') {
        let value: f64 = part.parse().ok().filter(|v: &f64| v.is_finite() && *v >= 0.0)?;
        seconds = seconds * 60.0 + value;
        parts += 1;
    }
    (2..=3).contains(&parts).then_some(seconds)
}

/// Reads what a text file says of itself.
pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let head = text::decode_bom(ctx.src.held_from(0));
    match ctx.kind.format {
        "markdown" => markdown(ctx, &head),
        "srt" | "vtt" => subtitles(ctx, &head),
        _ => {}
    }
    Ok(())
}

/// Title from front matter or the first heading.
fn markdown(ctx: &mut Ctx<'_>, text: &str) {
    let max = ctx.limits.max_text;
    let mut lines = text.lines().peekable();
    if lines.peek().is_some_and(|l| l.trim_end() == "---") {
        lines.next();
        for line in lines.by_ref().take(200) {
            if line.trim_end() == "---" {
                break;
            }
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = text::clean(value.trim().trim_matches(['"', '\'']), max);
            match key.trim() {
                "title" => ctx.meta.title = value,
                "author" | "authors" => {
                    let names = value.unwrap_or_default();
                    let names = names.trim_matches(['[', ']']).split(',');
                    ctx.meta.authors =
                        names.filter_map(|n| text::clean(n.trim_matches(['"', '\'', ' ']), 256)).collect();
                }
                "description" => ctx.meta.description = value,
                "lang" | "language" => ctx.meta.language = value,
                _ => {}
            }
        }
    }
    if ctx.meta.title.is_none() {
        let heading = lines.take(200).find_map(|l| l.strip_prefix("# "));
        ctx.meta.title = heading.and_then(|h| text::clean(h, max));
    }
}

fn subtitles(ctx: &mut Ctx<'_>, text: &str) {
    let whole = ctx.src.held_from(0).len() as u64 == ctx.src.size();
    let mut first = None;
    let mut last = None;
    for (from, to) in text.lines().filter_map(cue).take(100_000) {
        first = first.or(Some(from));
        last = Some(to);
    }
    let codec =
        if ctx.kind.format == "vtt" { ("webvtt", "WebVTT subtitle") } else { ("subrip", "SubRip subtitle") };
    // The end is only known where the whole file was read.
    let duration = last.filter(|_| whole);
    ctx.meta.format_name = Some(ctx.kind.format.replace("vtt", "webvtt"));
    ctx.meta.format_long_name = Some(codec.1.to_owned());
    ctx.meta.duration = duration;
    ctx.meta.subtitles = vec![SubtitleStream {
        index: Some(0),
        codec_name: Some(codec.0.into()),
        codec_long_name: Some(codec.1.into()),
        start_time: first,
        duration,
        ..SubtitleStream::default()
    }];
}
