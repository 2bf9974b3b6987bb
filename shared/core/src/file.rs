//! `File`, as replies and queries see it: what was extracted, under what the
//! caller set, beside what the row and its dataset know.

use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::Result;
use crate::ingest::Target;
use crate::ledger::Row;
use crate::model::{Timestamp, object_id};
use crate::query::check_field_name;
use crate::state::Dataset;

/// All fields of a file by name, with EXIF as an object.
pub type Document = Map<String, Value>;

/// Makes documents of the rows of one dataset.
#[derive(Debug, Clone)]
pub struct FileView {
    project: String,
    dataset: String,
    dataset_id: String,
    owner: String,
    lacking: Option<String>,
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
        let lacking = (!target.template.lacking.is_empty()).then(|| {
            format!(
                "operators of the template that are not available: {}",
                target.template.lacking.join(", ")
            )
        });
        Ok(Self {
            project: dataset.project.clone(),
            dataset: dataset.name.clone(),
            dataset_id: dataset.id.clone(),
            owner: ctx.config.account_id.clone(),
            lacking,
            fields: with_fields.to_vec(),
        })
    }

    /// Everything that is known of a file.
    ///
    /// # Errors
    /// `InternalError` when the row cannot be decoded.
    pub fn document(&self, row: &Row) -> Result<Document> {
        let mut file = row.metadata()?;
        let uri = row.uri();
        let text = uri.to_string();
        let mut put = |name: &str, value: Value| {
            file.insert(name.to_owned(), value);
        };
        put("ProjectName", Value::from(self.project.as_str()));
        put("DatasetName", Value::from(self.dataset.as_str()));
        put("OwnerId", Value::from(self.owner.as_str()));
        put("ObjectType", Value::from("file"));
        put("ObjectId", Value::from(object_id(&self.dataset_id, &text)));
        put("URI", Value::from(text));
        put("Filename", Value::from(uri.key));
        put("CreateTime", Value::from(Timestamp(row.created).to_string()));
        put("UpdateTime", Value::from(Timestamp(row.updated).to_string()));
        if let Some(source) = &row.source {
            put("Size", Value::from(source.size));
            put("ETag", Value::from(source.etag.as_str()));
            put("FileModifiedTime", Value::from(Timestamp::from_seconds(source.modified).to_string()));
        }
        for (name, default) in
            [("ObjectStatus", "Indexed"), ("OSSObjectType", "Normal"), ("OSSStorageClass", "STANDARD")]
        {
            file.entry(name.to_owned()).or_insert_with(|| Value::from(default));
        }
        file.entry("MediaType".to_owned()).or_insert_with(|| Value::from("other"));
        if let Some(lacking) = &self.lacking {
            let reason = match file.get("Reason").and_then(Value::as_str) {
                Some(reason) => format!("{reason}; {lacking}"),
                None => lacking.clone(),
            };
            file.insert("Reason".to_owned(), Value::from(reason));
        }
        file.extend(row.user.overrides());
        if let Some(id) = &row.user.custom_id {
            file.insert("CustomId".to_owned(), Value::from(id.as_str()));
        }
        if !row.user.custom_labels.is_empty() {
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

    /// The file as a reply shows it: EXIF as text, the fields that were asked for.
    ///
    /// # Errors
    /// `InternalError` when the row cannot be decoded.
    pub fn render(&self, row: &Row) -> Result<Value> {
        let mut file = self.document(row)?;
        if let Some(Value::Object(tags)) = file.get("EXIF") {
            let tags = tags
                .iter()
                .map(|(tag, value)| (tag.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            let text = mediadex_media::exif_wire_json(&tags);
            file.insert("EXIF".to_owned(), Value::from(text));
        }
        if !self.fields.is_empty() {
            // A nested path asks for its whole top field.
            file.retain(|name, _| {
                self.fields.iter().any(|field| field.split('.').next().is_some_and(|top| top == name))
            });
        }
        Ok(Value::Object(file))
    }
}
