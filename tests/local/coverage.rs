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
    for file in
        ["datasets.rs", "bindings.rs", "files.rs", "objects.rs", "queries.rs", "support.rs", "keys.rs"]
    {
        let text = read(Path::new("tests/local").join(file));
        tests.extend(text.chars().filter(|c| !c.is_whitespace()));
    }
    for row in OPERATIONS {
        assert!(tests.contains(&format!("call(\"{}\"", row.name)), "no test calls {}", row.name);
    }
}

#[test]
fn the_bill_counts_the_alarms_and_secrets_of_the_template() {
    let template = read("template.yaml");
    let count = |kind: &str| template.matches(&format!("Type: {kind}\n")).count();
    assert_eq!(count("AWS::CloudWatch::Alarm"), mediadex_core::cost::ALARMS);
    assert_eq!(count("AWS::SecretsManager::Secret"), mediadex_core::cost::SECRETS);
}

/// `MEDIADEX_BLESS=1 cargo test` writes the table anew.
#[test]
fn the_readme_has_the_catalogue_of_fields() {
    const BEGIN: &str = "<!-- fields: generated from the catalogue -->\n";
    const END: &str = "<!-- end of fields -->";
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the README has no place for the fields");
    let (table, after) = rest.split_once(END).expect("the fields of the README have no end");
    let want = mediadex_core::query::describe_fields();
    if std::env::var_os("MEDIADEX_BLESS").is_some() {
        std::fs::write(root().join("README.md"), format!("{before}{BEGIN}{want}{END}{after}")).unwrap();
    } else {
        assert_eq!(table, want, "run MEDIADEX_BLESS=1 cargo test, and read what changed");
    }
}
