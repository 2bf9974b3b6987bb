//! What `mediadex up` says, to people and to scripts, of a folder whose index is
//! not the folder: where removals are held back, and where it is not followed.

use std::process::Command;

use serde_json::json;

use crate::access_key::User;

#[test]
fn what_keeps_the_index_from_being_the_folder_is_said_at_each_start() {
    let user = User::new();
    let file = |number: usize| user.folder().join(format!("k{number}.txt"));
    for number in 0..10 {
        std::fs::write(file(number), number.to_string()).unwrap();
    }
    let guarded = |up: &mut Command| {
        up.env("MEDIADEX_GUARD_FLOOR", "3").env("MEDIADEX_GUARD_SHARE", "0.2");
    };
    let up = user.up(guarded);
    let dataset = up.ready["datasets"][0].clone();
    assert_eq!((&dataset["state"], dataset.get("warning")), (&json!("Running"), None), "{dataset}");
    let said = up.stop();
    assert!(said.contains("; changes of the folders are followed\n"), "{said}");
    assert!(!said.contains("warning: "), "{said}");

    for number in 0..8 {
        std::fs::remove_file(file(number)).unwrap();
    }
    let up = user.up(guarded);
    let dataset = up.ready["datasets"][0].clone();
    assert_eq!((&dataset["state"], &dataset["files"]), (&json!("Retrying"), &json!(11)), "{dataset}");
    let warning = dataset["warning"].as_str().unwrap();
    for part in ["removals are held back: 8 of 11 ", "`mediadex resume photos` goes on"] {
        assert!(warning.contains(part), "{warning}");
    }
    let stop = ["call", "StopBinding", "ProjectName=local", "DatasetName=photos", "URI=oss://photos"];
    let endpoint = format!("http://127.0.0.1:{}", user.port);
    let stopped = user.mediadex().args(stop).env("MEDIADEX_ENDPOINT", endpoint).output().unwrap();
    assert!(stopped.status.success(), "{stopped:?}");
    let said = up.stop();
    assert!(said.contains(&format!("\nwarning: {warning}\n")), "{said}");
    assert!(said.contains("; changes of the folders are followed\n"), "{said}");

    let up = user.up(guarded);
    let dataset = up.ready["datasets"][0].clone();
    assert_eq!((&dataset["state"], &dataset["files"]), (&json!("Stopped"), &json!(11)), "{dataset}");
    let warning = dataset["warning"].as_str().unwrap();
    assert!(warning.starts_with("oss://photos is not followed: "), "{warning}");
    let said = up.stop();
    assert!(said.contains(&format!("\nwarning: {warning}\n")), "{said}");
    assert!(said.contains("; changes of the folders are not followed\n"), "{said}");
}

/// Files that were renamed while nobody looked: what a name was of is found under
/// another, so nothing is missing.
#[test]
fn a_folder_that_was_renamed_holds_nothing_back() {
    let user = User::new();
    let trip = user.folder().join("trip");
    std::fs::create_dir(&trip).unwrap();
    for number in 0..8 {
        std::fs::write(trip.join(format!("{number}.txt")), number.to_string()).unwrap();
    }
    let guarded = |up: &mut Command| {
        up.env("MEDIADEX_GUARD_FLOOR", "1").env("MEDIADEX_GUARD_SHARE", "0.1");
    };
    user.up(guarded).stop();
    std::fs::rename(&trip, user.folder().join("journey")).unwrap();
    let up = user.up(guarded);
    let dataset = up.ready["datasets"][0].clone();
    assert_eq!((&dataset["state"], &dataset["files"]), (&json!("Running"), &json!(9)), "{dataset}");
    assert!(!up.stop().contains("warning: "));
}
