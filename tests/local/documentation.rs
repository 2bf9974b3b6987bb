//! The documentation: links that lead somewhere, and a front page that stays short.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Pages of Markdown at the top and in `docs`, with their text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = Vec::new();
    for folder in [root(), root().join("docs")] {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ext| ext == "md") {
                let text = std::fs::read_to_string(&path).unwrap();
                pages.push((path, text));
            }
        }
    }
    pages
}

/// Targets of the links and pictures of a page.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 10, "{}", pages.len());
    let mut broken = Vec::new();
    for (path, text) in &pages {
        for link in links(text).filter(|link| !link.contains("://") && !link.contains(' ')) {
            let (file, _) = link.split_once('#').unwrap_or((link, ""));
            if !path.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_page_is_reachable_from_the_readme() {
    let pages = pages();
    let text_of = |path: &Path| {
        let path = path.canonicalize().ok()?;
        pages.iter().find(|(page, _)| page.canonicalize().is_ok_and(|page| page == path))
    };
    let mut seen = vec![root().join("README.md").canonicalize().unwrap()];
    let mut next = 0;
    while let Some(path) = seen.get(next).cloned() {
        next += 1;
        let Some((_, text)) = text_of(&path) else { continue };
        for link in links(text) {
            if let Ok(target) = path.parent().unwrap().join(link).canonicalize()
                && !seen.contains(&target)
            {
                seen.push(target);
            }
        }
    }
    for (path, _) in &pages {
        assert!(seen.contains(&path.canonicalize().unwrap()), "no link leads to {}", path.display());
    }
}

#[test]
fn the_readme_is_read_in_a_minute_and_each_page_begins_with_its_purpose() {
    let pages = pages();
    let (_, readme) = pages.iter().find(|(path, _)| path.ends_with("README.md")).unwrap();
    assert!(readme.len() <= 8192, "README.md has {} bytes", readme.len());
    // Two commands before anything else.
    let commands: Vec<&str> =
        readme.split("```sh\n").skip(1).filter_map(|b| b.split("\n```").next()).collect();
    assert_eq!(commands.get(..2), Some(&["cargo run --release -- up ~/Pictures", "cargo test"][..]));
    for (path, text) in &pages {
        let first = text.lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default();
        assert!(text.starts_with("# "), "{} has no title", path.display());
        assert!(
            first.starts_with(char::is_uppercase) || first.starts_with("mediadex") || first.starts_with("##"),
            "{} does not begin with a sentence: {first}",
            path.display()
        );
    }
}
