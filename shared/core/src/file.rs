//! `File`, as replies and queries see it: what was extracted, under what the
//! caller set, beside what the row and its dataset know.

use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::Result;
use crate::ingest::Target;
use crate::ledger::Row;
use crate::model::{Template, Timestamp, object_id};
use crate::query::{Needs, check_field_name};
use crate::state::Dataset;

/// The fields that a row knows without its record.
pub(crate) const HEAD_FIELDS: &[&str] = &[
    "ProjectName",
    "DatasetName",
    "OwnerId",
    "ObjectType",
    "ObjectId",
    "URI",
    "Filename",
    "CreateTime",
    "UpdateTime",
    "Size",
    "ETag",
    "FileModifiedTime",
    "CustomId",
    "CustomLabels",
];

/// All fields of a file by name, with EXIF as an object.
pub type Document = Map<String, Value>;

/// Makes documents of the rows of one dataset.
#[derive(Debug, Clone)]
pub struct FileView {
    project: String,
    dataset: String,
    dataset_id: String,
    owner: String,
    template: Template,
    fields: Vec<String>,
}

impl FileView {
    /// A view with the fields that a caller asked for; none means all.
    ///
    /// # Errors
    /// `InvalidArgument` for a field that there is not.
    pub async fn new(ctx: &Context, dataset: &Dataset, with_fields: &[String]) -> Result<Self> {
        for field in with_fields {
            check_field_name(field)?;
        }
        let project = ctx.db.project(&dataset.project).await?;
        let target = Target::new(dataset, &project.template_id);
        Ok(Self {
            project: dataset.project.clone(),
            dataset: dataset.name.clone(),
            dataset_id: dataset.id.clone(),
            owner: ctx.config.account_id.clone(),
            template: target.template,
            fields: with_fields.to_vec(),
        })
    }

    /// What is known of a file, of the fields that are needed.
    ///
    /// # Errors
    /// `InternalError` when the row cannot be decoded.
    pub fn document(&self, row: &Row, needs: &Needs) -> Result<Document> {
        let mut file = if needs.record() { row.metadata(needs)? } else { Document::new() };
        let uri = row.uri();
        let mut put = |name: &str, value: &dyn Fn() -> Value| {
            if needs.wants(name) {
                file.insert(name.to_owned(), value());
            }
        };
        put("ProjectName", &|| Value::from(self.project.as_str()));
        put("DatasetName", &|| Value::from(self.dataset.as_str()));
        put("OwnerId", &|| Value::from(self.owner.as_str()));
        put("ObjectType", &|| Value::from("file"));
        put("ObjectId", &|| Value::from(object_id(&self.dataset_id, &uri.to_string())));
        put("URI", &|| Value::from(uri.to_string()));
        put("Filename", &|| Value::from(uri.key.as_str()));
        put("CreateTime", &|| Value::from(Timestamp(row.created).to_string()));
        put("UpdateTime", &|| Value::from(Timestamp(row.updated).to_string()));
        if let Some(source) = &row.source {
            put("Size", &|| Value::from(source.size));
            put("ETag", &|| Value::from(source.etag.as_str()));
            put("FileModifiedTime", &|| Value::from(Timestamp::from_seconds(source.modified).to_string()));
        }
        let record = needs.record();
        if record {
            fill_defaults(&mut file, needs);
        }
        if record {
            row.user.put_over(&mut file);
        }
        if needs.wants("Reason") {
            self.name_what_is_lacking(&mut file);
        }
        if let Some(id) = &row.user.custom_id
            && needs.wants("CustomId")
        {
            file.insert("CustomId".to_owned(), Value::from(id.as_str()));
        }
        if !row.user.custom_labels.is_empty() && needs.wants("CustomLabels") {
            let labels = row
                .user
                .custom_labels
                .iter()
                .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
                .collect();
            file.insert("CustomLabels".to_owned(), Value::Object(labels));
        }
        Ok(file)
    }

    /// Adds to `Reason` which operators of the template did not run.
    fn name_what_is_lacking(&self, file: &mut Document) {
        let media_type = file.get("MediaType").and_then(Value::as_str).unwrap_or_default();
        // A caller may have given the addresses.
        let has_place = file.contains_key("LatLong") && !file.contains_key("Addresses");
        let lacking = self.template.lacking_for(media_type, has_place);
        if !lacking.is_empty() {
            let lacking = format!("operators of the template that are not available: {}", lacking.join(", "));
            let reason = match file.get("Reason").and_then(Value::as_str) {
                Some(reason) => format!("{reason}; {lacking}"),
                None => lacking,
            };
            file.insert("Reason".to_owned(), Value::from(reason));
        }
    }

    /// The fields that replies show.
    pub fn shown(&self) -> Needs {
        if self.fields.is_empty() {
            return Needs::All;
        }
        let mut needs = Needs::none();
        for field in &self.fields {
            needs.add_name(field.split('.').next().unwrap_or(field));
        }
        needs
    }

    /// The file as a reply shows it: EXIF as text, the fields that were asked for.
    ///
    /// # Errors
    /// `InternalError` when the row cannot be decoded.
    pub fn render(&self, row: &Row) -> Result<Value> {
        let mut file = self.document(row, &self.shown())?;
        if !self.fields.is_empty() {
            file = pick(&file, &self.fields);
        }
        to_wire(&mut file);
        Ok(Value::Object(file))
    }
}

/// The parts of a document that paths name; a path into an array takes the
/// member of each of its elements.
fn pick(file: &Document, paths: &[String]) -> Document {
    let mut picked = Document::new();
    for path in paths {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        if let Some(value) = file.get(first) {
            let part = pick_part(value, rest);
            match picked.get_mut(first) {
                Some(before) => unite(before, part),
                None => drop(picked.insert(first.to_owned(), part)),
            }
        }
    }
    picked.retain(|_, value| !matches!(value, Value::Object(map) if map.is_empty()));
    picked
}

fn pick_part(value: &Value, path: &str) -> Value {
    match value {
        _ if path.is_empty() => value.clone(),
        Value::Array(items) => items.iter().map(|item| pick_part(item, path)).collect(),
        Value::Object(map) => {
            // A key may itself have dots in it.
            let same = |name: &str| name.eq_ignore_ascii_case(path);
            let found = map.iter().filter(|(name, _)| same(name));
            Value::Object(found.map(|(name, inner)| (name.clone(), inner.clone())).collect())
        }
        _ => Value::Object(Document::new()),
    }
}

/// Puts two parts of one value together.
fn unite(value: &mut Value, other: Value) {
    match (value, other) {
        (Value::Object(map), Value::Object(more)) => map.extend(more),
        (Value::Array(items), Value::Array(more)) => {
            items.iter_mut().zip(more).for_each(|(item, other)| unite(item, other));
        }
        _ => {}
    }
}

/// Gives the fields that every file has, and that are needed, their values where
/// nothing else did.
pub fn fill_defaults(file: &mut Document, needs: &Needs) {
    for (name, default) in [
        ("ObjectStatus", "Indexed"),
        ("OSSObjectType", "Normal"),
        ("OSSStorageClass", "Standard"),
        ("MediaType", "other"),
    ] {
        if needs.wants(name) && !file.contains_key(name) {
            file.insert(name.to_owned(), Value::from(default));
        }
    }
}

/// Turns a document into what replies show: EXIF as IMM's JSON text.
pub fn to_wire(file: &mut Document) {
    if let Some(Value::Object(tags)) = file.get("EXIF") {
        let tags = tags
            .iter()
            .map(|(tag, value)| (tag.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        let text = mediadex_media::exif_wire_json(&tags);
        file.insert("EXIF".to_owned(), Value::from(text));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_pick_parts() {
        let file = json!({"Size": 1, "EXIF": {"Make": "Canon", "Model": "X"},
            "VideoStreams": [{"Index": 0, "Width": 640, "Level": 3}, {"Index": 1, "Width": 320}],
            "CustomLabels": {"a.b": "c", "d": "e"}});
        let table = [
            (vec!["Size"], json!({"Size": 1})),
            (vec!["EXIF.make"], json!({"EXIF": {"Make": "Canon"}})),
            (vec!["EXIF"], json!({"EXIF": {"Make": "Canon", "Model": "X"}})),
            (
                vec!["VideoStreams.Width", "VideoStreams.Index"],
                json!({"VideoStreams": [{"Index": 0, "Width": 640}, {"Index": 1, "Width": 320}]}),
            ),
            (vec!["CustomLabels.a.b", "Title"], json!({"CustomLabels": {"a.b": "c"}})),
            (vec!["CustomLabels.x"], json!({})),
        ];
        for (paths, want) in table {
            let paths: Vec<String> = paths.into_iter().map(str::to_owned).collect();
            assert_eq!(Value::Object(pick(file.as_object().unwrap(), &paths)), want, "{paths:?}");
        }
    }
}
