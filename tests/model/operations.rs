//! Every operation, with every fault at every call that it makes: a single one
//! is not noticed; a lasting one is an error that says so, and the same call made
//! again ends where it would have ended without.

use std::collections::BTreeSet;

use dynoxide::Database;
use mediadex_core::Code;
use mediadex_core::operation::OPERATIONS;
use serde_json::{Value, json};

use crate::aws::{FAULTS, Fault, Plan};
use crate::bucket::Bucket;
use crate::world::World;

/// Calls of services that a lasting fault takes down.
const OUTAGE: u64 = 60;

/// Parameters of each operation, in the world that [`prepare`] makes.
fn params(name: &str) -> Value {
    let mut params = json!({"ProjectName": "p", "DatasetName": "d"});
    let file = json!({"URI": "oss://bucket/a", "CustomLabels": {"k": "v"}});
    let more = match name {
        "CreateProject" => json!({"ProjectName": "new"}),
        "UpdateProject" => json!({"Description": "changed"}),
        "DeleteProject" => json!({"ProjectName": "empty"}),
        "CreateDataset" => json!({"DatasetName": "new", "DatasetMaxFileCount": 5}),
        "GetDataset" => json!({"WithStatistics": true}),
        "UpdateDataset" => json!({"DatasetMaxFileCount": 10, "Description": "changed"}),
        "DeleteDataset" => json!({"DatasetName": "empty"}),
        "CreateBinding" => json!({"URI": "oss://second"}),
        "GetBinding" | "StopBinding" => json!({"URI": "oss://bucket"}),
        "DeleteBinding" => json!({"URI": "oss://bucket", "Cleanup": true}),
        "ResumeBinding" => json!({"URI": "oss://stopped"}),
        "IndexFileMeta" => {
            json!({"File": file, "Notification": {"MNS": {"TopicName": "topic"}}})
        }
        "UpdateFileMeta" => json!({"File": file}),
        "BatchIndexFileMeta" | "BatchUpdateFileMeta" => {
            json!({"Files": [file, {"URI": "oss://bucket/b", "CustomId": "1"}]})
        }
        "GetFileMeta" | "DeleteFileMeta" => json!({"URI": "oss://bucket/a"}),
        "BatchGetFileMeta" | "BatchDeleteFileMeta" => json!({"URIs": ["oss://bucket/a", "oss://bucket/b"]}),
        "SimpleQuery" => json!({"Query": {"Field": "Size", "Operation": "gt", "Value": "0"}, "Sort": "Size"}),
        "FuzzyQuery" | "SemanticQuery" => json!({"Query": "a"}),
        "ExtractDocumentText" => json!({"SourceURI": "oss://bucket/a", "SourceType": "txt"}),
        "GetTask" => json!({"TaskType": "IndexFileMeta", "TaskId": "?"}),
        "ListTasks" | "GetProject" | "ListProjects" | "ListDatasets" | "ListBindings" | "ListAccessKeys" => {
            json!({})
        }
        "CreateAccessKey" => json!({"AccessKeyId": "new", "Policy": {"Statement": []}}),
        "UpdateAccessKey" => json!({"AccessKeyId": "app", "Status": "Inactive"}),
        "RotateAccessKey" | "DeleteAccessKey" | "CreateTemporaryKey" | "CreateToken" => {
            json!({"AccessKeyId": "app"})
        }
        other => panic!("{other} needs parameters here"),
    };
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let known: BTreeSet<&str> = OPERATIONS
        .iter()
        .find(|row| row.name == name)
        .unwrap()
        .params
        .iter()
        .map(|param| param.name)
        .collect();
    params.as_object_mut().unwrap().retain(|name, _| known.contains(name.as_str()));
    params
}

/// A project with a scanned dataset, one that is empty, a stopped binding, a task.
async fn prepare(database: &Database) -> (World, String) {
    let mut world = World::new(7, database, None, |_| {}).await;
    mediadex_core::state::create_tables(&world.ctx.db).await.unwrap();
    {
        let now = world.now();
        let mut wires = world.services.wires.lock().unwrap();
        wires.latency = 1;
        for name in ["bucket", "second", "stopped"] {
            let mut bucket = Bucket::default();
            for key in ["a", "b", "c", "d"] {
                bucket.put(name, key, format!("{name} {key}").into_bytes(), now);
            }
            wires.storage.buckets.insert(name.into(), bucket);
        }
    }
    for project in ["p", "empty"] {
        world.must("CreateProject", json!({"ProjectName": project})).await;
    }
    for dataset in ["d", "empty"] {
        world.must("CreateDataset", json!({"ProjectName": "p", "DatasetName": dataset})).await;
    }
    for bucket in ["bucket", "stopped"] {
        let uri = format!("oss://{bucket}");
        let binding = json!({"ProjectName": "p", "DatasetName": "d", "URI": uri});
        world.must("CreateBinding", binding.clone()).await;
        world.settle().await;
        if bucket == "stopped" {
            world.must("StopBinding", binding).await;
        }
    }
    world.must("CreateAccessKey", json!({"AccessKeyId": "app", "Policy": {"Statement": []}})).await;
    let file = json!({"ProjectName": "p", "DatasetName": "d", "File": {"URI": "oss://bucket/d"}});
    let task = world.must("IndexFileMeta", file).await["EventId"].as_str().unwrap().to_owned();
    world.settle().await;
    (world, task)
}

/// What is stored, without what differs from run to run: ids, times, revisions;
/// and without the records of runs, which are kept to be looked at.
fn snapshot(world: &World) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for table in [&world.ctx.config.state_table, &world.ctx.config.files_table] {
        for mut item in world.services.items(table) {
            let item = item.as_object_mut().unwrap();
            if item["PK"]["S"].as_str().unwrap().starts_with("SCAN#") {
                continue;
            }
            for varying in ["rev", "ttl", "create_time", "update_time", "run", "start_time", "end_time", "h"]
                .into_iter()
                .chain(["secret", "token_hash", "expires", "parent_born"])
            {
                item.remove(varying);
            }
            // Shards are chosen at random; their sums are looked at below.
            if item["PK"]["S"].as_str().unwrap().starts_with("CTR#") {
                for varying in ["files", "size", "room_files", "room_size"] {
                    item.remove(varying);
                }
            }
            // Made up again each time.
            if item["PK"]["S"].as_str().unwrap().starts_with("CREDENTIAL#") {
                item.remove("PK");
                item.remove("id");
            }
            lines.insert(without_ids(&serde_json::to_string(&item).unwrap()));
        }
    }
    for name in ["files", "size", "room_files", "room_size"] {
        let items = world.services.items(&world.ctx.config.state_table);
        let shards = items.iter().filter(|item| item["PK"]["S"].as_str().unwrap().starts_with("CTR#"));
        let sum: i64 = shards.map(|shard| shard[name]["N"].as_str().unwrap().parse::<i64>().unwrap()).sum();
        lines.insert(format!("{name}: {sum}"));
    }
    lines
}

/// Replaces ULIDs and UUIDs.
fn without_ids(text: &str) -> String {
    let is_id = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    let mut clean = String::new();
    let mut word = String::new();
    for c in text.chars().chain(std::iter::once(' ')) {
        if is_id(c) {
            word.push(c);
            continue;
        }
        clean.push_str(if word.len() >= 26 { "ID" } else { &word });
        word.clear();
        clean.push(c);
    }
    clean
}

struct Ran {
    /// `None`: it succeeded.
    error: Option<(Code, u16)>,
    /// Calls of services.
    calls: u64,
    after: BTreeSet<String>,
    messages: usize,
}

/// Runs an operation in a fresh world, where calls meet `plan` from its first
/// call on; with `again`, once more without faults if it fails.
fn run(name: &str, plan: impl Fn(u64) -> Plan, again: bool) -> Ran {
    crate::play(async {
        let database = Database::memory().unwrap();
        let (mut world, task) = prepare(&database).await;
        let mut params = params(name);
        if params.get("TaskId").is_some() {
            params["TaskId"] = json!(task);
        }
        let calls = || world.services.wires.lock().unwrap().calls;
        let before = calls();
        world.services.wires.lock().unwrap().plan = plan(before);
        let mut answer = world.call(name, params.clone()).await;
        let calls = calls() - before;
        world.services.wires.lock().unwrap().plan = Plan::Never;
        let error = answer.as_ref().err().map(|error| (error.code().clone(), error.code().status()));
        // A batch says of each file whether it was done.
        let files = answer.as_ref().ok().and_then(|reply| reply.get("Files")?.as_array());
        let refused =
            files.is_some_and(|files| files.iter().any(|file| file.get("Success") == Some(&json!(false))));
        if again && (answer.is_err() || refused) {
            answer = world.call(name, params).await;
            if let Err(error) = answer {
                // The first call had taken effect.
                let did = [Code::ResourceAlreadyExists, Code::ResourceNotFound, Code::StatusConflict];
                assert!(did.contains(error.code()), "{name}, made again: {}", error.internal_text());
            }
        }
        world.settle().await;
        // The schedule takes up what an operation left when it failed.
        world.schedule().await;
        assert!(world.stuck.lock().unwrap().is_empty(), "{name}: a scan came to no end");
        let messages = world.services.wires.lock().unwrap().messages.len();
        Ran { error, calls, after: snapshot(&world), messages }
    })
}

fn difference(want: &BTreeSet<String>, got: &BTreeSet<String>) -> String {
    let lacks: Vec<_> = want.difference(got).collect();
    let extra: Vec<_> = got.difference(want).collect();
    format!("lacks {lacks:#?}, has {extra:#?}")
}

/// Looks at all operations, on both cores, and gives what is wrong with them.
fn each(look: impl Fn(&'static str) -> Vec<String> + Sync) -> Vec<String> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(row) = OPERATIONS.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let found = look(row.name);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

#[test]
fn a_single_fault_is_not_noticed() {
    let wrong = each(|name| {
        let mut wrong = Vec::new();
        let reference = run(name, |_| Plan::Never, false);
        assert_eq!(reference.error, None, "{name}");
        assert!(reference.calls > 0, "{name} calls nothing");
        for fault in FAULTS {
            for at in 0..reference.calls {
                let ran = run(name, |from| Plan::Calls(from + at..from + at + 1, fault), false);
                if let Some(error) = ran.error {
                    wrong.push(format!("{name} with {fault:?} at call {at}: {error:?}"));
                } else if ran.after != reference.after || ran.messages != reference.messages {
                    let difference = difference(&reference.after, &ran.after);
                    wrong.push(format!("{name} with {fault:?} at call {at}: {difference}"));
                }
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn an_outage_is_an_error_and_nothing_is_half_done() {
    let wrong = each(|name| {
        let mut wrong = Vec::new();
        let reference = run(name, |_| Plan::Never, false);
        for fault in [Fault::Lost, Fault::TimedOut, Fault::Throttled, Fault::ServerError] {
            for at in 0..reference.calls {
                let ran = run(name, |from| Plan::Calls(from + at..from + at + OUTAGE, fault), true);
                match ran.error {
                    // Worked around: what failed was not needed for the answer.
                    None | Some((Code::ServiceUnavailable | Code::Throttling, 429 | 503)) => {}
                    Some(other) => wrong.push(format!("{name} with {fault:?} from call {at}: {other:?}")),
                }
                if ran.after != reference.after || ran.messages < reference.messages {
                    let difference = difference(&reference.after, &ran.after);
                    wrong.push(format!("{name} with {fault:?} from call {at}: {difference}"));
                }
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
