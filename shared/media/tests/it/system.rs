//! Programs and libraries are no media: files of this machine beside what `file` says.

use std::process::Command;

use mediadex_media::{Extraction, Features, HEAD_BYTES, Limits, MediaType, ObjectInfo, Step};

#[test]
fn programs_are_no_media() {
    let installed = Command::new("file").arg("--version").output().is_ok_and(|o| o.status.success());
    let Ok(entries) = std::fs::read_dir("/usr/bin") else {
        println!("skipped: there is no /usr/bin here");
        return;
    };
    if !installed {
        println!("skipped: `file` is not installed");
        return;
    }
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
        let Ok(mut file) = std::fs::File::open(&path) else { continue };
        let size = file.metadata().unwrap().len();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let info = ObjectInfo { size, content_type: None, name: &name };
        let mut extraction = Extraction::new(info, Features::all(), Limits::default());
        let mut read = |range: std::ops::Range<u64>| {
            use std::io::{Read as _, Seek as _};
            let mut bytes = Vec::new();
            file.seek(std::io::SeekFrom::Start(range.start)).unwrap();
            (&mut file).take(range.end - range.start).read_to_end(&mut bytes).unwrap();
            bytes
        };
        extraction.supply(0, read(0..size.min(HEAD_BYTES)));
        let record = loop {
            match extraction.step() {
                Step::Done(record) => break record,
                Step::Need(ranges) => ranges.into_iter().for_each(|r| extraction.supply(r.start, read(r))),
            }
        };
        count += 1;
        let media = record.metadata.media_type;
        if matches!(media, Some(MediaType::Image | MediaType::Video | MediaType::Audio)) {
            let said = Command::new("file").args(["--brief", "--mime-type"]).arg(&path).output().unwrap();
            let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
            if !said.starts_with(media.map_or("", MediaType::as_str)) {
                wrong.push(format!("{}: {:?}, not {said}", path.display(), record.metadata.content_type));
            }
        }
    }
    println!("{count} files");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
