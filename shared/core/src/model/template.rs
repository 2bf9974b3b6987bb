//! Workflow templates: which operators run (semantics A.7).
//!
//! An id may add operators of this product to a template: `Official:MediaMeta+ReadSidecars`.

use mediadex_media::Features;

/// What an indexing run does with an object, from the template of the dataset
/// or, where that is empty, of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// What is read from the object's bytes; without any, only what storage
    /// knows is indexed and the object is never read.
    pub features: Features,
    /// Operators of the template that this product does not have. They are
    /// named in `Reason`, never passed over in silence.
    pub lacking: &'static [&'static str],
    /// Whether scans for differences read the tags of objects that have not
    /// changed: one request for each. Other templates learn of tags by events.
    pub tags_by_scan: bool,
    /// Whether the text of documents is kept, to be found by FuzzyQuery: the
    /// operator `ExtractDocumentText`.
    pub text: bool,
    /// Whether sidecars are read with their objects (`ReadSidecars`).
    pub sidecars: bool,
}

impl Template {
    /// The operators that the template asks for, that this build lacks, and that
    /// would have had something to do for a file of this kind. Where the template
    /// does not tell kinds apart (no `MIME`), all of them.
    pub fn lacking_for(&self, media_type: &str, has_place: bool) -> Vec<&'static str> {
        let applies = |operator: &str| match (self.features.mime, operator) {
            (false, _) => true,
            (true, _) => media_type == "image",
        };
        let mut lacking: Vec<&'static str> = self.lacking.iter().copied().filter(|op| applies(op)).collect();
        if self.features.geocode && !mediadex_media::GEOCODE && has_place {
            lacking.push("ReGEO");
        }
        lacking
    }
}

const ALL: Features = Features::all();
const NONE: Features = Features::none();

const fn template(features: Features, lacking: &'static [&'static str]) -> Template {
    Template { features, lacking, tags_by_scan: false, text: false, sidecars: false }
}

/// The official templates. An empty id and `DefaultId` run everything there
/// is: a caller who names no template wants an answer, not an empty index.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("", template(ALL, &[])),
    ("DefaultId", template(ALL, &[])),
    ("Official:DefaultEmptyId", template(NONE, &[])),
    // The template of what storage knows: its tags are kept right by scans too.
    ("Official:OSSBasicMeta", Template { tags_by_scan: true, ..template(NONE, &[]) }),
    ("Official:MediaMeta", template(Features { document: false, archive: false, ..ALL }, &[])),
    (
        "Official:ImageManagement",
        template(
            Features { media: false, document: false, archive: false, ..ALL },
            &["FaceDetection", "LabelClassification", "ImageScoring"],
        ),
    ),
    ("Official:FaceManagement", template(NONE, &["FaceDetection"])),
    (
        "Official:DocumentManagement",
        Template { text: true, ..template(Features { mime: true, document: true, ..NONE }, &[]) },
    ),
    (
        "Official:AllFunction",
        Template { text: true, ..template(ALL, &["FaceDetection", "LabelClassification", "ImageScoring"]) },
    ),
    (
        "Official:CognitionImageManagement",
        template(
            Features { media: false, document: false, archive: false, ..ALL },
            &["FaceDetection", "LabelClassification", "ImageScoring", "ExtractImageEmbeddings"],
        ),
    ),
    ("Official:CognitionDocumentManagement", template(Features { mime: true, document: true, ..NONE }, &[])),
];

/// The operators that an id may add to a template.
pub const OPERATORS: &[&str] = &["ExtractDocumentText", "ReadSidecars"];

/// A template by its id, or `None` when there is no such template, or no such operator
/// behind it.
pub fn template_of(id: &str) -> Option<Template> {
    let mut parts = id.split('+');
    let name = parts.next()?;
    let &(_, mut template) = TEMPLATES.iter().find(|(known, _)| *known == name)?;
    for operator in parts {
        match operator {
            "ExtractDocumentText" => template.text = true,
            "ReadSidecars" => template.sidecars = true,
            _ => return None,
        }
    }
    Some(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        assert!(template_of("").is_some_and(|t| t.features.reads_object()));
        assert!(template_of("Official:OSSBasicMeta").is_some_and(|t| !t.features.reads_object()));
        assert!(template_of("Official:ImageManagement").is_some_and(|t| t.lacking.len() == 3));
        assert!(template_of("Official:Nonsense").is_none());
        let with_text: Vec<&str> =
            TEMPLATES.iter().filter(|(_, template)| template.text).map(|(name, _)| *name).collect();
        assert_eq!(with_text, ["Official:DocumentManagement", "Official:AllFunction"]);
        for id in ["+ReadSidecars", "Official:MediaMeta+ReadSidecars", "DefaultId+ReadSidecars"] {
            assert!(template_of(id).is_some_and(|template| template.sidecars), "{id}");
        }
        for id in ["ReadSidecars", "+", "Official:MediaMeta+", "Official:MediaMeta+Nonsense", "+readsidecars"]
        {
            assert!(template_of(id).is_none(), "{id}");
        }
        let both = template_of("Official:MediaMeta+ReadSidecars+ExtractDocumentText");
        assert!(both.is_some_and(|template| template.sidecars && template.text));
        assert!(template_of("+ExtractDocumentText").is_some_and(|template| template.text));
        assert!(TEMPLATES.iter().all(|(_, template)| !template.sidecars));
    }

    #[test]
    fn what_is_lacking_is_named_where_it_would_have_run() {
        let table = [
            ("Official:ImageManagement", "image", 3),
            ("Official:ImageManagement", "video", 0),
            ("Official:DocumentManagement", "document", 0),
            ("Official:AllFunction", "document", 0),
            ("Official:AllFunction", "image", 3),
            ("Official:FaceManagement", "other", 1),
            ("", "image", 0),
        ];
        for (id, media_type, count) in table {
            let lacking = template_of(id).map(|template| template.lacking_for(media_type, false));
            assert_eq!(lacking.map(|names| names.len()), Some(count), "{id} {media_type}");
        }
        let with_place = template_of("").map(|template| template.lacking_for("image", true).len());
        assert_eq!(with_place, Some(usize::from(!mediadex_media::GEOCODE)));
    }
}
