//! The description of the native door: OpenAPI 3.1, made from the table of
//! operations and the catalogue of errors, so that it cannot lag behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::native::{ROOT, status as status_of};
use crate::error::Code;
use crate::keys::Scope;
use crate::operation::{Kind, OPERATIONS, Param, Row};

/// The document.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(build)
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Sized(least, most) => json!({"type": "string", "minLength": least, "maxLength": most}),
        Kind::Name => json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,127}$"}),
        Kind::Int(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::OneOf(words) => json!({"type": "string", "enum": words}),
        Kind::Object => json!({"type": "object"}),
        Kind::Array => json!({"type": "array"}),
    }
}

fn object(fields: &[Param]) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut of = schema(field.kind);
        if let Some(of) = of.as_object_mut() {
            of.insert("description".into(), field.doc.into());
        }
        properties.insert(field.name.into(), of);
    }
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

fn reply(row: &Row) -> Value {
    let mut of = object(row.reply);
    if let Some(properties) = of.get_mut("properties").and_then(Value::as_object_mut) {
        let id = json!({"type": "string", "description": "The id of the request, as in the log."});
        properties.insert("RequestId".into(), id);
    }
    if let Some(required) = of.get_mut("required").and_then(Value::as_array_mut) {
        required.insert(0, "RequestId".into());
    }
    of
}

/// What a caller must be allowed to do.
fn permission(row: &Row) -> String {
    let resource = match row.access.scope {
        Scope::Account => "acs:imm:{region}:{account}:project/*",
        Scope::Project => "acs:imm:{region}:{account}:project/{ProjectName}",
        Scope::Dataset => "acs:imm:{region}:{account}:project/{ProjectName}/dataset/{DatasetName}",
        Scope::AccessKey | Scope::OwnAccessKey => "acs:ram:{region}:{account}:accesskey/{AccessKeyId}",
    };
    format!("Needs `{}` on `{resource}`.", row.access.action)
}

/// Statuses of errors with the codes that have them.
fn statuses() -> BTreeMap<u16, Vec<(String, &'static str)>> {
    let mut by_status: BTreeMap<u16, Vec<(String, &'static str)>> = BTreeMap::new();
    for (code, meaning) in Code::catalogue() {
        by_status.entry(status_of(&code)).or_default().push((code.text(), meaning));
    }
    by_status
}

fn build() -> Value {
    let statuses = statuses();
    let error = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
    let mut errors = Map::new();
    for (status, codes) in &statuses {
        let codes: Vec<String> = codes.iter().map(|(code, meaning)| format!("`{code}`: {meaning}")).collect();
        errors
            .insert(status.to_string(), json!({"description": codes.join("\n\n"), "content": error.clone()}));
    }
    let refer = |status: &u16| json!({"$ref": format!("#/components/responses/{status}")});
    let mut paths = Map::new();
    for row in OPERATIONS {
        let mut responses = Map::new();
        responses.insert(
            "200".into(),
            json!({"description": "Done.", "content": {"application/json": {"schema": reply(row)}}}),
        );
        responses.extend(statuses.keys().map(|status| (status.to_string(), refer(status))));
        let operation = json!({
            "operationId": row.name,
            "summary": row.name,
            "description": permission(row),
            "requestBody": {
                "required": row.params.iter().any(|param| param.required),
                "content": {"application/json": {"schema": object(row.params)}},
            },
            "responses": responses,
        });
        paths.insert(format!("{ROOT}{}", row.name), json!({"post": operation}));
    }
    let all_codes: BTreeSet<String> = Code::catalogue().into_iter().map(|(code, _)| code.text()).collect();
    let all_codes: Vec<String> = all_codes.into_iter().collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mediadex",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A media index for object storage. The same operations as the IMM API (2020-09-30), with a JSON body and a bearer token; CreateToken or POST /v3/auth/tokens gives one out.",
            "license": {"name": env!("CARGO_PKG_LICENSE")},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "responses": errors,
            "schemas": {"Error": {
                "type": "object",
                "required": ["RequestId", "HostId", "Code", "Message", "Recommend"],
                "properties": {
                    "RequestId": {"type": "string", "description": "The id of the request, as in the log."},
                    "HostId": {"type": "string"},
                    "Code": {
                        "type": "string",
                        "description": format!("One of {}; {{Param}} stands for a parameter's name.", all_codes.join(", ")),
                    },
                    "Message": {"type": "string"},
                    "Recommend": {"type": "string"},
                    "AccessDeniedDetail": {
                        "type": "object",
                        "description": "Of NoPermission: the action, the resource, and who was denied.",
                    },
                },
            }},
        },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_described() {
        let document = document();
        for row in OPERATIONS {
            let operation = &document["paths"][format!("/api/{}", row.name)]["post"];
            assert_eq!(operation["operationId"], row.name);
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            for param in row.params {
                assert_eq!(
                    body["properties"][param.name]["description"], param.doc,
                    "{} {}",
                    row.name, param.name
                );
                assert!(!param.doc.is_empty(), "{} {}", row.name, param.name);
            }
            for (code, _) in Code::catalogue() {
                let status = status_of(&code).to_string();
                let reference = operation["responses"][&status]["$ref"].as_str().unwrap();
                assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
            }
        }
    }
}
