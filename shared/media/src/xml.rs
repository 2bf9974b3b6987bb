//! XML as files have it: a forgiving reader of bounded cost.
//!
//! Metadata is written by programs of every age, and damage far from a property must
//! not cost it: undeclared prefixes, bare `&`, attributes written twice, tags that are
//! not closed and an end in the middle are all read past. Time grows with the length of
//! the text alone: attributes are listed, not compared with one another, and what is
//! counted has limits of its own.

use crate::text;

/// Most elements, attributes, and namespace declarations in force at a place.
const MAX_ELEMENTS: usize = 50_000;
const MAX_ATTRIBUTES: usize = 50_000;
const MAX_SCOPE: usize = 128;
/// How far up an end tag looks for its beginning.
const MAX_UNWIND: usize = 64;

pub(crate) const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
pub(crate) const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// What the usual prefixes mean where a file does not declare them.
const USUAL: &[(&str, &str)] = &[
    ("rdf", RDF),
    ("xml", XML),
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("xmp", "http://ns.adobe.com/xap/1.0/"),
    ("xap", "http://ns.adobe.com/xap/1.0/"),
    ("exif", "http://ns.adobe.com/exif/1.0/"),
    ("exifEX", "http://cipa.jp/exif/1.0/"),
    ("tiff", "http://ns.adobe.com/tiff/1.0/"),
    ("photoshop", "http://ns.adobe.com/photoshop/1.0/"),
    ("pdf", "http://ns.adobe.com/pdf/1.3/"),
    ("xmpNote", "http://ns.adobe.com/xmp/note/"),
    ("aux", "http://ns.adobe.com/exif/1.0/aux/"),
    ("lr", "http://ns.adobe.com/lightroom/1.0/"),
    ("mwg-rs", "http://www.metadataworkinggroup.com/schemas/regions/"),
    ("MP", "http://ns.microsoft.com/photo/1.2/"),
    ("MicrosoftPhoto", "http://ns.microsoft.com/photo/1.0/"),
    ("digiKam", "http://www.digikam.org/ns/1.0/"),
    ("Iptc4xmpExt", "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"),
    ("GPano", "http://ns.google.com/photos/1.0/panorama/"),
    ("GCamera", "http://ns.google.com/photos/1.0/camera/"),
];

struct Node<'a> {
    parent: Option<usize>,
    ns: &'a str,
    name: &'a str,
    attributes: std::ops::Range<usize>,
    text: String,
    closed: bool,
    /// Behind the last descendant.
    end: usize,
}

struct Attribute<'a> {
    ns: &'a str,
    name: &'a str,
    value: &'a str,
}

/// The elements of a text, in their order.
pub(crate) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    attributes: Vec<Attribute<'a>>,
    /// A limit ended the reading.
    pub(crate) limited: bool,
    /// The text ended inside of an element.
    pub(crate) cut: bool,
}

/// One element.
#[derive(Clone, Copy)]
pub(crate) struct Element<'t, 'a> {
    tree: &'t Tree<'a>,
    index: usize,
}

/// Reads a whole text.
pub(crate) fn parse(xml: &str) -> Tree<'_> {
    Parser::new(xml).run(false)
}

/// Reads a text as far as the end of its first `rdf:RDF`.
pub(crate) fn parse_rdf(xml: &str) -> Tree<'_> {
    Parser::new(xml).run(true)
}

struct Parser<'a> {
    rest: &'a str,
    tree: Tree<'a>,
    /// Elements that are open, each with its qualified name and the scope before it.
    open: Vec<(usize, &'a str, usize)>,
    scope: Vec<(&'a str, &'a str)>,
}

fn is_name_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, '>' | '/' | '=' | '<' | '"' | '\'')
}

impl<'a> Parser<'a> {
    fn new(xml: &'a str) -> Self {
        let tree = Tree { nodes: Vec::new(), attributes: Vec::new(), limited: false, cut: false };
        Parser { rest: xml, tree, open: Vec::new(), scope: Vec::new() }
    }

    fn run(mut self, rdf: bool) -> Tree<'a> {
        while let Some(at) = self.rest.find('<') {
            let (before, tail) = self.rest.split_at(at);
            self.text(before);
            self.rest = tail;
            match self.markup(rdf) {
                Some(true) => {}
                Some(false) => break,
                None => {
                    self.tree.cut = true;
                    break;
                }
            }
        }
        self.tree.cut |= !self.open.is_empty() && !self.tree.limited;
        let end = self.tree.nodes.len();
        for (index, _, _) in std::mem::take(&mut self.open) {
            if let Some(node) = self.tree.nodes.get_mut(index) {
                node.end = end;
            }
        }
        self.tree
    }

    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(node) = self.open.last().and_then(|(index, _, _)| self.tree.nodes.get_mut(*index)) {
            if text.contains('&') {
                node.text.push_str(&text::unescape_xml(text));
            } else {
                node.text.push_str(text);
            }
        }
    }

    /// Passes `len` bytes.
    fn skip(&mut self, len: usize) {
        self.rest = self.rest.get(len..).unwrap_or_default();
    }

    /// Takes what begins with `<`: whether to go on, None where the text ends inside.
    fn markup(&mut self, rdf: bool) -> Option<bool> {
        let rest = self.rest;
        if rest.starts_with("<!--") {
            self.skip(rest.find("-->")? + 3);
        } else if let Some(data) = rest.strip_prefix("<![CDATA[") {
            let len = data.find("]]>")?;
            if let Some(node) = self.open.last().and_then(|(index, _, _)| self.tree.nodes.get_mut(*index)) {
                node.text.push_str(data.get(..len)?);
            }
            self.skip(9 + len + 3);
        } else if rest.starts_with("<?") {
            self.skip(rest.find("?>")? + 2);
        } else if rest.starts_with("<!") {
            let mut end = rest.find('>')?;
            if let Some(inner) = rest.get(..end)?.find('[') {
                let close = inner + rest.get(inner..)?.find(']')?;
                end = close + rest.get(close..)?.find('>')?;
            }
            self.skip(end + 1);
        } else if let Some(tag) = rest.strip_prefix("</") {
            let end = tag.find('>')?;
            let name = tag.get(..end)?.trim();
            self.skip(2 + end + 1);
            return Some(self.close(name, rdf));
        } else if rest.get(1..).is_some_and(|r| r.starts_with(|c: char| c.is_alphabetic() || c == '_')) {
            return self.element();
        } else {
            // Not markup at all.
            self.text("<");
            self.skip(1);
        }
        Some(true)
    }

    fn close(&mut self, name: &str, rdf: bool) -> bool {
        let near = self.open.iter().rev().take(MAX_UNWIND).position(|(_, open, _)| *open == name);
        let Some(up) = near else { return true };
        let end = self.tree.nodes.len();
        let mut ended = false;
        for _ in 0..=up {
            let Some((index, _, scope)) = self.open.pop() else { break };
            self.scope.truncate(scope);
            if let Some(node) = self.tree.nodes.get_mut(index) {
                (node.closed, node.end) = (true, end);
                ended = node.ns == RDF && node.name == "RDF";
            }
        }
        !(rdf && ended)
    }

    fn element(&mut self) -> Option<bool> {
        if self.tree.nodes.len() >= MAX_ELEMENTS {
            self.tree.limited = true;
            return Some(false);
        }
        self.skip(1);
        let qualified = self.name();
        let (scope, first) = (self.scope.len(), self.tree.attributes.len());
        let index = self.tree.nodes.len();
        let parent = self.open.last().map(|(index, _, _)| *index);
        let closed = loop {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix("/>") {
                self.rest = rest;
                break Some(true);
            }
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                break Some(false);
            }
            // A tag that was never closed.
            if self.rest.starts_with('<') {
                break Some(false);
            }
            if self.rest.is_empty() {
                break None;
            }
            if !self.attribute() {
                break None;
            }
            if self.tree.attributes.len() >= MAX_ATTRIBUTES {
                self.tree.limited = true;
                break None;
            }
        };
        let (prefix, name) = qualified.split_once(':').unwrap_or(("", qualified));
        let ns = self.namespace(prefix);
        let last = self.tree.attributes.len();
        for at in first..last {
            let name = self.tree.attributes.get(at).map_or("", |a| a.name);
            // Without a prefix an attribute is in no namespace.
            if let Some((prefix, local)) = name.split_once(':') {
                let ns = self.namespace(prefix);
                if let Some(a) = self.tree.attributes.get_mut(at) {
                    (a.ns, a.name) = (ns, local);
                }
            }
        }
        let attributes = first..last;
        let node = Node {
            parent,
            ns,
            name,
            attributes,
            text: String::new(),
            closed: closed == Some(true),
            end: index + 1,
        };
        self.tree.nodes.push(node);
        match closed {
            Some(true) => self.scope.truncate(scope),
            _ => self.open.push((index, qualified, scope)),
        }
        if self.tree.limited {
            return Some(false);
        }
        closed.map(|_| true)
    }

    fn name(&mut self) -> &'a str {
        let len = self.rest.find(is_name_end).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(len);
        self.rest = rest;
        name
    }

    /// Takes one attribute; false where the text ends inside of it.
    fn attribute(&mut self) -> bool {
        let name = self.name();
        if name.is_empty() {
            // A stray sign.
            let len = self.rest.chars().next().map_or(0, char::len_utf8);
            self.skip(len);
            return true;
        }
        let Some(value) = self.rest.trim_start().strip_prefix('=').map(str::trim_start) else { return true };
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let value = match quote {
            Some(quote) => {
                let value = value.get(1..).unwrap_or_default();
                let Some(end) = value.find(quote) else { return false };
                self.rest = value.get(end + 1..).unwrap_or_default();
                value.get(..end).unwrap_or_default()
            }
            None => {
                let end = value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len());
                self.rest = value.get(end..).unwrap_or_default();
                value.get(..end).unwrap_or_default()
            }
        };
        match name.strip_prefix("xmlns") {
            Some(prefix) if prefix.is_empty() || prefix.starts_with(':') => {
                if self.scope.len() < MAX_SCOPE {
                    self.scope.push((prefix.trim_start_matches(':'), value));
                }
            }
            _ => self.tree.attributes.push(Attribute { ns: "", name, value }),
        }
        true
    }

    fn namespace(&self, prefix: &str) -> &'a str {
        let declared = self.scope.iter().rev().find(|(p, _)| *p == prefix).map(|(_, uri)| *uri);
        declared.or_else(|| USUAL.iter().find(|(p, _)| *p == prefix).map(|(_, uri)| *uri)).unwrap_or_default()
    }
}

impl<'a> Tree<'a> {
    /// All elements, in their order.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Element<'_, 'a>> {
        (0..self.nodes.len()).map(|index| Element { tree: self, index })
    }

    /// The first element of that local name, in any namespace.
    pub(crate) fn find(&self, name: &str) -> Option<Element<'_, 'a>> {
        self.elements().find(|e| e.name() == name)
    }
}

impl<'t, 'a> Element<'t, 'a> {
    fn node(self) -> Option<&'t Node<'a>> {
        self.tree.nodes.get(self.index)
    }

    pub(crate) fn name(self) -> &'a str {
        self.node().map_or("", |n| n.name)
    }

    pub(crate) fn namespace(self) -> &'a str {
        self.node().map_or("", |n| n.ns)
    }

    pub(crate) fn is(self, ns: &str, name: &str) -> bool {
        self.node().is_some_and(|n| n.name == name && n.ns == ns)
    }

    /// Its own text, without that of its children. What was not closed has none: where it
    /// would have ended nobody knows.
    pub(crate) fn text(self) -> Option<&'t str> {
        self.node().filter(|n| n.closed && !n.text.is_empty()).map(|n| n.text.as_str())
    }

    pub(crate) fn parent(self) -> Option<Element<'t, 'a>> {
        let index = self.node()?.parent?;
        Some(Element { tree: self.tree, index })
    }

    /// Elements below it.
    pub(crate) fn descendants(self) -> impl Iterator<Item = Element<'t, 'a>> {
        let end = self.node().map_or(0, |n| n.end);
        let tree = self.tree;
        (self.index + 1..end).map(move |index| Element { tree, index })
    }

    pub(crate) fn children(self) -> impl Iterator<Item = Element<'t, 'a>> {
        let end = self.node().map_or(0, |n| n.end);
        let tree = self.tree;
        let mut at = self.index + 1;
        std::iter::from_fn(move || {
            let child = Element { tree, index: at };
            let node = child.node().filter(|_| at < end)?;
            at = node.end.max(at + 1);
            Some(child)
        })
    }

    /// Attributes as namespace, name and value as written.
    pub(crate) fn attributes(self) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        let range = self.node().map_or(0..0, |n| n.attributes.clone());
        self.tree.attributes.get(range).unwrap_or_default().iter().map(|a| (a.ns, a.name, a.value))
    }

    /// The first attribute of that local name.
    pub(crate) fn attribute(self, name: &str) -> Option<String> {
        self.attributes().find(|(_, n, _)| *n == name).map(|(_, _, value)| text::unescape_xml(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(xml: &str) -> Vec<(String, String)> {
        let tree = parse(xml);
        tree.elements().filter_map(|e| Some((e.name().to_owned(), e.text()?.trim().to_owned()))).collect()
    }

    #[test]
    fn damage_costs_itself_only() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("<a><b>x</b><c>y &amp; z</c></a>", &[("b", "x"), ("c", "y & z")]),
            ("<a><b>x & y</b></a>", &[("b", "x & y")]),
            ("<a><b>1 < 2</b></a>", &[("b", "1 < 2")]),
            ("<a><!-- <b>no</b> --><b><![CDATA[<x>]]></b></a>", &[("b", "<x>")]),
            ("<!DOCTYPE a [<!ENTITY e 'f'>]><a><b>x</b></a>", &[("b", "x")]),
            ("<a><b>x</b><c>cut", &[("b", "x")]),
            ("<a><b>x</b></q></a><d>y</d>", &[("b", "x"), ("d", "y")]),
            ("<a><b>x<c>y</c></a>", &[("b", "x"), ("c", "y")]),
            ("", &[]),
        ];
        for (xml, want) in table {
            let want: Vec<(String, String)> =
                want.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
            assert_eq!(texts(xml), want, "{xml}");
        }
    }

    #[test]
    fn names_attributes_and_order() {
        let xml = "<r xmlns='d' xmlns:p='u'><p:a p:x='1' x='2' x=\"3\"/><b q=v><c/></b><d dc:t='>'/></r>";
        let tree = parse(xml);
        let root = tree.elements().next().unwrap();
        let names: Vec<&str> = root.children().map(Element::name).collect();
        assert_eq!((root.namespace(), names), ("d", vec!["a", "b", "d"]));
        let a = tree.find("a").unwrap();
        assert_eq!(a.attributes().collect::<Vec<_>>(), [("u", "x", "1"), ("", "x", "2"), ("", "x", "3")]);
        assert_eq!(tree.find("b").unwrap().attribute("q").as_deref(), Some("v"));
        let usual = tree.find("d").unwrap().attributes().next();
        assert_eq!(usual, Some(("http://purl.org/dc/elements/1.1/", "t", ">")));
        assert_eq!(tree.find("c").unwrap().parent().map(Element::name), Some("b"));
        assert!(!tree.cut && !tree.limited);
    }

    #[test]
    fn many_attributes_and_levels_are_ended_by_a_limit() {
        let attributes: String = (0..60_000).map(|i| format!(" a{i}='1'")).collect();
        assert!(parse(&format!("<a{attributes}/>")).limited);
        let spaces: String = (0..60_000).map(|i| format!(" xmlns:a{i}='1' a{i}:b='2'")).collect();
        assert!(parse(&format!("<a{spaces}/>")).limited);
        assert!(parse(&"<a>".repeat(60_000)).limited);
        assert!(parse(&format!("{}{}", "<a>".repeat(1000), "</b>".repeat(100_000))).cut);
        let rdf = format!("<rdf:RDF><rdf:Description/></rdf:RDF>{}", "<".repeat(100_000));
        assert_eq!(parse_rdf(&rdf).elements().count(), 2);
    }
}
