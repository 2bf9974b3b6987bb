//! Real documents: nearly all of them have a text.

use std::path::Path;

use mediadex_text::{Error, Limits, content_type_of_extension, extract};

#[test]
fn documents_of_the_corpus_are_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/files");
    let mut open = vec![root.clone()];
    let (mut read, mut refused) = (0, Vec::new());
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            let Some(content_type) = content_type_of_extension(&extension) else { continue };
            match extract(&std::fs::read(&path).unwrap(), content_type, &Limits::default()) {
                Ok(_) => read += 1,
                // Old formats, passwords, pictures: an answer, and no fault.
                Err(error @ (Error::Unsupported(_) | Error::Encrypted | Error::NoText(_))) => {
                    println!("{}: {error}", path.display());
                }
                Err(error) => refused.push(format!("{}: {error}", path.display())),
            }
        }
    }
    if read + refused.len() == 0 {
        println!("no corpus at {}: skipped", root.display());
        return;
    }
    assert!(read >= 100 && read > refused.len() * 20, "{read} are read:\n{}", refused.join("\n"));
}
