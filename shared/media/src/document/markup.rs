//! HTML and RTF: what their heads say.

use crate::ctx::Ctx;
use crate::source::Parse;
use crate::text;
use crate::time::Stamp;

pub(crate) fn html(ctx: &mut Ctx<'_>) -> Parse {
    let head = text::decode_bom(ctx.src.held_from(0).get(..64 * 1024).unwrap_or(ctx.src.held_from(0)));
    let lower = head.to_ascii_lowercase();
    let max = ctx.limits.max_text;
    let shown =
        |t: &str| text::clean(&text::unescape_xml(t).split_whitespace().collect::<Vec<_>>().join(" "), max);
    if let Some(at) = lower.find("<title")
        && let Some(open) = lower.get(at..).and_then(|t| t.find('>')).map(|n| at + n + 1)
    {
        let end = lower.get(open..).and_then(|t| t.find("</title")).map(|n| open + n);
        ctx.meta.title = end.and_then(|end| head.get(open..end)).and_then(shown);
    }
    if let Some(at) = lower.find("<html")
        && let Some(tag) = head.get(at..).and_then(|t| t.split('>').next())
    {
        ctx.meta.language =
            attribute(tag, "lang").or_else(|| attribute(tag, "xml:lang")).and_then(|l| text::clean(&l, 64));
    }
    let mut at = 0;
    for _ in 0..256 {
        let Some(hit) = lower.get(at..).and_then(|t| t.find("<meta")) else { break };
        at += hit + 5;
        let Some(tag) = head.get(at..).and_then(|t| t.split('>').next()) else { break };
        let name = attribute(tag, "name").or_else(|| attribute(tag, "property")).unwrap_or_default();
        let Some(content) = attribute(tag, "content").as_deref().and_then(shown) else { continue };
        let m = &mut ctx.meta;
        match name.to_ascii_lowercase().as_str() {
            "author" | "dc.creator" => m.authors.push(content),
            "description" | "dc.description" => m.description = Some(content),
            "keywords" => {
                m.keywords = content
                    .split(',')
                    .filter_map(|k| text::clean(k, 256))
                    .take(crate::MAX_KEYWORDS + 1)
                    .collect()
            }
            "copyright" | "dc.rights" => m.copyright = Some(content),
            "og:title" | "dc.title" if m.title.is_none() => m.title = Some(content),
            _ => {}
        }
    }
    Ok(())
}

/// Value of an attribute in a tag's text.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let lower = tag.to_ascii_lowercase();
    let mut from = 0;
    loop {
        let at = from + lower.get(from..)?.find(name)?;
        from = at + name.len();
        let before = lower.get(..at)?.chars().next_back();
        let rest = tag.get(from..)?.trim_start();
        if before.is_none_or(|c| c.is_whitespace() || c == '"' || c == '\'')
            && let Some(value) = rest.strip_prefix('=')
        {
            let value = value.trim_start();
            let quote = value.chars().next()?;
            return if matches!(quote, '"' | '\'') {
                value.get(1..)?.split(quote).next().map(str::to_owned)
            } else {
                value.split(|c: char| c.is_whitespace() || c == '/').next().map(str::to_owned)
            };
        }
    }
}

/// The `\info` group of RTF.
pub(crate) fn rtf(ctx: &mut Ctx<'_>) -> Parse {
    let head = text::latin1(ctx.src.held_from(0));
    let Some(at) = head.find("{\\info") else { return Ok(()) };
    let info = head.get(at..).unwrap_or_default();
    let end = group_end(info);
    let info = info.get(..end).unwrap_or(info);
    let max = ctx.limits.max_text;
    let field = |name: &str| {
        let mark = format!("{{\\{name}");
        let mut from = 0;
        loop {
            let at = from + info.get(from..)?.find(&mark)?;
            let body = info.get(at + mark.len()..)?;
            // The name ends here: `\title` is not `\titlepg`.
            if body.starts_with(|c: char| !c.is_ascii_alphabetic()) {
                let whole = info.get(at..)?;
                let len = group_end(whole);
                return text::clean(&plain(whole.get(mark.len()..len.saturating_sub(1))?), max);
            }
            from = at + mark.len();
        }
    };
    let (title, author, subject, keywords) =
        (field("title"), field("author"), field("subject"), field("keywords"));
    let comment = field("doccomm");
    let number = |name: &str| {
        let at = info.find(name)? + name.len();
        let digits: String = info.get(at..)?.chars().take_while(char::is_ascii_digit).take(9).collect();
        digits.parse::<u32>().ok()
    };
    ctx.meta.page_count = number("\\nofpages").filter(|n| *n > 0);
    ctx.meta.extra.word_count = number("\\nofwords").filter(|n| *n > 0);
    if let Some(at) = info.find("{\\creatim") {
        let group = info.get(at..).unwrap_or_default();
        let part = |name: &str| {
            let at = group.find(name)? + name.len();
            let digits: String = group.get(at..)?.chars().take_while(char::is_ascii_digit).take(4).collect();
            digits.parse::<u32>().ok()
        };
        if let (Some(y), Some(mo), Some(d)) = (part("\\yr"), part("\\mo"), part("\\dy")) {
            let (h, mi, s) =
                (part("\\hr").unwrap_or(0), part("\\min").unwrap_or(0), part("\\sec").unwrap_or(0));
            let stamp = Stamp::parse(&format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}"));
            ctx.meta.produce_time = stamp.map(|s| s.rfc3339());
        }
    }
    let m = &mut ctx.meta;
    m.title = title;
    m.authors = author.into_iter().collect();
    m.description = comment.or(subject);
    m.keywords = keywords
        .map(|k| {
            k.split([',', ';']).filter_map(|w| text::clean(w, 256)).take(crate::MAX_KEYWORDS + 1).collect()
        })
        .unwrap_or_default();
    Ok(())
}

/// Length of the group that `text` begins with.
fn group_end(text: &str) -> usize {
    let mut depth = 0;
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// Text without control words; `\'hh` and `\uN` are decoded.
fn plain(rtf: &str) -> String {
    let mut out = String::new();
    let mut rest = rtf;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '{' | '}' | '\r' | '\n' => {}
            '\\' => {
                let next = rest.chars().next().unwrap_or(' ');
                if next == '\'' {
                    let code = rest.get(1..3).and_then(|h| u8::from_str_radix(h, 16).ok());
                    out.push_str(&text::latin1(&code.map_or(Vec::new(), |c| vec![c])));
                    rest = rest.get(3..).unwrap_or_default();
                } else if !next.is_ascii_alphabetic() {
                    out.push(next);
                    rest = rest.get(next.len_utf8()..).unwrap_or_default();
                } else {
                    let name = rest.chars().take_while(char::is_ascii_alphabetic).count();
                    let word = rest.get(..name).unwrap_or_default();
                    rest = rest.get(name..).unwrap_or_default();
                    let digits = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '-').count();
                    let number = rest.get(..digits).and_then(|d| d.parse::<i32>().ok());
                    rest = rest.get(digits..).unwrap_or_default();
                    rest = rest.strip_prefix(' ').unwrap_or(rest);
                    if word == "u"
                        && let Some(n) = number
                    {
                        out.extend(char::from_u32(if n < 0 { n + 65_536 } else { n } as u32));
                        // The fallback for readers that know no Unicode.
                        rest = match rest.strip_prefix("\\'") {
                            Some(tail) => tail.get(2..).unwrap_or_default(),
                            None => rest.strip_prefix('?').unwrap_or(rest),
                        };
                    }
                }
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtf_text() {
        assert_eq!(plain(" caf\\'e9 \\u8364? \\b x\\{"), " café € x{");
        assert_eq!(attribute(" name=\"author\" content='A \"B\"'", "content").as_deref(), Some("A \"B\""));
        assert_eq!(attribute(" data-name=x", "name"), None);
    }
}
