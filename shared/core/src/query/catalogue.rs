//! The field catalogue: which fields there are, of what type, and what may be
//! asked of them.

use crate::error::{Error, Result};

/// The type of a field: how values compare, and which operators it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// Text; case matters.
    Text,
    /// Text; case does not matter, in values and, for maps, in keys.
    FoldedText,
    /// A whole number.
    Int,
    /// A number with a fraction.
    Float,
    /// A point in time.
    Time,
    /// `"latitude,longitude"`.
    LatLong,
    /// Text that compares as a number where both sides are numbers (EXIF).
    Mixed,
}

impl FieldType {
    /// What it is, for messages and documentation.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::FoldedText => "text in any case",
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Time => "a time",
            Self::LatLong => "a place",
            Self::Mixed => "text or a number",
        }
    }

    /// The operators that conditions on such a field may have.
    pub fn operators(self) -> &'static [&'static str] {
        match self {
            Self::Text | Self::FoldedText | Self::Mixed => {
                &["eq", "gt", "gte", "lt", "lte", "prefix", "match-phrase", "exist"]
            }
            Self::Int | Self::Float | Self::Time => &["eq", "gt", "gte", "lt", "lte", "exist"],
            Self::LatLong => &["eq", "prefix", "exist", "geo-distance", "geo-bounding-box", "geo-polygon"],
        }
    }
}

/// A row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The path, with dots into nested types; `Map.*` stands for any key of a map.
    pub path: &'static str,
    /// The type.
    pub kind: FieldType,
    /// Whether results can be sorted by it (one value per file).
    pub sortable: bool,
}

const fn one(path: &'static str, kind: FieldType) -> Entry {
    Entry { path, kind, sortable: true }
}

const fn many(path: &'static str, kind: FieldType) -> Entry {
    Entry { path, kind, sortable: false }
}

use FieldType::{Float, FoldedText, Int, LatLong, Mixed, Text, Time};

/// All fields. Those that nothing fills yet are here too: a query for them is
/// right, and finds nothing.
pub const CATALOGUE: &[Entry] = &[
    one("URI", Text),
    one("Filename", Text),
    one("Size", Int),
    one("ContentType", Text),
    one("MediaType", Text),
    one("ETag", Text),
    one("ContentMd5", Text),
    one("FileHash", Text),
    one("ObjectId", Text),
    one("ObjectType", Text),
    one("ObjectStatus", Text),
    one("ObjectACL", Text),
    one("Reason", Text),
    one("OwnerId", Text),
    one("ProjectName", Text),
    one("DatasetName", Text),
    one("CustomId", Text),
    many("CustomLabels.*", FoldedText),
    one("CreateTime", Time),
    one("UpdateTime", Time),
    one("FileModifiedTime", Time),
    one("FileCreateTime", Time),
    one("FileAccessTime", Time),
    one("OSSURI", Text),
    one("OSSStorageClass", FoldedText),
    one("OSSObjectType", Text),
    one("OSSVersionId", Text),
    one("OSSCRC64", Text),
    one("OSSDeleteMarker", Text),
    one("OSSExpiration", Text),
    one("OSSTaggingCount", Int),
    many("OSSTagging.*", Text),
    many("OSSUserMeta.*", Text),
    one("CacheControl", Text),
    one("ContentDisposition", Text),
    one("ContentEncoding", Text),
    one("ContentLanguage", Text),
    one("ServerSideEncryption", Text),
    one("ServerSideEncryptionCustomerAlgorithm", Text),
    one("ServerSideEncryptionKeyId", Text),
    one("ServerSideDataEncryption", Text),
    one("AccessControlAllowOrigin", Text),
    one("AccessControlRequestMethod", Text),
    one("ImageWidth", Int),
    one("ImageHeight", Int),
    one("Orientation", Int),
    many("EXIF.*", Mixed),
    one("ProduceTime", Time),
    one("Timezone", Text),
    one("TimezoneSource", Text),
    one("LatLong", LatLong),
    one("LivePhotoId", Text),
    one("ImageScore.OverallQualityScore", Float),
    one("FigureCount", Int),
    one("OCRTexts", Text),
    many("Addresses.AddressLine", Text),
    many("Addresses.Country", Text),
    many("Addresses.Province", Text),
    many("Addresses.City", Text),
    many("Addresses.District", Text),
    many("Addresses.Township", Text),
    many("Addresses.Language", Text),
    many("Labels.LabelName", Text),
    many("Labels.ParentLabelName", Text),
    many("Labels.LabelAlias", Text),
    many("Labels.LabelLevel", Int),
    many("Labels.LabelConfidence", Float),
    many("Labels.CentricScore", Float),
    many("Labels.Language", Text),
    many("Figures.FigureId", Text),
    many("Figures.FigureType", Text),
    many("Figures.FigureClusterId", Text),
    many("Figures.FigureConfidence", Float),
    many("Figures.Age", Int),
    many("Figures.Gender", Text),
    many("Figures.Emotion", Text),
    many("Figures.Glasses", Text),
    many("Figures.Hat", Text),
    many("Figures.Mask", Text),
    many("Figures.Mouth", Text),
    many("Figures.Beard", Text),
    many("Figures.FaceQuality", Float),
    one("FormatName", Text),
    one("FormatLongName", Text),
    one("Duration", Float),
    one("Bitrate", Int),
    one("StartTime", Float),
    one("StreamCount", Int),
    one("ProgramCount", Int),
    one("VideoWidth", Int),
    one("VideoHeight", Int),
    many("VideoStreams.Index", Int),
    many("VideoStreams.CodecName", Text),
    many("VideoStreams.CodecLongName", Text),
    many("VideoStreams.CodecTagString", Text),
    many("VideoStreams.Profile", Text),
    many("VideoStreams.Level", Int),
    many("VideoStreams.Width", Int),
    many("VideoStreams.Height", Int),
    many("VideoStreams.PixelFormat", Text),
    many("VideoStreams.BitDepth", Int),
    many("VideoStreams.ColorSpace", Text),
    many("VideoStreams.ColorTransfer", Text),
    many("VideoStreams.ColorPrimaries", Text),
    many("VideoStreams.FrameRate", Mixed),
    many("VideoStreams.AverageFrameRate", Mixed),
    many("VideoStreams.FrameCount", Int),
    many("VideoStreams.Duration", Float),
    many("VideoStreams.Bitrate", Int),
    many("VideoStreams.Rotate", Mixed),
    many("VideoStreams.Language", Text),
    many("AudioStreams.Index", Int),
    many("AudioStreams.CodecName", Text),
    many("AudioStreams.CodecLongName", Text),
    many("AudioStreams.Channels", Int),
    many("AudioStreams.ChannelLayout", Text),
    many("AudioStreams.SampleRate", Int),
    many("AudioStreams.SampleFormat", Text),
    many("AudioStreams.Duration", Float),
    many("AudioStreams.Bitrate", Int),
    many("AudioStreams.Language", Text),
    many("Subtitles.Index", Int),
    many("Subtitles.CodecName", Text),
    many("Subtitles.Language", Text),
    many("AudioCovers.ImageWidth", Int),
    many("AudioCovers.ImageHeight", Int),
    one("Title", Text),
    one("Artist", Text),
    one("Album", Text),
    one("AlbumArtist", Text),
    one("Composer", Text),
    one("Performer", Text),
    one("Language", Text),
    many("Authors", Text),
    many("Keywords", Text),
    one("Description", Text),
    one("Copyright", Text),
    one("PageCount", Int),
    one("ArchiveEntryCount", Int),
    // Extensions, see docs/fields.md.
    one("ExtractionVersion", Int),
    one("Rating", Int),
    one("ColorLabel", FoldedText),
    many("Persons", FoldedText),
    many("Figures.FigureName", FoldedText),
    many("Figures.Boundary.Left", Int),
    many("Figures.Boundary.Top", Int),
    many("Figures.Boundary.Width", Int),
    many("Figures.Boundary.Height", Int),
    one("LensMake", FoldedText),
    one("LensModel", FoldedText),
    one("FocalLength", Float),
    one("FocalLengthIn35mm", Int),
    one("ExposureTime", Float),
    one("FNumber", Float),
    one("ISO", Int),
    one("MotionPhotoOffset", Int),
    one("Projection", FoldedText),
    one("GainMap", FoldedText),
    one("ColorProfile", FoldedText),
    one("FrameCount", Int),
    one("Headline", Text),
    one("City", FoldedText),
    one("Credit", Text),
    many("HierarchicalKeywords", Text),
    one("TrackNumber", Int),
    one("TrackTotal", Int),
    one("DiscNumber", Int),
    one("DiscTotal", Int),
    one("Genre", FoldedText),
    one("ReleaseDate", Text),
    one("BPM", Float),
    one("ReplayGainTrackGain", Float),
    one("ReplayGainTrackPeak", Float),
    one("ReplayGainAlbumGain", Float),
    one("ReplayGainAlbumPeak", Float),
    one("Lyrics", Text),
    one("Compilation", Text),
    many("Chapters.Title", Text),
    many("Chapters.StartTime", Float),
    many("HDRFormat", FoldedText),
    many("VideoStreams.DolbyVisionProfile", Text),
    one("Encrypted", Text),
    one("PageWidth", Float),
    one("PageHeight", Float),
    one("WordCount", Int),
    one("SheetCount", Int),
    one("SlideCount", Int),
];

impl Entry {
    /// The field of nested types (an array of objects) that it belongs to, as
    /// `nested` wants it.
    pub fn nested_root(&self) -> Option<&'static str> {
        if self.sortable || self.path.ends_with(".*") {
            None
        } else {
            self.path.split_once('.').map(|(root, _)| root)
        }
    }
}

/// The fields of the catalogue as a table of Markdown, for docs/queries.md.
pub fn describe_fields() -> String {
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    for entry in CATALOGUE {
        let traits = match (entry.sortable, entry.nested_root(), entry.path.ends_with(".*")) {
            (true, _, _) => "yes",
            (false, _, true) => "by key",
            (false, Some(_), _) => "no; one value per element, `nested` applies",
            (false, None, false) => "no; several values",
        };
        let key = format!("{} | {}", entry.kind.describe(), traits);
        match rows.iter_mut().find(|(other, _)| *other == key) {
            Some((_, paths)) => paths.push(entry.path),
            None => rows.push((key, vec![entry.path])),
        }
    }
    let mut text = String::from("| type | sortable | fields |\n|---|---|---|\n");
    for (key, paths) in rows {
        let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
        text.push_str(&format!("| {key} | {} |\n", paths.join(", ")));
    }
    text.push_str("\n| type | operators |\n|---|---|\n");
    for kind in [Text, FoldedText, Mixed, Int, Float, Time, LatLong] {
        text.push_str(&format!("| {} | {} |\n", kind.describe(), kind.operators().join(", ")));
    }
    text
}

/// A field of a query, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As the caller wrote it.
    pub name: String,
    /// The path into a document.
    pub path: Vec<String>,
    /// The type.
    pub kind: FieldType,
    /// Whether results can be sorted by it.
    pub sortable: bool,
    /// Whether the last part is a key of a map whose case does not matter.
    pub folded_key: bool,
    /// The field of nested types that it belongs to.
    pub nested_root: Option<&'static str>,
}

/// Finds a field.
///
/// # Errors
/// `InvalidArgument`, naming the field and the nearest one that there is.
pub fn resolve(name: &str) -> Result<Field> {
    if let Some(entry) = CATALOGUE.iter().find(|entry| entry.path == name) {
        return Ok(Field {
            name: name.into(),
            path: name.split('.').map(str::to_owned).collect(),
            kind: entry.kind,
            sortable: entry.sortable,
            folded_key: false,
            nested_root: entry.nested_root(),
        });
    }
    // The key of a map may itself have dots in it.
    if let Some((map, key)) = name.split_once('.')
        && !key.is_empty()
        && let Some(entry) = CATALOGUE.iter().find(|entry| entry.path.strip_suffix(".*") == Some(map))
    {
        return Ok(Field {
            name: name.into(),
            path: vec![map.to_owned(), key.to_owned()],
            kind: entry.kind,
            sortable: true,
            folded_key: matches!(map, "CustomLabels" | "OSSUserMeta" | "EXIF"),
            nested_root: None,
        });
    }
    Err(unknown(name))
}

fn unknown(name: &str) -> Error {
    let folded = name.to_lowercase();
    let alike = CATALOGUE.iter().map(|entry| entry.path).find(|path| {
        let path = path.to_lowercase();
        path == folded || path.ends_with(&format!(".{folded}"))
    });
    let hint = alike.map(|path| format!(" Did you mean {path}?")).unwrap_or_default();
    Error::invalid_argument(format!("There is no field {name:?} to query.{hint}"))
}

/// Checks a name of `WithFields`: a field, or the top of nested ones.
///
/// # Errors
/// `InvalidArgument`.
pub fn check_field_name(name: &str) -> Result<()> {
    let is_top = CATALOGUE.iter().any(|entry| entry.path.split('.').next() == Some(name));
    if is_top { Ok(()) } else { resolve(name).map(|_| ()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_resolve() {
        let table = [
            ("Size", Some(FieldType::Int)),
            ("CustomLabels.category", Some(FieldType::FoldedText)),
            ("CustomLabels.a.b", Some(FieldType::FoldedText)),
            ("EXIF.Make", Some(FieldType::Mixed)),
            ("VideoStreams.CodecName", Some(FieldType::Text)),
            ("CustomLabels.", None),
            ("size", None),
            ("Nonsense", None),
        ];
        for (name, kind) in table {
            assert_eq!(resolve(name).ok().map(|field| field.kind), kind, "{name}");
        }
        let hint = resolve("size").err().map(|error| error.message().to_owned()).unwrap_or_default();
        assert!(hint.contains("Did you mean Size?"), "{hint}");
        assert!(check_field_name("EXIF").is_ok() && check_field_name("Addresses").is_ok());
        assert!(check_field_name("Nonsense").is_err());
    }
}
