//! Names of projects and datasets.

use crate::error::{Error, Result};

/// Checks a project or dataset name: 1 to 128 characters of `[A-Za-z0-9_-]`,
/// the first a letter or `_` (semantics A.5).
///
/// # Errors
/// `Invalid{parameter}`.
pub fn check_name(parameter: &str, name: &str) -> Result<()> {
    let first_is_right = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let rest_is_right = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if first_is_right && rest_is_right && name.len() <= 128 {
        return Ok(());
    }
    Err(Error::invalid(
        parameter,
        "It must have 1 to 128 characters of A-Z, a-z, 0-9, '-' and '_', and begin with a letter or '_'.",
    ))
}

/// Checks the name of a notification topic: 1 to 256 characters of
/// `[A-Za-z0-9_-]`, as SNS has it.
///
/// # Errors
/// `Invalid{parameter}`.
pub fn check_resource_name(parameter: &str, name: &str) -> Result<()> {
    let right = (1..=256).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if right {
        return Ok(());
    }
    Err(Error::invalid(parameter, "It must have 1 to 256 characters of A-Z, a-z, 0-9, '-' and '_'."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let long = "a".repeat(129);
        let fits = "a".repeat(128);
        let table = [
            ("test-project", true),
            ("_x", true),
            ("a", true),
            (fits.as_str(), true),
            (long.as_str(), false),
            ("", false),
            ("1a", false),
            ("-a", false),
            ("a b", false),
            ("ä", false),
        ];
        for (name, right) in table {
            assert_eq!(check_name("ProjectName", name).is_ok(), right, "{name:?}");
        }
    }
}
