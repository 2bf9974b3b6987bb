//! The small files of `../shared/cases`, each with its right value: `mediadex inspect` runs
//! over each in a process of its own, with limits of memory and of time.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Map, Value};

/// Address space of a process, and its CPU time.
const ADDRESS_SPACE_KIB: u64 = 4 * 1024 * 1024;
const CPU_SECONDS: u64 = 30;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases")
}

#[test]
fn the_cases_hold() {
    let Ok(list) = std::fs::read(root().join("cases.json")) else {
        eprintln!("skipped: the folder of cases is not beside this checkout");
        return;
    };
    let cases: Vec<Value> = serde_json::from_slice(&list).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let (path, grown) = made(case, scratch.path());
        let ran = inspect(&path);
        wrong.extend(faults(case, &ran).into_iter().map(|fault| format!("{}: {fault}", case["path"])));
        if grown {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(!cases.is_empty());
    assert!(wrong.is_empty(), "{} faults in {} cases\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The case's file, and whether it was made for this run: `grow` names bytes that are
/// written many times in a row, left out of the disk where they are zeros.
fn made(case: &Value, scratch: &Path) -> (PathBuf, bool) {
    let kept = root().join(case["path"].as_str().unwrap());
    let Some(grow) = case["grow"].as_array() else { return (kept, false) };
    let bytes = std::fs::read(&kept).unwrap();
    let path = scratch.join(kept.file_name().unwrap());
    let mut file = std::fs::File::create(&path).unwrap();
    let number = |step: &Value, name: &str| step[name].as_u64().unwrap() as usize;
    let (mut at, mut len) = (0, 0);
    for step in grow {
        let (from, to, times) = (number(step, "from"), number(step, "to"), number(step, "times"));
        file.write_all(&bytes[at..from]).unwrap();
        len += from - at + (to - from) * times;
        let piece = &bytes[from..to];
        if piece.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Start(len as u64)).unwrap();
        } else {
            file.write_all(&piece.repeat(times)).unwrap();
        }
        at = to;
    }
    file.write_all(&bytes[at..]).unwrap();
    file.set_len((len + bytes.len() - at) as u64).unwrap();
    (path, true)
}

/// What a run came to.
struct Ran {
    /// Absent where the process failed.
    file: Option<Map<String, Value>>,
    /// Largest resident memory in MiB and CPU time in seconds, where the system tells them.
    resident: Option<f64>,
    cpu: Option<f64>,
}

fn inspect(path: &Path) -> Ran {
    let limited =
        format!("ulimit -v {ADDRESS_SPACE_KIB}; ulimit -t {CPU_SECONDS}; exec \"$0\" inspect \"$1\" --json");
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_mediadex")])
        .arg(path)
        .stdout(Stdio::from(output.reopen().unwrap()))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (resident, cpu) = watch(child.id());
    let success = child.wait().unwrap().success();
    let line: Option<Value> = serde_json::from_slice(&std::fs::read(output.path()).unwrap()).ok();
    let file = line.filter(|_| success).and_then(|line| line["file"].as_object().cloned());
    Ran { file, resident, cpu }
}

/// Follows a process until it has ended and only waits to be collected.
fn watch(id: u32) -> (Option<f64>, Option<f64>) {
    let mut resident = None;
    loop {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{id}/{name}")).ok();
        let Some(stat) = read("stat") else { return (resident, None) };
        let peak = read("status").and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.to_owned();
            line.split_whitespace().next()?.parse::<f64>().ok()
        });
        resident = peak.map(|kib| kib / 1024.0).or(resident);
        // Behind the name, which stands in brackets: the state, and further on the ticks.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        if fields.first().is_none_or(|state| matches!(*state, "Z" | "X")) {
            let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok());
            // A hundredth of a second each, on every system that has /proc.
            let cpu = ticks(11).zip(ticks(12)).map(|(user, system)| (user + system) / 100.0);
            return (resident, cpu);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What is not as the case wants it.
fn faults(case: &Value, ran: &Ran) -> Vec<String> {
    let mut found = Vec::new();
    match &ran.file {
        None => found.push("the process failed".to_owned()),
        Some(file) => {
            for (name, want) in case["expect"].as_object().unwrap() {
                let got = field(file, name);
                if !holds(file, name, &got, want) {
                    found.push(format!("{name} is {got}, not {want}"));
                }
            }
        }
    }
    for (what, value, most) in [
        ("MiB of memory", ran.resident, &case["limits"]["max_rss_mib"]),
        ("s of CPU time", ran.cpu, &case["limits"]["max_cpu_s"]),
    ] {
        if let (Some(value), Some(most)) = (value, most.as_f64())
            && value > most
        {
            found.push(format!("{value:.2} {what}, over {most}"));
        }
    }
    found
}

/// A field by its path with dots; absent and empty are Null.
fn field(file: &Map<String, Value>, path: &str) -> Value {
    if let Some(tag) = path.strip_prefix("EXIF.") {
        let text = file.get("EXIF").and_then(Value::as_str).unwrap_or("{}");
        let tags: Value = serde_json::from_str(text).unwrap();
        return tags[tag]["value"].clone();
    }
    let mut names = path.split('.');
    let mut value = names.next().and_then(|name| file.get(name)).cloned().unwrap_or(Value::Null);
    for name in names {
        value = match name.parse::<usize>() {
            Ok(index) => value[index].clone(),
            Err(_) => value[name].clone(),
        };
    }
    match &value {
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::String(text) if text.is_empty() => Value::Null,
        _ => value,
    }
}

/// Whether a field is as wanted: a value, or one of the forms of the folder's README.
fn holds(file: &Map<String, Value>, name: &str, got: &Value, want: &Value) -> bool {
    let Some(form) = want.as_object() else { return same(name, got, want) };
    let reason = file.get("Reason").and_then(Value::as_str).unwrap_or_default();
    form.iter().all(|(key, value)| match key.as_str() {
        "any" => value.as_array().unwrap().iter().any(|one| same(name, got, one)),
        "not" => !same(name, got, value),
        "has" => got.as_str().is_some_and(|text| text.contains(value.as_str().unwrap())),
        "lacks" => got.as_str().is_none_or(|text| !text.contains(value.as_str().unwrap())),
        "present" => got.is_null() != value.as_bool().unwrap(),
        "text" | "list" => {
            let said = reason.contains(form["or_reason"].as_str().unwrap());
            same(name, got, value) || (said && begins(got, value))
        }
        // Belongs to the form above.
        "or_reason" => true,
        "or_said" => {
            let partial = file.get("ObjectStatus").and_then(Value::as_str) == Some("Partial");
            same(name, got, value) || (partial && !reason.is_empty())
        }
        other => panic!("{other} is no form"),
    })
}

/// Whether `got` is the beginning of the whole.
fn begins(got: &Value, whole: &Value) -> bool {
    match (got, whole) {
        (Value::String(got), Value::String(whole)) => !got.is_empty() && whole.starts_with(got.as_str()),
        (Value::Array(got), Value::Array(whole)) => !got.is_empty() && whole.starts_with(got),
        _ => false,
    }
}

fn same(name: &str, got: &Value, want: &Value) -> bool {
    let place = |value: &Value| -> Option<Vec<f64>> {
        value.as_str()?.split(',').map(|part| part.trim().parse().ok()).collect()
    };
    if name == "LatLong"
        && let (Some(got), Some(want)) = (place(got), place(want))
    {
        return got.len() == want.len() && got.iter().zip(&want).all(|(a, b)| (a - b).abs() <= 0.000_02);
    }
    match (got.as_f64(), want.as_f64()) {
        (Some(got), Some(exact)) if want.is_f64() => (got - exact).abs() <= (exact.abs() * 0.005).max(0.05),
        (Some(got), Some(want)) => got == want,
        _ => got == want,
    }
}

#[test]
fn the_comparison_can_fail() {
    let file = serde_json::json!({
        "Title": "one two", "ObjectStatus": "Partial", "Reason": "Title: cut", "Duration": 4.0,
        "EXIF": "{\"Make\":{\"value\":\"ACME\"}}", "LatLong": "1.00001,2.0", "Empty": [], "List": [1, {"W": 3}],
    });
    let file = file.as_object().unwrap();
    let table = [
        ("Title", serde_json::json!("one two"), true),
        ("Title", serde_json::json!("one"), false),
        ("Title", serde_json::json!({"text": "one two three", "or_reason": "Title"}), true),
        ("Title", serde_json::json!({"text": "one two three", "or_reason": "Author"}), false),
        ("Title", serde_json::json!({"text": "two one", "or_reason": "Title"}), false),
        ("Title", serde_json::json!({"any": [null, "one"]}), false),
        ("Title", serde_json::json!({"not": "one two"}), false),
        ("Title", serde_json::json!({"has": "two"}), true),
        ("Title", serde_json::json!({"lacks": "two"}), false),
        ("Title", serde_json::json!({"or_said": "three"}), true),
        ("Reason", serde_json::json!({"present": true}), true),
        ("Other", serde_json::json!({"present": true}), false),
        ("Other", serde_json::json!(null), true),
        ("Empty", serde_json::json!(null), true),
        ("EXIF.Make", serde_json::json!("ACME"), true),
        ("EXIF.Model", serde_json::json!("ACME"), false),
        ("LatLong", serde_json::json!("1.0,2.0"), true),
        ("LatLong", serde_json::json!("1.1,2.0"), false),
        ("Duration", serde_json::json!(4.04), true),
        ("Duration", serde_json::json!(4.5), false),
        ("List.1.W", serde_json::json!(3), true),
    ];
    for (name, want, right) in table {
        assert_eq!(holds(file, name, &field(file, name), &want), right, "{name} {want}");
    }
}
