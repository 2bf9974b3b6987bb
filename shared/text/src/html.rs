//! HTML and XHTML: the text that a browser shows, and the title.

use crate::charset;
use crate::entities;
use crate::markup::{Markup, Tag, Token};
use crate::out::{Out, Read};

/// Elements whose content is no text.
const HIDDEN: &[&str] = &["script", "style", "noembed", "noframes"];

/// Elements that begin and end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hgroup",
    "hr",
    "legend",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "optgroup",
    "option",
    "p",
    "pre",
    "search",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "title",
    "tr",
    "ul",
];

/// Elements behind which an empty line stands.
const APART: &[&str] = &["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "table", "title"];

pub(crate) fn read(content: &[u8], charset_name: Option<&str>, out: &mut Out) -> Read {
    let declared = charset::declared(content);
    let most = usize::try_from(out.memory()).unwrap_or(usize::MAX);
    let text = charset::decode(content, charset_name.or(declared.as_deref()), most / 3);
    if text.len() < content.len() / 3 {
        out.cut("the page is longer than is read of one");
    }
    read_text(&text, out)
}

/// The text of a page that was decoded.
pub(crate) fn read_text(text: &str, out: &mut Out) -> Read {
    let mut tokens = Markup::html(text);
    let mut preformatted = 0u32;
    while let Some(token) = tokens.next() {
        out.tick()?;
        match token {
            Token::Text(text) if preformatted > 0 => out.verbatim(&entities::decode(text))?,
            Token::Text(text) => out.flowing(&entities::decode(text))?,
            Token::Raw(text) => out.flowing(text)?,
            Token::Open(tag) => {
                let name = short(tag.local());
                let name = name.as_str();
                if let Some(hidden) = HIDDEN.iter().find(|h| **h == name) {
                    if !tag.empty {
                        tokens.skip_raw(hidden);
                    }
                    continue;
                }
                preformatted += u32::from(matches!(name, "pre" | "textarea" | "listing") && !tag.empty);
                open(name, &tag, out)?;
            }
            Token::Close(name) => {
                let name = short(crate::markup::local(name));
                let name = name.as_str();
                if matches!(name, "pre" | "textarea" | "listing") {
                    preformatted = preformatted.saturating_sub(1);
                }
                if APART.contains(&name) {
                    out.paragraph()?;
                } else if BLOCKS.contains(&name) {
                    out.line()?;
                }
            }
        }
    }
    Ok(())
}

fn open(name: &str, tag: &Tag<'_>, out: &mut Out) -> Read {
    match name {
        "br" => {
            out.line()?;
        }
        "td" | "th" => out.cell()?,
        "img" | "area" => {
            if let Some(alt) = tag.get("alt") {
                out.blank();
                out.flowing(&alt)?;
                out.blank();
            }
        }
        _ if BLOCKS.contains(&name) => out.line()?,
        _ => {}
    }
    Ok(())
}

/// A name in lower case; long ones are none that is known.
fn short(name: &str) -> String {
    name.get(..12).map_or_else(|| name.to_ascii_lowercase(), |_| String::new())
}

#[cfg(test)]
mod tests {
    use crate::{Limits, extract};

    #[test]
    fn pages() {
        for (page, want) in [
            ("<title>A &amp; B</title><p>One<p>two  \n three<br>four</p>", "A & B\n\nOne\ntwo three\nfour"),
            ("<script>var a = '<p>no</p>';</script>yes<style>p{}</style>", "yes"),
            ("<SCRIPT>no</Script >yes", "yes"),
            ("<table><tr><td>a<td>b</tr><tr><th>c</th><th>d</th></tr></table>", "a\tb\nc\td"),
            ("<pre>a\n  b\r\n</pre>c", "a\n  b\n\nc"),
            ("<b>w</b>ord <i>x</i>", "word x"),
            ("<img alt='a cat'>sits", "a cat sits"),
            ("<p>unclosed <b", "unclosed"),
            ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
            ("soft&shy;ly &nbsp; x", "softly \u{a0} x"),
            ("<![CDATA[x]]><!-- no -->y", "xy"),
        ] {
            let text = extract(page.as_bytes(), "text/html", &Limits::default()).map(|t| t.text);
            assert_eq!(text.as_deref().ok(), Some(want), "{page}");
        }
    }
}
