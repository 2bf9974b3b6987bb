//! File systems that are mounted inside of a watched folder. Mounting and
//! unmounting changes what is in a folder, and the system's watches do not tell.

use std::path::Path;

/// The mounts below a folder, one text each, which changes when another file
/// system takes the place. None where the system does not list its mounts.
pub(super) fn below(folder: &Path) -> Vec<String> {
    match (folder.to_str(), std::fs::read_to_string("/proc/self/mountinfo")) {
        (Some(folder), Ok(mounts)) => parse(&mounts, folder),
        _ => Vec::new(),
    }
}

/// Each line is `id parent device root point options...`; blanks and the like in
/// paths are written as `\040`.
fn parse(mounts: &str, folder: &str) -> Vec<String> {
    let mut inside = String::with_capacity(folder.len() + 1);
    for c in folder.chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' => inside.push_str(&format!("\\{:03o}", u32::from(c))),
            c => inside.push(c),
        }
    }
    inside.push('/');
    let mut found: Vec<String> = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (id, device) = (fields.next()?, fields.nth(1)?);
            let point = fields.nth(1)?;
            point.starts_with(&inside).then(|| format!("{id} {device} {point}"))
        })
        .collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_inside_of_a_folder_are_found() {
        let mounts = "22 1 8:1 / / rw,relatime - ext4 /dev/root rw\n\
            40 22 0:35 / /home/me/My\\040Photos/usb rw - tmpfs tmpfs rw\n\
            41 22 0:36 / /home/me/My\\040Photos rw - tmpfs tmpfs rw\n\
            42 22 0:37 / /home/me/My\\040Photos2/x rw - tmpfs tmpfs rw\n";
        assert_eq!(parse(mounts, "/home/me/My Photos"), ["40 0:35 /home/me/My\\040Photos/usb"]);
        assert_eq!(parse(mounts, "/srv"), Vec::<String>::new());
    }
}
