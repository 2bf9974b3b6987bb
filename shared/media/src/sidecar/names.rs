//! Which objects of a folder are sidecars, and whose.
//!
//! One function decides, [`belongs`]. What has to be listed in order to find the
//! sidecars of an object, or the objects of a sidecar, follows from the same rules, so
//! that both directions agree (a property test holds them to it).

use std::borrow::Cow;

/// What export programs put behind the name of a picture, whole or cut.
const SUPPLEMENT: &str = ".supplemental-metadata";
/// Characters of a sidecar's name, without `.json`, at which Google Takeout cuts it.
const CUT: usize = 46;
/// The same in bytes, as far as a cut may go where the name is not all ASCII.
const CUT_BYTES: usize = 44;
/// What Google Photos puts behind the stem of a picture that was edited there.
const EDITED: &[&str] =
    &["-edited", "-bearbeitet", "-modifié", "-editado", "-modificato", "-bewerkt", "-edytowane", "-編集済み"];

/// How a sidecar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// JSON of Google Takeout.
    Takeout,
    /// An XMP packet.
    Xmp,
}

/// How a sidecar belongs to an object. What is less is read first, and gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bond {
    /// How it is written.
    pub kind: Kind,
    /// Nearness of the names: 9 where the sidecar names the very object.
    near: u8,
    /// The sidecar's name ends within the object's: only what it says can tell whether
    /// it is of this object.
    pub is_cut: bool,
}

/// A part of a folder's names, in the order of listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// What all of them begin with.
    pub prefix: String,
    /// The first name behind them that may still begin so.
    pub until: Option<String>,
}

impl Window {
    /// Whether a name is in it.
    pub fn contains(&self, name: &str) -> bool {
        name.starts_with(&self.prefix) && !self.is_past(name)
    }

    /// Whether a name, and so all that follow it, is behind it.
    pub fn is_past(&self, name: &str) -> bool {
        self.until.as_deref().is_some_and(|until| name >= until)
    }

    /// Names that begin with the prefix as a whole, or with it and `(`, `-` or `.`:
    /// these come before `/`.
    fn upto_slash(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), until: Some(format!("{prefix}/")) }
    }
}

/// Stem, and extension with its point. A name that begins with its only point has none.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, ""),
    }
}

/// A text without the counter at its end, and the counter: `a(1)`.
fn counter(text: &str) -> Option<(&str, &str)> {
    let (before, digits) = text.strip_suffix(')')?.rsplit_once('(')?;
    let is_count = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    (is_count && !before.is_empty()).then_some((before, digits))
}

/// The longest beginning of at most so many bytes.
fn at_most(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Whether Takeout would have cut a name here.
fn is_cut(text: &str) -> bool {
    text.chars().count() == CUT
        || text.encode_utf16().count() == CUT
        || (!text.is_ascii() && (CUT_BYTES..=CUT).contains(&text.len()))
}

/// How a name is that of a sidecar, and what is left of it without its extension.
fn parts(name: &str) -> Option<(Kind, &str)> {
    let (body, extension) = split(name);
    if extension.eq_ignore_ascii_case(".xmp") {
        return Some((Kind::Xmp, body));
    }
    let plain = counter(body).map_or(body, |(plain, _)| plain);
    let names_a_file = !split(plain).1.is_empty() || is_cut(plain);
    (extension.eq_ignore_ascii_case(".json") && names_a_file).then_some((Kind::Takeout, body))
}

/// Whether a file of this name may be a sidecar. Such a file has none itself.
pub fn is_sidecar(name: &str) -> bool {
    parts(name).is_some()
}

/// A name that Takeout may have made an object's name of.
struct Form<'a> {
    stem: &'a str,
    counter: Option<&'a str>,
    near: u8,
}

/// The nearest first: the name itself, without its counter, without what edited
/// pictures have.
fn forms(stem: &str) -> Vec<Form<'_>> {
    let without = |stem, near| counter(stem).map(|(stem, digits)| Form { stem, counter: Some(digits), near });
    let mut all = vec![Form { stem, counter: None, near: 9 }];
    all.extend(without(stem, 8));
    let edited: Vec<Form<'_>> = all
        .iter()
        .filter_map(|form| {
            let end = EDITED.iter().find(|end| form.stem.len() > end.len() && form.stem.ends_with(**end))?;
            Some(Form { stem: form.stem.strip_suffix(end)?, counter: form.counter, near: form.near - 4 })
        })
        .collect();
    let counted = edited.iter().filter(|form| form.counter.is_none()).find_map(|form| without(form.stem, 3));
    all.extend(edited);
    all.extend(counted);
    all
}

/// Whether and how a sidecar belongs to an object of the same folder.
pub fn belongs(sidecar: &str, main: &str) -> Option<Bond> {
    if is_sidecar(main) {
        return None;
    }
    let (kind, body) = parts(sidecar)?;
    let (stem, extension) = split(main);
    if kind == Kind::Xmp {
        let near = match body {
            _ if body == main => 9,
            _ if body == stem => 8,
            _ => return None,
        };
        return Some(Bond { kind, near, is_cut: false });
    }
    let told = [Some((body, None)), counter(body).map(|(body, digits)| (body, Some(digits)))];
    forms(stem).into_iter().find_map(|form| {
        let name: Cow<'_, str> =
            if form.stem == stem { main.into() } else { format!("{}{extension}", form.stem).into() };
        told.iter().flatten().filter(|(_, count)| *count == form.counter).find_map(|(body, _)| {
            let is_whole = body.strip_prefix(&*name).is_some_and(|rest| SUPPLEMENT.starts_with(rest));
            let is_cut = !is_whole && name.starts_with(body) && is_cut(body);
            (is_whole || is_cut).then_some(Bond { kind, near: form.near, is_cut })
        })
    })
}

/// Where the sidecars of an object are among the names of its folder.
pub fn sidecars_of(main: &str) -> Window {
    let (stem, _) = split(main);
    let forms = forms(stem);
    let shortest = forms.iter().map(|form| form.stem).min_by_key(|stem| stem.len()).unwrap_or(stem);
    if shortest.len() >= CUT_BYTES {
        return Window { prefix: at_most(shortest, CUT_BYTES).to_owned(), until: None };
    }
    if forms.len() > 1 {
        return Window::upto_slash(shortest);
    }
    Window { prefix: format!("{shortest}."), until: None }
}

/// Where the objects of a sidecar are among the names of its folder; `None` where the
/// name is no sidecar's.
pub fn mains_of(sidecar: &str) -> Option<Window> {
    let (kind, body) = parts(sidecar)?;
    if kind == Kind::Xmp {
        return Some(Window::upto_slash(body));
    }
    let plain = counter(body).map_or(body, |(plain, _)| plain);
    // The shortest name that it may be of.
    let name = (1..=SUPPLEMENT.len())
        .rev()
        .filter_map(|length| plain.strip_suffix(SUPPLEMENT.get(..length)?))
        .find(|name| !name.is_empty())
        .unwrap_or(plain);
    let (stem, _) = split(name);
    if plain.len() >= CUT_BYTES {
        return Some(Window { prefix: stem.to_owned(), until: None });
    }
    Some(Window::upto_slash(stem))
}

/// Whether the name that Takeout's JSON tells may have become the object's: cut, and with
/// `_` where file systems refuse a character.
pub(crate) fn is_title_of(title: &str, main: &str) -> bool {
    let (stem, _) = split(main);
    forms(stem).into_iter().any(|form| {
        let mut told = title.chars();
        form.stem.chars().all(|c| told.next().is_some_and(|t| t == c || c == '_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 46 characters, and a name that goes on behind them.
    const LONG: &str = "a_name_that_is_longer_than_forty_six_character";

    #[test]
    fn sidecars_and_their_objects() {
        let long = format!("{LONG}s_are.jpg");
        let cut = format!("{LONG}.json");
        let second = format!("{LONG}(1).json");
        let counted = format!("{LONG}s_are(1).jpg");
        let chinese = format!("{}.jpg", "文".repeat(20));
        let chinese_cut = format!("{}.json", "文".repeat(15));
        let yes = [
            ("a.jpg.xmp", "a.jpg"),
            ("a.xmp", "a.jpg"),
            ("a.XMP", "a.CR2"),
            ("a.b.xmp", "a.b.jpg"),
            ("README.xmp", "README"),
            ("a(1).xmp", "a(1).jpg"),
            ("a.jpg.json", "a.jpg"),
            ("a.jpg.supplemental-metadata.json", "a.jpg"),
            ("a.jpg.supplemental-metad.json", "a.jpg"),
            ("a.jpg.supplem.json", "a.jpg"),
            ("a.jpg.s.json", "a.jpg"),
            ("a.jpg..json", "a.jpg"),
            ("a.jpg(1).json", "a(1).jpg"),
            ("a.jpg.supplemental-metadata(1).json", "a(1).jpg"),
            ("a(1).jpg.json", "a(1).jpg"),
            ("a.jpg.json", "a-edited.jpg"),
            ("a.jpg(2).json", "a-edited(2).jpg"),
            ("a.jpg(2).json", "a(2)-edited.jpg"),
            ("a.jpg.supplemental-metadata.json", "a-bearbeitet.jpg"),
            ("README.supplemental-metadata.json", "README"),
            (cut.as_str(), long.as_str()),
            (second.as_str(), counted.as_str()),
            (chinese_cut.as_str(), chinese.as_str()),
        ];
        for (sidecar, main) in yes {
            assert!(belongs(sidecar, main).is_some(), "{sidecar} is of {main}");
            assert!(sidecars_of(main).contains(sidecar), "{sidecar} is found for {main}");
            assert!(mains_of(sidecar).unwrap().contains(main), "{main} is found for {sidecar}");
        }
        let no = [
            ("a.xmp", "ab.jpg"),
            ("a.xmp", "a.b.jpg"),
            ("a.jpg.xmp", "a.png"),
            ("a.xmp", "a.jpg.xmp"),
            ("a.xmp", "a.jpg.json"),
            ("a.jpg.xmp", "a.jpg.json"),
            (".xmp", ".jpg"),
            ("a.jpg.json", "a(1).jpg"),
            ("a.jpg(1).json", "a.jpg"),
            ("a.jpg(1).json", "a(2).jpg"),
            ("a.jpg.supplement.json", "a.jpeg"),
            ("a.jpg.metadata.json", "a.jpg"),
            ("package.json", "package"),
            ("a.json", "a.jpg"),
            ("a_name.json", "a_name_that_goes_on.jpg"),
            (second.as_str(), long.as_str()),
        ];
        for (sidecar, main) in no {
            assert_eq!(belongs(sidecar, main), None, "{sidecar} is not of {main}");
        }
    }

    #[test]
    fn the_nearest_sidecar_is_the_last_to_speak() {
        let order = [
            ("a.jpg.json", "a-edited.jpg"),
            ("a.jpg(1).json", "a(1).jpg"),
            ("a(1).jpg.json", "a(1).jpg"),
            ("a.xmp", "a.jpg"),
            ("a.jpg.xmp", "a.jpg"),
        ];
        let bonds: Vec<Bond> = order.iter().filter_map(|(sidecar, main)| belongs(sidecar, main)).collect();
        assert_eq!(bonds.len(), order.len());
        assert!(bonds.is_sorted() && bonds.windows(2).all(|two| two[0] < two[1]), "{bonds:?}");
    }

    #[test]
    fn what_has_to_be_listed_is_little() {
        let window = sidecars_of("IMG_1.jpg");
        assert!(!window.contains("IMG_10.jpg") && !window.contains("IMG_1/x.json"));
        let window = mains_of("IMG_1.jpg.json").unwrap();
        assert!(window.contains("IMG_1-edited.jpg") && window.is_past("IMG_10.jpg"));
        assert_eq!(mains_of("a.jpg"), None);
    }

    #[test]
    fn titles_tell_names_that_were_cut() {
        let table = [
            ("a long name.jpg", "a long n.jpg", true),
            ("a:long name.jpg", "a_long name.jpg", true),
            ("a long name.jpg", "a long n(1).jpg", true),
            ("a long name.jpg", "a long name-edited.jpg", true),
            ("a lone name.jpg", "a long n.jpg", false),
            ("a", "a long n.jpg", false),
        ];
        for (title, main, want) in table {
            assert_eq!(is_title_of(title, main), want, "{title} {main}");
        }
    }
}
