//! The operations that IMM has (2020-09-30, as its SDK 5.0.3 knows them), by
//! name: what is not there yet must not look like a misspelt action.

use super::operation;

/// One name a line, sorted.
const NAMES: &str = include_str!("imm_operations.txt");

/// Whether IMM has an operation of this name.
pub fn is_of_imm(name: &str) -> bool {
    NAMES.lines().any(|known| known == name)
}

/// All operations with their state, as the table of the documentation.
pub fn describe_operations() -> String {
    let is_there = |name: &str| operation(name).is_some();
    let there = NAMES.lines().filter(|name| is_there(name)).count();
    let mut text = format!(
        "Of the {} operations of IMM (2020-09-30), {there} are available:\n\n| operation | state |\n|---|---|\n",
        NAMES.lines().count()
    );
    for name in NAMES.lines() {
        let state = if is_there(name) { "available" } else { "not available" };
        text.push_str(&format!("| {name} | {state} |\n"));
    }
    text.push_str("\nBeside them there are:\n\n| operation | what it is |\n|---|---|\n");
    for row in super::OPERATIONS.iter().filter(|row| !is_of_imm(row.name)) {
        let what = if row.access.action.starts_with("ram:") {
            "access keys, which RAM and STS make for IMM"
        } else {
            "of older versions of IMM"
        };
        text.push_str(&format!("| {} | {what} |\n", row.name));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_api() {
        let names: Vec<&str> = NAMES.lines().collect();
        assert_eq!(names.len(), 105);
        assert!(names.is_sorted_by(|a, b| a < b));
        let table = [
            ("CreateProject", true, true),
            ("CreateStory", true, false),
            ("DetectImageFaces", true, false),
            ("StopBinding", false, true),
            ("CreateAccessKey", false, true),
            ("createstory", false, false),
            ("", false, false),
        ];
        for (name, of_imm, is_there) in table {
            assert_eq!((is_of_imm(name), operation(name).is_some()), (of_imm, is_there), "{name}");
        }
    }
}
