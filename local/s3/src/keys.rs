//! The one to one mapping of object keys to paths.
//!
//! A key is split at `/` into path components and nothing else happens to it:
//! what a file system cannot hold is refused and never mangled, because a
//! mangled name is a key that its own listing does not show.

use s3s::S3ErrorCode;

use crate::error::Fault;

/// S3's limit for a key, in bytes.
pub(crate) const MAX_KEY: usize = 1024;
/// What Linux and macOS file systems hold in one name, in bytes.
pub(crate) const MAX_COMPONENT: usize = 255;
/// Start of the names of unfinished files that had to be put into a user's folder.
const TEMPORARY: &str = ".mediadex-upload-";

/// A key that a file system can hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    text: &'a str,
    /// Where the last component starts.
    name_at: usize,
}

/// Why a key cannot be a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Empty,
    TooLong,
    EmptyComponent,
    DotComponent,
    TrailingSlash,
    LongComponent,
    Nul,
    Reserved,
}

impl Refusal {
    fn reason(self) -> &'static str {
        match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 1,024 bytes",
            Self::EmptyComponent => "it has an empty path component (a leading or a double slash)",
            Self::DotComponent => "it has a path component \".\" or \"..\"",
            Self::TrailingSlash => "it ends in a slash, so it is a folder, which has no content",
            Self::LongComponent => "it has a path component of more than 255 bytes",
            Self::Nul => "it has a NUL byte, which no file name can hold",
            Self::Reserved => "it has a path component reserved for unfinished uploads",
        }
    }

    /// The answer to a request that wants to write this key.
    pub(crate) fn fault(self, key: &str) -> Fault {
        let code = match self {
            Self::TooLong | Self::LongComponent => S3ErrorCode::KeyTooLongError,
            _ => S3ErrorCode::InvalidArgument,
        };
        Fault::client(code, format!("the key {key:?} cannot be stored in a folder: {}", self.reason()))
    }
}

impl<'a> Key<'a> {
    /// Checks a key from a request.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(Refusal::Empty);
        }
        if text.len() > MAX_KEY {
            return Err(Refusal::TooLong);
        }
        if text.contains('\0') {
            return Err(Refusal::Nul);
        }
        if text.ends_with('/') && !text.starts_with('/') && !text.contains("//") {
            return Err(Refusal::TrailingSlash);
        }
        for component in text.split('/') {
            check_component(component)?;
        }
        let name_at = text.rfind('/').map_or(0, |at| at + 1);
        Ok(Self { text, name_at })
    }

    /// Checks a key that ends in a slash: that of a folder, in which it names nothing.
    pub(crate) fn parse_folder(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > MAX_KEY {
            return Err(Refusal::TooLong);
        }
        Self::parse(text.strip_suffix('/').unwrap_or_default())?;
        Ok(Self { text, name_at: text.len() })
    }

    /// The whole key.
    pub(crate) fn text(self) -> &'a str {
        self.text
    }

    /// The last component: the name of the file.
    pub(crate) fn name(self) -> &'a str {
        self.text.get(self.name_at..).unwrap_or_default()
    }

    /// The key of the folder: empty, or with its final slash.
    pub(crate) fn folder(self) -> &'a str {
        self.text.get(..self.name_at).unwrap_or_default()
    }
}

fn check_component(component: &str) -> Result<(), Refusal> {
    match component {
        "" => Err(Refusal::EmptyComponent),
        "." | ".." => Err(Refusal::DotComponent),
        _ if component.len() > MAX_COMPONENT => Err(Refusal::LongComponent),
        _ if is_temporary(component) => Err(Refusal::Reserved),
        _ => Ok(()),
    }
}

/// The components of a folder's key (`""`, `"a/"`, `"a/b/"`), or nothing if no
/// folder can have that key.
pub(crate) fn folder_components(folder: &str) -> Option<Vec<&str>> {
    if folder.is_empty() {
        return Some(Vec::new());
    }
    if folder.contains('\0') {
        return None;
    }
    let inner = folder.strip_suffix('/')?;
    let parts: Vec<&str> = inner.split('/').collect();
    parts.iter().all(|part| check_component(part).is_ok()).then_some(parts)
}

/// A fresh name for an unfinished file inside a user's folder.
pub(crate) fn temporary_name() -> String {
    format!("{TEMPORARY}{}", uuid::Uuid::new_v4().simple())
}

/// Tells whether a file name is that of an unfinished file of ours: listing,
/// counting and watching never show it.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.strip_prefix(TEMPORARY).is_some_and(|rest| {
        rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Tells whether XML 1.0 can carry the text; S3 clients fail on a whole page
/// with such a key unless they ask for `encoding-type=url`.
pub(crate) fn fits_xml(text: &str) -> bool {
    text.chars().all(|c| !matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_map_one_to_one_or_are_refused() {
        let long = "x".repeat(255);
        let too_long = "x".repeat(256);
        let thousand = ["y".repeat(255), "y".repeat(255), "y".repeat(255), "y".repeat(256 - 1 - 2)].join("/");
        type Case<'a> = (&'a str, Result<(&'a str, &'a str), Refusal>);
        let cases: &[Case<'_>] = &[
            ("a", Ok(("", "a"))),
            ("a/b", Ok(("a/", "b"))),
            ("a b/c+d/e%2F#/图片/😀.jpg", Ok(("a b/c+d/e%2F#/图片/", "😀.jpg"))),
            ("...", Ok(("", "..."))),
            ("a/..b", Ok(("a/", "..b"))),
            (&long, Ok(("", &long))),
            (&too_long, Err(Refusal::LongComponent)),
            ("", Err(Refusal::Empty)),
            ("/", Err(Refusal::EmptyComponent)),
            ("/a", Err(Refusal::EmptyComponent)),
            ("a//b", Err(Refusal::EmptyComponent)),
            ("a/", Err(Refusal::TrailingSlash)),
            ("a//", Err(Refusal::EmptyComponent)),
            (".", Err(Refusal::DotComponent)),
            ("a/../b", Err(Refusal::DotComponent)),
            ("a/./b", Err(Refusal::DotComponent)),
            ("a\0b", Err(Refusal::Nul)),
            (".mediadex-upload-0123456789abcdef0123456789abcdef", Err(Refusal::Reserved)),
            (".mediadex-upload-mine", Ok(("", ".mediadex-upload-mine"))),
        ];
        for (key, want) in cases {
            let got = Key::parse(key).map(|k| (k.folder(), k.name()));
            assert_eq!(got, *want, "{key:?}");
        }
        assert!(thousand.len() <= MAX_KEY && Key::parse(&thousand).is_ok());
        assert_eq!(Key::parse(&format!("{thousand}/{long}")).map(|_| ()), Err(Refusal::TooLong));
    }

    #[test]
    fn keys_of_folders_end_in_one_slash() {
        let long = format!("{}/", "x".repeat(256));
        for (key, want) in [
            ("a/", Ok("a/")),
            ("a/b c/", Ok("a/b c/")),
            ("", Err(Refusal::Empty)),
            ("a", Err(Refusal::Empty)),
            ("/", Err(Refusal::Empty)),
            ("a//", Err(Refusal::TrailingSlash)),
            ("../", Err(Refusal::DotComponent)),
            (&long, Err(Refusal::LongComponent)),
        ] {
            let got = Key::parse_folder(key);
            assert_eq!(got.map(Key::folder), want, "{key:?}");
            assert!(got.is_err() || got.is_ok_and(|key| key.name().is_empty()));
        }
    }

    #[test]
    fn folders_have_components_only_if_they_can_exist() {
        let cases: &[(&str, Option<Vec<&str>>)] = &[
            ("", Some(vec![])),
            ("a/", Some(vec!["a"])),
            ("a/b/", Some(vec!["a", "b"])),
            ("/", None),
            ("a//", None),
            ("../", None),
            ("a", None),
        ];
        for (folder, want) in cases {
            assert_eq!(&folder_components(folder), want, "{folder:?}");
        }
    }
}
