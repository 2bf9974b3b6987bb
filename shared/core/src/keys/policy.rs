//! What a caller may do: policies in the RAM grammar, and what each operation
//! asks for.

use serde::{Deserialize, Deserializer, Serialize};

use crate::config::Config;
use crate::operation::{Params, text_of};

/// What an operation acts on, for its resource name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The account.
    Account,
    /// The project that the call names.
    Project,
    /// The dataset that the call names.
    Dataset,
    /// The access key that the call names.
    AccessKey,
    /// The access key that the call names, or else the caller's own.
    OwnAccessKey,
}

/// What a caller needs for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The action, such as `imm:CreateBinding`.
    pub action: &'static str,
    /// What it acts on.
    pub scope: Scope,
}

impl Access {
    /// An action on the account.
    pub const fn account(action: &'static str) -> Self {
        Self { action, scope: Scope::Account }
    }

    /// An action on a project.
    pub const fn project(action: &'static str) -> Self {
        Self { action, scope: Scope::Project }
    }

    /// An action on a dataset.
    pub const fn dataset(action: &'static str) -> Self {
        Self { action, scope: Scope::Dataset }
    }

    /// An action on an access key.
    pub const fn access_key(action: &'static str) -> Self {
        Self { action, scope: Scope::AccessKey }
    }

    /// An action on an access key that is the caller's own where none is named.
    pub const fn own_access_key(action: &'static str) -> Self {
        Self { action, scope: Scope::OwnAccessKey }
    }

    /// The resource name of a call:
    /// `acs:imm:{region}:{account}:project/{project}/dataset/{dataset}`, or
    /// `acs:ram:{region}:{account}:accesskey/{id}`. What the call does not name
    /// is `*`: only who may do it to all may do it.
    pub fn resource(&self, config: &Config, params: &Params, caller: &str) -> String {
        let name = |parameter: &str| {
            let named = params.get(parameter).and_then(text_of).filter(|name| !name.is_empty());
            named.unwrap_or_else(|| "*".to_owned())
        };
        let place = format!("{}:{}", config.region, config.account_id);
        let root = format!("acs:imm:{place}:");
        match self.scope {
            Scope::Account => format!("{root}project/*"),
            Scope::Project => format!("{root}project/{}", name("ProjectName")),
            Scope::Dataset => {
                format!("{root}project/{}/dataset/{}", name("ProjectName"), name("DatasetName"))
            }
            Scope::AccessKey => format!("acs:ram:{place}:accesskey/{}", name("AccessKeyId")),
            Scope::OwnAccessKey => {
                let named = name("AccessKeyId");
                format!("acs:ram:{place}:accesskey/{}", if named == "*" { caller } else { &named })
            }
        }
    }
}

/// A policy: `{"Version": "1", "Statement": [{"Effect", "Action", "Resource"}]}`.
/// What no statement allows is denied; what one denies is denied. Anything else
/// of the RAM grammar, such as conditions, is refused rather than left out: a
/// policy must not mean less than it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Policy {
    /// The version of the grammar.
    #[serde(default)]
    pub version: Version,
    /// The statements.
    pub statement: Vec<Statement>,
}

/// The version of the grammar: there is one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// The only one.
    #[default]
    #[serde(rename = "1")]
    One,
}

/// One statement of a [`Policy`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Statement {
    /// Allow or deny.
    pub effect: Effect,
    /// Actions, with `*` and `?`.
    #[serde(deserialize_with = "one_or_many")]
    pub action: Vec<String>,
    /// Resources, with `*` and `?`.
    #[serde(deserialize_with = "one_or_many")]
    pub resource: Vec<String>,
}

/// The effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever allows.
    Deny,
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

impl Policy {
    /// The policy of an account's own key.
    pub fn everything() -> Self {
        let all = || vec!["*".to_owned()];
        let statement = Statement { effect: Effect::Allow, action: all(), resource: all() };
        Self { version: Version::One, statement: vec![statement] }
    }

    /// Whether the policy allows an action on a resource.
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        let mut allowed = false;
        for statement in self.about(action, resource) {
            match statement.effect {
                Effect::Deny => return false,
                Effect::Allow => allowed = true,
            }
        }
        allowed
    }

    /// Whether a statement of the policy denies an action on a resource.
    pub fn denies(&self, action: &str, resource: &str) -> bool {
        self.about(action, resource).any(|statement| statement.effect == Effect::Deny)
    }

    /// The statements that apply to an action on a resource.
    fn about<'a>(&'a self, action: &'a str, resource: &'a str) -> impl Iterator<Item = &'a Statement> {
        self.statement.iter().filter(move |statement| {
            statement.action.iter().any(|pattern| is_like(pattern, action))
                && statement.resource.iter().any(|pattern| is_like(pattern, resource))
        })
    }
}

/// Whether a text is like a pattern: `*` stands for any text, `?` for one
/// character. Linear: a pattern that was made to be slow is not.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table = [
            ("*", "anything", true),
            ("imm:*", "imm:GetProject", true),
            ("imm:Get*", "imm:CreateProject", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*/dataset/*x", "project/p/dataset/ax", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
        ];
        for (pattern, text, want) in table {
            assert_eq!(is_like(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn deny_wins_and_nothing_is_allowed_by_default() {
        let policy: Policy = serde_json::from_str(
            r#"{"Version":"1","Statement":[
                {"Effect":"Allow","Action":["imm:*"],"Resource":"acs:imm:*:*:project/mine*"},
                {"Effect":"Deny","Action":"imm:Delete*","Resource":"*"}]}"#,
        )
        .unwrap();
        assert!(policy.allows("imm:GetDataset", "acs:imm:r:a:project/mine/dataset/d"));
        assert!(!policy.allows("imm:GetDataset", "acs:imm:r:a:project/other/dataset/d"));
        assert!(!policy.allows("imm:DeleteDataset", "acs:imm:r:a:project/mine/dataset/d"));
        assert!(policy.denies("imm:DeleteDataset", "acs:imm:r:a:project/mine/dataset/d"));
        assert!(!policy.denies("imm:GetDataset", "acs:imm:r:a:project/other/dataset/d"));
        assert!(!Policy::default().allows("imm:GetDataset", "x"));
        let again: Policy = serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
        assert_eq!(again, policy);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let table = [
            r#"{"Version":"2","Statement":[]}"#,
            r#"{"Version":"1"}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}]}"#,
            r#"{"Statement":[{"Effect":"Allow","NotAction":"*","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":"*"}]}"#,
            r#"{"Statement":[],"Other":1}"#,
        ];
        for text in table {
            assert!(serde_json::from_str::<Policy>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn resources_are_named_as_the_documentation_has_them() {
        let config = Config::default();
        let given = |json: serde_json::Value| match json {
            serde_json::Value::Object(map) => map,
            _ => Params::new(),
        };
        let named = given(serde_json::json!({"ProjectName": "p", "DatasetName": "d", "AccessKeyId": "k"}));
        let table = [
            (Access::account("a"), "acs:imm:us-east-1:000000000000:project/*"),
            (Access::project("a"), "acs:imm:us-east-1:000000000000:project/p"),
            (Access::dataset("a"), "acs:imm:us-east-1:000000000000:project/p/dataset/d"),
            (Access::access_key("a"), "acs:ram:us-east-1:000000000000:accesskey/k"),
            (Access::own_access_key("a"), "acs:ram:us-east-1:000000000000:accesskey/k"),
        ];
        for (access, want) in table {
            assert_eq!(access.resource(&config, &named, "me"), want);
        }
        // However a name is written, it is the same name.
        let written = given(serde_json::json!({"ProjectName": 12, "DatasetName": true, "AccessKeyId": 7}));
        let table = [
            (Access::dataset("a"), "acs:imm:us-east-1:000000000000:project/12/dataset/true"),
            (Access::own_access_key("a"), "acs:ram:us-east-1:000000000000:accesskey/7"),
        ];
        for (access, want) in table {
            assert_eq!(access.resource(&config, &written, "me"), want);
        }
        let nothing = Params::new();
        let table = [
            (Access::dataset("a"), "acs:imm:us-east-1:000000000000:project/*/dataset/*"),
            (Access::access_key("a"), "acs:ram:us-east-1:000000000000:accesskey/*"),
            (Access::own_access_key("a"), "acs:ram:us-east-1:000000000000:accesskey/me"),
        ];
        for (access, want) in table {
            assert_eq!(access.resource(&config, &nothing, "me"), want);
        }
    }
}
