//! Parameters: what each operation declares, and how a call is validated against it.

use serde_json::{Number, Value};

use super::Params;
use crate::error::{Error, Result};
use crate::model::check_name;

/// The type of a parameter, with the range that is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text of so many characters.
    Sized(usize, usize),
    /// The name of a project or dataset.
    Name,
    /// A whole number in a range, both ends included.
    Int(i64, i64),
    /// `true` or `false`, in any case (Python writes `True`).
    Bool,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A JSON object, as text or as it is.
    Object,
    /// A JSON array, as text or as it is.
    Array,
}

/// A parameter of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether a call without it is refused.
    pub required: bool,
    /// What it means, for the API's description.
    pub doc: &'static str,
    /// What its range is, where that depends on other parameters; for errors.
    pub range: Option<&'static str>,
}

impl Param {
    /// A parameter that every call must have.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, required: true, doc, range: None }
    }

    /// A parameter that may be left out.
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, required: false, doc, range: None }
    }

    /// The same with a range that depends on other parameters, in words.
    #[must_use]
    pub const fn with_range(self, range: &'static str) -> Self {
        Self { range: Some(range), ..self }
    }
}

/// Holds a call to what its operation declares: gives each parameter in its
/// type, and leaves out what is not declared, absent or empty. An empty list
/// counts as absent, because the official SDKs send it for what was not set; not
/// where an object is expected: there it is a mistake. A parameter that only its
/// case keeps from being declared is one as well: a query without its `Query`
/// would find every file.
///
/// # Errors
/// `Missing{Param}`, `Invalid{Param}`, `InvalidJSON`.
pub fn read_params(declared: &[Param], mut given: Params) -> Result<Params> {
    let mut read = Params::new();
    for param in declared {
        let value = given.remove(param.name).filter(|value| !is_absent(value, param.kind));
        match value {
            Some(value) => {
                if let Some(value) = read_one(param, value)? {
                    read.insert(param.name.into(), value);
                } else if param.required {
                    return Err(Error::missing(param.name));
                }
            }
            None if param.required => return Err(Error::missing(param.name)),
            None => {}
        }
    }
    for name in given.keys() {
        if let Some(meant) = declared.iter().find(|param| param.name.eq_ignore_ascii_case(name)) {
            return Err(Error::invalid_argument(format!(
                "There is no parameter {name:?}. Did you mean {}?",
                meant.name
            )));
        }
    }
    Ok(read)
}

fn is_absent(value: &Value, kind: Kind) -> bool {
    match value {
        Value::Null => true,
        // An empty description is a description: it clears the one there was.
        Value::String(text) => text.is_empty() && !matches!(kind, Kind::Text | Kind::Sized(0, _)),
        Value::Array(items) => items.is_empty() && kind != Kind::Object,
        _ => false,
    }
}

/// One value in its type; `None` when it turns out to be an empty list.
fn read_one(param: &Param, value: Value) -> Result<Option<Value>> {
    let name = param.name;
    let read = match param.kind {
        Kind::Text => Value::from(text(name, value)?),
        Kind::Sized(least, most) => {
            let text = text(name, value)?;
            let length = text.chars().count();
            if !(least..=most).contains(&length) {
                return Err(Error::invalid(name, format!("It must have {least} to {most} characters.")));
            }
            Value::from(text)
        }
        Kind::Name => {
            let text = text(name, value)?;
            check_name(name, &text)?;
            Value::from(text)
        }
        Kind::Int(least, most) => {
            let number = match &value {
                Value::Number(number) => number.as_i64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            match number {
                Some(number) if (least..=most).contains(&number) => Value::Number(Number::from(number)),
                _ => {
                    let range = format!("between {least} and {most}");
                    let range = param.range.unwrap_or(&range);
                    return Err(Error::invalid(name, format!("It must be a whole number {range}.")));
                }
            }
        }
        Kind::Bool => match &value {
            Value::Bool(flag) => Value::Bool(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Value::Bool(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Value::Bool(false),
            _ => return Err(Error::invalid(name, "It must be true or false.")),
        },
        Kind::OneOf(words) => {
            let text = text(name, value)?;
            match words.iter().find(|word| word.eq_ignore_ascii_case(&text)) {
                Some(word) => Value::from(*word),
                None => return Err(Error::invalid(name, format!("It must be one of {}.", words.join(", ")))),
            }
        }
        Kind::Object => match json(name, value)? {
            Value::Null => return Ok(None),
            Value::Object(map) => Value::Object(map),
            _ => return Err(Error::invalid_json(name, "an object is expected")),
        },
        Kind::Array => match json(name, value)? {
            Value::Array(items) if items.is_empty() => return Ok(None),
            Value::Null => return Ok(None),
            Value::Array(items) => Value::Array(items),
            _ => return Err(Error::invalid_json(name, "an array is expected")),
        },
    };
    Ok(Some(read))
}

/// What a value is as text: a number or a boolean is its text, whichever code reads
/// it. Policies are validated against names through this as well: another way to write a
/// name must not be a way around them.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn text(name: &str, value: Value) -> Result<String> {
    text_of(&value).ok_or_else(|| Error::invalid(name, "It must be text."))
}

fn json(name: &str, value: Value) -> Result<Value> {
    match value {
        Value::String(text) => serde_json::from_str(&text).map_err(|error| Error::invalid_json(name, error)),
        other => Ok(other),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    const PARAMS: &[Param] = &[
        Param::required("Name", Kind::Name, ""),
        Param::optional("Max", Kind::Int(0, 200), ""),
        Param::optional("With", Kind::Bool, ""),
        Param::optional("File", Kind::Object, ""),
        Param::optional("URIs", Kind::Array, ""),
        Param::optional("Order", Kind::OneOf(&["asc", "desc"]), ""),
        Param::optional("Description", Kind::Text, ""),
        Param::optional("Short", Kind::Sized(1, 3), ""),
    ];

    fn read(given: Value) -> std::result::Result<Value, String> {
        let Value::Object(given) = given else { return Err("not an object".into()) };
        read_params(PARAMS, given).map(Value::Object).map_err(|error| error.code().text())
    }

    #[test]
    fn values_get_their_types() {
        let read = read(json!({
            "Name": "p", "Max": "10", "With": "True", "File": "{\"URI\":\"x\"}", "URIs": "[]",
            "Order": "DESC", "Description": "", "Unknown": 1
        }));
        assert_eq!(
            read,
            Ok(
                json!({"Name": "p", "Max": 10, "With": true, "File": {"URI": "x"}, "Order": "desc", "Description": ""})
            )
        );
    }

    #[test]
    fn wrong_values_are_named() {
        let table = [
            (json!({}), "MissingName"),
            (json!({"Name": ""}), "MissingName"),
            (json!({"Name": "1"}), "InvalidName"),
            (json!({"Name": "p", "Max": "201"}), "InvalidMax"),
            (json!({"Name": "p", "Max": "ten"}), "InvalidMax"),
            (json!({"Name": "p", "Max": 1.5}), "InvalidMax"),
            (json!({"Name": "p", "With": "maybe"}), "InvalidWith"),
            (json!({"Name": "p", "File": "{"}), "InvalidJSON"),
            (json!({"Name": "p", "File": "[]"}), "InvalidJSON"),
            (json!({"Name": "p", "File": []}), "InvalidJSON"),
            (json!({"Name": "p", "file": {}}), "InvalidArgument"),
            (json!({"name": "p"}), "MissingName"),
            (json!({"Name": "p", "name": "q"}), "InvalidArgument"),
            (json!({"Name": "p", "URIs": "{}"}), "InvalidJSON"),
            (json!({"Name": "p", "Order": "up"}), "InvalidOrder"),
            (json!({"Name": "p", "Short": "abcd"}), "InvalidShort"),
        ];
        for (given, code) in table {
            assert_eq!(read(given.clone()), Err(code.to_owned()), "{given}");
        }
    }
}
