//! Which reader a content type is for.

/// The readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Html,
    Rtf,
    Pdf,
    /// Office Open XML, OpenDocument and EPUB: what a package is says its content.
    Package,
    /// Office before 2007.
    Ole,
}

/// Extensions, with their content types.
const EXTENSIONS: &[(&str, &str)] = &[
    ("asc", "text/plain"),
    ("c", "text/x-c"),
    ("cc", "text/x-c"),
    ("cfg", "text/plain"),
    ("conf", "text/plain"),
    ("cpp", "text/x-c"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docm", "application/vnd.ms-word.document.macroenabled.12"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("dot", "application/msword"),
    ("dotm", "application/vnd.ms-word.template.macroenabled.12"),
    ("dotx", "application/vnd.openxmlformats-officedocument.wordprocessingml.template"),
    ("epub", "application/epub+zip"),
    ("fodp", "application/vnd.oasis.opendocument.presentation-flat-xml"),
    ("fods", "application/vnd.oasis.opendocument.spreadsheet-flat-xml"),
    ("fodt", "application/vnd.oasis.opendocument.text-flat-xml"),
    ("go", "text/x-go"),
    ("h", "text/x-c"),
    ("hpp", "text/x-c"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("ini", "text/plain"),
    ("java", "text/x-java"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("jsonl", "application/x-ndjson"),
    ("log", "text/plain"),
    ("markdown", "text/markdown"),
    ("md", "text/markdown"),
    ("mjs", "text/javascript"),
    ("odg", "application/vnd.oasis.opendocument.graphics"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("otg", "application/vnd.oasis.opendocument.graphics-template"),
    ("otp", "application/vnd.oasis.opendocument.presentation-template"),
    ("ots", "application/vnd.oasis.opendocument.spreadsheet-template"),
    ("ott", "application/vnd.oasis.opendocument.text-template"),
    ("pdf", "application/pdf"),
    ("php", "text/x-php"),
    ("pl", "text/x-perl"),
    ("potm", "application/vnd.ms-powerpoint.template.macroenabled.12"),
    ("potx", "application/vnd.openxmlformats-officedocument.presentationml.template"),
    ("pps", "application/vnd.ms-powerpoint"),
    ("ppsm", "application/vnd.ms-powerpoint.slideshow.macroenabled.12"),
    ("ppsx", "application/vnd.openxmlformats-officedocument.presentationml.slideshow"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptm", "application/vnd.ms-powerpoint.presentation.macroenabled.12"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("py", "text/x-python"),
    ("rb", "text/x-ruby"),
    ("rs", "text/x-rust"),
    ("rst", "text/x-rst"),
    ("rtf", "application/rtf"),
    ("sh", "application/x-sh"),
    ("sql", "application/sql"),
    ("srt", "application/x-subrip"),
    ("tex", "text/x-tex"),
    ("text", "text/plain"),
    ("toml", "application/toml"),
    ("ts", "text/x-typescript"),
    ("tsv", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("vtt", "text/vtt"),
    ("xht", "application/xhtml+xml"),
    ("xhtml", "application/xhtml+xml"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsb", "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
    ("xlsm", "application/vnd.ms-excel.sheet.macroenabled.12"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xlt", "application/vnd.ms-excel"),
    ("xltm", "application/vnd.ms-excel.template.macroenabled.12"),
    ("xltx", "application/vnd.openxmlformats-officedocument.spreadsheetml.template"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
];

/// Types of `application` that are text all the same.
const TEXTS: &[&str] = &[
    "application/ecmascript",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/mbox",
    "application/sql",
    "application/toml",
    "application/typescript",
    "application/x-csh",
    "application/x-httpd-php",
    "application/x-javascript",
    "application/x-latex",
    "application/x-ndjson",
    "application/x-perl",
    "application/x-php",
    "application/x-python",
    "application/x-ruby",
    "application/x-sh",
    "application/x-sql",
    "application/x-subrip",
    "application/x-tex",
    "application/x-toml",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
];

pub(crate) fn of_extension(extension: &str) -> Option<&'static str> {
    let wanted = extension.trim_start_matches('.').to_ascii_lowercase();
    EXTENSIONS.iter().find(|(known, _)| *known == wanted).map(|(_, content_type)| *content_type)
}

/// The reader for a content type, whatever parameters it has.
pub(crate) fn of(content_type: &str) -> Option<Kind> {
    let name = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(match name.as_str() {
        "text/html" | "application/xhtml+xml" => Kind::Html,
        "text/rtf" | "application/rtf" | "application/x-rtf" | "text/richtext" => Kind::Rtf,
        "application/pdf" | "application/x-pdf" => Kind::Pdf,
        "application/epub+zip" => Kind::Package,
        "application/msword" | "application/vnd.ms-excel" | "application/vnd.ms-powerpoint" => Kind::Ole,
        // Encrypted documents, as the type of what holds them.
        "application/x-ole-storage" | "application/x-tika-ooxml-protected" => Kind::Ole,
        _ if name.starts_with("application/vnd.openxmlformats-officedocument.")
            || name.starts_with("application/vnd.oasis.opendocument.")
            || name.starts_with("application/vnd.sun.xml.")
            || (name.starts_with("application/vnd.ms-") && name.contains("macroenabled")) =>
        {
            Kind::Package
        }
        _ if name.starts_with("text/") || TEXTS.contains(&name.as_str()) => Kind::Plain,
        _ if name.starts_with("application/") && (name.ends_with("+xml") || name.ends_with("+json")) => {
            Kind::Plain
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_has_a_reader() {
        for (extension, content_type) in EXTENSIONS {
            assert!(of(content_type).is_some(), "{extension}");
        }
        assert!(EXTENSIONS.is_sorted());
        assert!(TEXTS.is_sorted());
    }

    #[test]
    fn types() {
        for (content_type, want) in [
            ("text/plain; charset=utf-8", Some(Kind::Plain)),
            ("Text/HTML", Some(Kind::Html)),
            ("application/vnd.ms-excel.sheet.macroEnabled.12", Some(Kind::Package)),
            ("application/vnd.ms-excel", Some(Kind::Ole)),
            ("application/atom+xml", Some(Kind::Plain)),
            ("image/png", None),
            ("application/octet-stream", None),
            ("application/zip", None),
        ] {
            assert_eq!(of(content_type), want, "{content_type}");
        }
        assert_eq!(of_extension(".DOCX"), of_extension("docx"));
        assert_eq!(of_extension("exe"), None);
    }
}
