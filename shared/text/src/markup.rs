//! The tags of XML and HTML one after another. There is no tree, so that nesting costs
//! nothing, and no entity but the predefined ones means anything, so that nothing expands.
//! What is not well-formed is read as far as it makes sense; each byte is looked at a
//! bounded number of times.

use std::borrow::Cow;

use crate::entities;

#[derive(Debug, PartialEq)]
pub(crate) enum Token<'a> {
    /// Text with its entities as they were written.
    Text(&'a str),
    /// Text of a CDATA section.
    Raw(&'a str),
    Open(Tag<'a>),
    /// The name of an end tag.
    Close(&'a str),
}

#[derive(Debug, PartialEq, Clone, Copy)]
pub(crate) struct Tag<'a> {
    /// With its prefix.
    pub(crate) name: &'a str,
    attributes: &'a str,
    /// It ends in a slash.
    pub(crate) empty: bool,
}

pub(crate) struct Markup<'a> {
    text: &'a str,
    at: usize,
    html: bool,
    /// A quotation mark had no partner up to the end: from here on tags end at the first `>`.
    unquoted: bool,
    /// Ends of comments and of sections that were looked for and are not there.
    no_comment_end: bool,
    no_section_end: bool,
}

impl<'a> Markup<'a> {
    pub(crate) fn xml(text: &'a str) -> Self {
        Markup { text, at: 0, html: false, unquoted: false, no_comment_end: false, no_section_end: false }
    }

    pub(crate) fn html(text: &'a str) -> Self {
        Markup { html: true, ..Markup::xml(text) }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Leaves out everything up to the end tag of this name, which is in lower case.
    pub(crate) fn skip_raw(&mut self, name: &str) {
        let bytes = self.text.as_bytes();
        while let Some(found) = self.rest().find("</") {
            self.at += found;
            let tag = bytes.get(self.at + 2..self.at + 2 + name.len()).unwrap_or_default();
            if tag.eq_ignore_ascii_case(name.as_bytes()) {
                return;
            }
            self.at += 2;
        }
        self.at = self.text.len();
    }

    /// What stands up to `end`, which is left out as well.
    fn until(&mut self, lead: usize, end: &str) -> Option<&'a str> {
        let rest = self.rest().get(lead..)?;
        let len = rest.find(end)?;
        self.at += lead + len + end.len();
        rest.get(..len)
    }

    /// Length of a tag up to its `>`, which may stand in quotation marks.
    fn tag_length(&mut self) -> Option<usize> {
        let bytes = self.rest().as_bytes();
        if !self.unquoted {
            let mut quote = None;
            let mut after_equals = false;
            for (i, b) in bytes.iter().enumerate() {
                match (quote, b) {
                    (Some(q), b) if q == *b => quote = None,
                    (Some(_), _) => {}
                    // In HTML a stray quotation mark in a tag opens nothing.
                    (None, b'"' | b'\'') if after_equals => quote = Some(*b),
                    (None, b'>') => return Some(i),
                    _ => {}
                }
                after_equals = *b == b'=' || (after_equals && b.is_ascii_whitespace());
            }
            self.unquoted = true;
        }
        bytes.iter().position(|b| *b == b'>')
    }
}

impl<'a> Iterator for Markup<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return None;
            }
            let bytes = rest.as_bytes();
            if bytes.first() != Some(&b'<') {
                let len = rest.find('<').unwrap_or(rest.len());
                self.at += len;
                return rest.get(..len).map(Token::Text);
            }
            match bytes.get(1) {
                Some(b'!') => {
                    if rest.starts_with("<!--") && !self.no_comment_end {
                        if self.until(4, "-->").is_some() {
                            continue;
                        }
                        self.no_comment_end = true;
                    } else if rest.starts_with("<![CDATA[") && !self.no_section_end {
                        if let Some(text) = self.until(9, "]]>") {
                            return Some(Token::Raw(text));
                        }
                        self.no_section_end = true;
                    } else if rest.starts_with("<!DOCTYPE") && !self.html {
                        self.skip_doctype();
                        continue;
                    }
                    if self.until(2, ">").is_none() {
                        self.at = self.text.len();
                    }
                }
                Some(b'?') => {
                    if self.until(2, ">").is_none() {
                        self.at = self.text.len();
                    }
                }
                Some(b'/') => {
                    let name = match self.until(2, ">") {
                        Some(name) => name,
                        None => {
                            self.at = self.text.len();
                            rest.get(2..).unwrap_or_default()
                        }
                    };
                    let end = name.find(|c: char| c.is_ascii_whitespace()).unwrap_or(name.len());
                    return name.get(..end).map(Token::Close);
                }
                Some(b) if b.is_ascii_alphabetic() || *b == b'_' || (!self.html && *b >= 0x80) => {
                    let Some(len) = self.tag_length() else {
                        self.at = self.text.len();
                        return None;
                    };
                    self.at += len + 1;
                    let inside = rest.get(1..len).unwrap_or_default();
                    let empty = inside.ends_with('/');
                    let inside = inside.strip_suffix('/').unwrap_or(inside);
                    let end =
                        inside.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(inside.len());
                    let (name, attributes) = inside.split_at(end);
                    return Some(Token::Open(Tag { name, attributes, empty }));
                }
                // A lone `<`.
                _ => {
                    self.at += 1;
                    return Some(Token::Text("<"));
                }
            }
        }
    }
}

impl Markup<'_> {
    /// A document type with its own declarations in brackets, none of which is read.
    fn skip_doctype(&mut self) {
        let mut open = 0usize;
        for (i, b) in self.rest().bytes().enumerate() {
            match b {
                b'[' => open += 1,
                b']' => open = open.saturating_sub(1),
                b'>' if open == 0 => {
                    self.at += i + 1;
                    return;
                }
                _ => {}
            }
        }
        self.at = self.text.len();
    }
}

impl<'a> Tag<'a> {
    /// The name without its prefix.
    pub(crate) fn local(&self) -> &'a str {
        local(self.name)
    }

    /// The value of the attribute with this name, whatever its prefix, with its entities read.
    pub(crate) fn get(&self, wanted: &str) -> Option<Cow<'a, str>> {
        self.find(|name| local(name).eq_ignore_ascii_case(wanted))
    }

    /// The value of the attribute with exactly this name.
    pub(crate) fn get_exact(&self, wanted: &str) -> Option<Cow<'a, str>> {
        self.find(|name| name == wanted)
    }

    fn find(&self, wanted: impl Fn(&str) -> bool) -> Option<Cow<'a, str>> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            let end =
                rest.find(|c: char| c.is_ascii_whitespace() || c == '=' || c == '/').unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if name.is_empty() && after.is_empty() {
                return None;
            }
            rest = after.trim_start();
            let mut value = "";
            if let Some(after) = rest.strip_prefix('=') {
                let after = after.trim_start();
                (value, rest) = match after.chars().next() {
                    Some(q @ ('"' | '\'')) => {
                        let body = after.get(1..).unwrap_or_default();
                        body.split_once(q).unwrap_or((body, ""))
                    }
                    _ => {
                        let end = after.find(|c: char| c.is_ascii_whitespace()).unwrap_or(after.len());
                        after.split_at(end)
                    }
                };
            }
            if wanted(name) {
                return Some(entities::decode(value));
            }
        }
    }
}

/// A name without its prefix.
pub(crate) fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tokens: Markup<'_>) -> String {
        tokens
            .map(|t| match t {
                Token::Text(t) => format!("'{t}'"),
                Token::Raw(t) => format!("[{t}]"),
                Token::Open(t) => format!("<{}{}>", t.name, if t.empty { "/" } else { "" }),
                Token::Close(n) => format!("</{n}>"),
            })
            .collect()
    }

    #[test]
    fn tokens() {
        for (text, want) in [
            ("<a b='>'>x</a >", "<a>'x'</a>"),
            ("<a/><b c=d/>", "<a/><b/>"),
            ("1 < 2<p>", "'1 ''<'' 2'<p>"),
            ("<!-- <a> -->x", "'x'"),
            ("<!-- <a>x", "'x'"),
            ("<![CDATA[<x>&amp;]]>", "[<x>&amp;]"),
            ("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>'&b;'</a>"),
            ("<a b=\">c", "<a>'c'"),
            ("<a b=\"><c>d", "<a><c>'d'"),
            ("</", "</>"),
            ("<", "'<'"),
            ("<a 'b>c", "<a>'c'"),
        ] {
            assert_eq!(shown(Markup::xml(text)), want, "{text}");
        }
        let mut html = Markup::html("<script>a</b></SCRIPT>c");
        html.next();
        html.skip_raw("script");
        assert_eq!(shown(html), "</SCRIPT>'c'");
    }

    #[test]
    fn attributes() {
        let Some(Token::Open(tag)) = Markup::xml("<a x:b='1 &lt; 2' c=d e f = \"g\" b='3'>").next() else {
            panic!("no tag")
        };
        assert_eq!(tag.get("b").as_deref(), Some("1 < 2"));
        assert_eq!(tag.get_exact("b").as_deref(), Some("3"));
        assert_eq!(tag.get("c").as_deref(), Some("d"));
        assert_eq!(tag.get("e").as_deref(), Some(""));
        assert_eq!(tag.get("f").as_deref(), Some("g"));
        assert_eq!(tag.get("g"), None);
    }
}
