//! Nothing may be missing: each operation has its binary, its template entry,
//! its event and a test that calls it.

use std::path::{Path, PathBuf};

use mediadex_core::operation::{OPERATIONS, WORKERS};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_function_has_its_binary_template_entry_and_event() {
    let template = read("template.yaml");
    for name in OPERATIONS.iter().map(|row| row.function).chain(WORKERS.iter().copied()) {
        let binary = root().join("functions/src/bin").join(format!("{name}.rs"));
        assert!(binary.exists(), "no binary {name}");
        assert!(
            template.lines().any(|line| line.contains(&format!("target/lambda/{name}/"))),
            "template.yaml has no function {name}"
        );
        let events: Vec<String> = std::fs::read_dir(root().join("events"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        assert!(events.iter().any(|event| event.starts_with(name)), "no event for {name}");
    }
}

#[test]
fn no_binary_is_without_a_row() {
    for entry in std::fs::read_dir(root().join("functions/src/bin")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        let known = OPERATIONS.iter().any(|row| row.function == name) || WORKERS.contains(&name.as_str());
        assert!(known, "{name} is no operation and no worker");
    }
}

#[test]
fn each_operation_is_called_by_a_test_through_the_gateway() {
    let mut tests = String::new();
    for file in [
        "datasets.rs",
        "bindings.rs",
        "files.rs",
        "documents.rs",
        "objects.rs",
        "queries.rs",
        "support.rs",
        "keys.rs",
    ] {
        let text = read(Path::new("tests/local").join(file));
        tests.extend(text.chars().filter(|c| !c.is_whitespace()));
    }
    for row in OPERATIONS {
        assert!(tests.contains(&format!("call(\"{}\"", row.name)), "no test calls {}", row.name);
    }
}

#[test]
fn the_rule_for_eventbridge_lets_every_event_through_that_is_followed() {
    let template = read("template.yaml");
    let rule = template.split_once("\n  BridgedObjects:\n").unwrap().1;
    let types = rule.split_once("detail-type:\n").unwrap().1;
    let types: Vec<&str> = types.lines().map_while(|line| line.trim().strip_prefix("- ")).collect();
    let wanted = [
        "Object Created",
        "Object Deleted",
        "Object Tags Added",
        "Object Tags Deleted",
        "Object ACL Updated",
        "Object Storage Class Changed",
        "Object Restore Initiated",
        "Object Restore Completed",
        "Object Restore Expired",
    ];
    assert_eq!(types, wanted);
}

#[test]
fn the_bill_counts_the_alarms_and_secrets_of_the_template() {
    let template = read("template.yaml");
    let count = |kind: &str| template.matches(&format!("Type: {kind}\n")).count();
    assert_eq!(count("AWS::CloudWatch::Alarm"), mediadex_core::cost::ALARMS);
    assert_eq!(count("AWS::SecretsManager::Secret"), mediadex_core::cost::SECRETS);
}

/// What the policies of a template grant too widely: statements with a wildcard
/// in an action, or in a resource that no comment explains. The comment stands in
/// the statement, right before it, or before a row of such statements.
fn wide_grants(template: &str) -> Vec<String> {
    let mut found = Vec::new();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_comment = |line: &str| line.trim_start().starts_with('#');
    let mut lines = template.lines().peekable();
    // Whether what stands right before explains a wildcard.
    let mut explained = false;
    while let Some(line) = lines.next() {
        let text = line.trim_start();
        if !text.starts_with("- Effect:") && !text.starts_with("- { Effect:") {
            explained = is_comment(line);
            continue;
        }
        let mut statement = format!("{text}\n");
        while let Some(more) = lines.next_if(|more| indent(more) > indent(line)) {
            explained |= is_comment(more);
            if !is_comment(more) {
                statement = format!("{statement}{more}\n");
            }
        }
        let (actions, resources) = statement.split_once("Resource:").unwrap_or((&statement, ""));
        let is_wide = resources.contains('*') || resources.contains("${BucketNamePattern}");
        if actions.contains('*') || resources.is_empty() || is_wide && !explained {
            found.push(statement.clone());
        }
        explained &= is_wide;
    }
    found
}

#[test]
fn policies_grant_no_action_by_wildcard_and_say_why_a_resource_is_one() {
    assert_eq!(wide_grants(&read("template.yaml")), Vec::<String>::new());
}

#[test]
fn a_wide_grant_is_found() {
    let table = [
        ("- Effect: Allow\n  Action: \"s3:*\"\n  Resource: !Ref A\n", 1),
        ("- Effect: Allow\n  Action:\n    - s3:*\n  Resource: !Ref A\n", 1),
        ("- { Effect: Allow, Action: \"s3:Get*\", Resource: !Ref A }\n", 1),
        ("- { Effect: Allow, Action: \"s3:GetObject\", Resource: \"*\" }\n", 1),
        ("- Effect: Allow\n  Action: \"s3:GetObject\"\n  Resource: !Sub \"${BucketNamePattern}\"\n", 1),
        ("# Why.\n- { Effect: Allow, Action: \"s3:GetObject\", Resource: \"*\" }\n", 0),
        ("- Effect: Allow\n  Action: \"a:B\"\n  # Why.\n  Resource: \"*\"\n", 0),
        // One reason for a row of patterns, and none for what comes after.
        (
            "# Why.\n- { Effect: Allow, Action: \"a:B\", Resource: \"x*\" }\n\
             - { Effect: Allow, Action: \"a:C\", Resource: \"y*\" }\n",
            0,
        ),
        (
            "# Why.\n- { Effect: Allow, Action: \"a:B\", Resource: \"x*\" }\n\
             - { Effect: Allow, Action: \"a:D\", Resource: !Ref A }\n\
             - { Effect: Allow, Action: \"a:C\", Resource: \"y*\" }\n",
            1,
        ),
        ("- { Effect: Allow, Action: \"a:B\", Resource: !Ref A }\n", 0),
    ];
    for (policy, count) in table {
        let policy = format!("Policies:\n{policy}Other: 1\n");
        assert_eq!(wide_grants(&policy).len(), count, "{policy}");
    }
}

/// Compares the part of a document between two lines with what is generated, or
/// writes it where `MEDIADEX_BLESS` is set.
fn is_generated(document: &str, begin: &str, end: &str, want: &str) {
    let text = read(document);
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{document} has no {begin}"));
    let (table, after) = rest.split_once(end).unwrap_or_else(|| panic!("{document} has no {end}"));
    if std::env::var_os("MEDIADEX_BLESS").is_some() {
        std::fs::write(root().join(document), format!("{before}{begin}{want}{end}{after}")).unwrap();
    } else {
        assert_eq!(table, want, "{document}: run MEDIADEX_BLESS=1 cargo test, and read what changed");
    }
}

/// `MEDIADEX_BLESS=1 cargo test` writes the table again.
#[test]
fn the_documentation_has_the_catalogue_of_fields() {
    let want = mediadex_core::query::describe_fields();
    is_generated(
        "docs/queries.md",
        "<!-- fields: generated from the catalogue -->\n",
        "<!-- end of fields -->",
        &want,
    );
}

/// `MEDIADEX_BLESS=1 cargo test` writes the tables again.
#[test]
fn the_documentation_has_the_state_of_every_operation_of_imm() {
    let want = mediadex_core::operation::describe_operations();
    is_generated(
        "docs/imm-operations.md",
        "<!-- operations: generated from OPERATIONS -->\n",
        "<!-- end of operations -->",
        &want,
    );
}
