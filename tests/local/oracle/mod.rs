//! SimpleQuery against an independent oracle: random files and random queries,
//! answered by the engine through the real store, and by SQLite.
//!
//! `MEDIADEX_ORACLE_SEED` replays one dataset, `MEDIADEX_ORACLE_DATASETS` sets
//! how many there are.

mod plans;
mod world;

use mediadex_core::model::request_id;
use mediadex_core::operation::{Call, Params, operation};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Local, params};

const DATASETS: u64 = 24;
const QUERIES: usize = 90;

async fn ask(local: &Local, name: &str, value: Value) -> Params {
    let row = operation(name).unwrap();
    let call = Call::new(request_id());
    let reply = row.run(&local.cloud.ctx, &call, params(value.clone())).await;
    reply.unwrap_or_else(|error| panic!("{value}: {}", error.internal_text()))
}

fn strings(sqlite: &Connection, sql: &str) -> Vec<String> {
    let mut statement = sqlite.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|row| row.unwrap_or_else(|error| panic!("{sql}: {error}"))).collect()
}

fn float(sqlite: &Connection, sql: &str) -> Option<f64> {
    sqlite.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Fields to sort by with what SQLite sorts by.
const SORTS: &[(&str, &str)] = &[
    ("Size", "json_extract(doc, '$.Size')"),
    ("Title", "doc->>'$.Title'"),
    ("ProduceTime", "produced"),
    ("Duration", "json_extract(doc, '$.Duration')"),
    ("MediaType", "doc->>'$.MediaType'"),
    ("URI", "uri"),
    ("EXIF.FNumber", "ifnull(fnumber, doc->>'$.EXIF.FNumber')"),
];

fn order(random: &mut StdRng) -> (String, String, String) {
    let count = *[0usize, 0, 1, 1, 2, 3].choose(random).unwrap();
    let (mut fields, mut orders, mut sql) = (Vec::new(), Vec::new(), String::new());
    for (field, column) in SORTS.choose_multiple(random, count) {
        let order = *["asc", "desc"].choose(random).unwrap();
        fields.push(*field);
        orders.push(order);
        sql.push_str(&format!("{column} {order} NULLS LAST, "));
    }
    (fields.join(","), orders.join(","), format!("{sql}uri"))
}

/// All pages of a query: the URIs in their order, and the total of each page.
async fn pages(local: &Local, mut query: Value, size: usize) -> Vec<String> {
    let (mut found, mut totals) = (Vec::new(), Vec::new());
    query["MaxResults"] = json!(size);
    loop {
        let reply = ask(local, "SimpleQuery", query.clone()).await;
        let files = reply["Files"].as_array().unwrap();
        assert!(files.len() <= size);
        found.extend(files.iter().map(|file| file["URI"].as_str().unwrap().to_owned()));
        totals.extend(reply.get("TotalHits").and_then(Value::as_u64));
        let token = reply["NextToken"].as_str().unwrap();
        if token.is_empty() {
            break;
        }
        query["NextToken"] = json!(token);
    }
    assert!(
        totals.iter().all(|total| *total == found.len() as u64),
        "{query}: {totals:?} of {}",
        found.len()
    );
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_agrees_with_sqlite() {
    let seeds = match std::env::var("MEDIADEX_ORACLE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => {
            let count =
                std::env::var("MEDIADEX_ORACLE_DATASETS").map_or(DATASETS, |text| text.parse().unwrap());
            (0..count).collect()
        }
    };
    let local = Local::start().await;
    let (mut cases, mut hits) = (0, 0);
    for seed in seeds {
        let mut random = StdRng::seed_from_u64(seed);
        let name = format!("d{seed}");
        local.make_dataset("p", &name).await;
        let dataset = local.cloud.ctx.db.dataset("p", &name).await.unwrap();
        let sqlite = world::make(&local, &dataset, &mut random).await;
        for number in 0..QUERIES {
            let depth = random.random_range(0..3);
            let condition = plans::condition(&mut random, depth);
            let (sort, order, order_sql) = order(&mut random);
            let size = *[1usize, 7, 30, 100].choose(&mut random).unwrap();
            let query = json!({"ProjectName": "p", "DatasetName": name, "Query": condition.node, "Sort": sort,
                "Order": order, "WithoutTotalHits": random.random_bool(0.3), "WithFields": ["URI"]});
            let want =
                strings(&sqlite, &format!("SELECT uri FROM f WHERE {} ORDER BY {order_sql}", condition.sql));
            let found = pages(&local, query.clone(), size.max(want.len() / 5)).await;
            assert_eq!(found, want, "seed {seed}, query {number}: {query}\n{}", condition.sql);
            hits += want.len();
            aggregations(&local, &sqlite, &name, &condition, seed).await;
            cases += 1;
        }
    }
    assert!(hits > cases, "the queries find too little to say anything: {hits} files in {cases} queries");
    local.cloud.shutdown().await;
}

/// Every aggregation over what a condition finds.
async fn aggregations(local: &Local, sqlite: &Connection, name: &str, condition: &plans::Both, seed: u64) {
    let each = |path: &str| format!("FROM f, json_each(f.doc, '{path}') e WHERE {}", condition.sql);
    let plain = format!("FROM f WHERE {}", condition.sql);
    let numbers = [
        ("Duration", "min", format!("SELECT min(json_extract(doc, '$.Duration')) {plain}")),
        ("ImageWidth", "max", format!("SELECT cast(max(json_extract(doc, '$.ImageWidth')) AS REAL) {plain}")),
        ("Duration", "average", format!("SELECT avg(json_extract(doc, '$.Duration')) {plain}")),
        ("Duration", "sum", format!("SELECT total(json_extract(doc, '$.Duration')) {plain}")),
        ("Title", "count", format!("SELECT cast(count(doc->>'$.Title') AS REAL) {plain}")),
        ("Keywords", "count", format!("SELECT cast(count(e.value) AS REAL) {}", each("$.Keywords"))),
        (
            "EXIF.Make",
            "distinct",
            format!("SELECT cast(count(DISTINCT doc->>'$.EXIF.Make') AS REAL) {plain}"),
        ),
        ("ProduceTime", "min", format!("SELECT min(produced / 1000) / 1000.0 {plain}")),
    ];
    let groups = [
        (
            "MediaType",
            "group",
            format!("SELECT doc->>'$.MediaType' v, count(*) n {plain} GROUP BY v ORDER BY n DESC, v"),
        ),
        (
            "Keywords",
            "group",
            format!("SELECT e.value v, count(*) n {} GROUP BY v ORDER BY n DESC, v", each("$.Keywords")),
        ),
        (
            "CustomLabels.category",
            "group",
            format!(
                "SELECT min(e.value) v, count(*) n {} AND lower(e.key) = 'category' GROUP BY lower(e.value) ORDER BY n DESC, v",
                each("$.CustomLabels")
            ),
        ),
        (
            "ProduceTime",
            "date_histogram:month",
            format!(
                "SELECT strftime('%Y-%m-01T00:00:00Z', (produced - ((produced % 1000000000) + 1000000000) % 1000000000) / 1000000000, 'unixepoch') v, count(*) n {plain} AND produced IS NOT NULL GROUP BY v ORDER BY v"
            ),
        ),
    ];
    let asked: Vec<Value> = numbers
        .iter()
        .map(|(field, operation, _)| (field, operation))
        .chain(groups.iter().map(|(field, operation, _)| (field, operation)))
        .map(|(field, operation)| json!({"Field": field, "Operation": operation}))
        .collect();
    let query =
        json!({"ProjectName": "p", "DatasetName": name, "Query": condition.node, "Aggregations": asked});
    let reply = ask(local, "SimpleQuery", query.clone()).await;
    assert!(reply.get("Files").is_none(), "files beside aggregations");
    let replies = reply["Aggregations"].as_array().unwrap();
    for ((field, operation, sql), reply) in numbers.iter().zip(replies) {
        assert_eq!(
            reply["Value"].as_f64(),
            float(sqlite, sql),
            "seed {seed}, {operation} of {field}: {query}"
        );
    }
    for ((field, operation, sql), reply) in groups.iter().zip(replies.iter().skip(numbers.len())) {
        let mut statement = sqlite.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let want: Vec<Value> = statement
            .query_map([], |row| {
                Ok(json!({"Value": row.get::<_, String>(0)?, "Count": row.get::<_, u64>(1)?}))
            })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(reply["Groups"], json!(want), "seed {seed}, {operation} of {field}: {query}");
    }
}

/// Files come and go between the pages: what did not change comes once.
#[tokio::test(flavor = "multi_thread")]
async fn paging_among_writers_repeats_and_skips_nothing() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("paging").await;
    let file = |key: String, width: usize| json!({"URI": format!("oss://paging/{key}"), "CustomLabels": {"order": format!("{width:04}")}});
    let mut stable = Vec::new();
    for chunk in (0..180usize).collect::<Vec<_>>().chunks(60) {
        let files: Vec<Value> = chunk.iter().map(|n| file(format!("stable-{n:03}"), n * 37 % 180)).collect();
        for n in chunk {
            local.put("paging", &format!("stable-{n:03}"), b"x").await;
            stable.push(format!("stable-{n:03}"));
        }
        local
            .call("BatchIndexFileMeta", json!({"ProjectName": "p", "DatasetName": "d", "Files": files}))
            .await;
    }
    local.until("all are indexed", || async { (local.counts("p", "d").await.0 == 180).then_some(()) }).await;
    let churn = async {
        for round in 0..120usize {
            let key = format!("churn-{:03}", round % 40);
            local.put("paging", &key, format!("{round}").as_bytes()).await;
            let files = json!([file(key.clone(), round * 53 % 180)]);
            local
                .call("BatchIndexFileMeta", json!({"ProjectName": "p", "DatasetName": "d", "Files": files}))
                .await;
            if round % 3 == 0 {
                local.api.call("DeleteFileMeta", &params(json!({"ProjectName": "p", "DatasetName": "d", "URI": format!("oss://paging/{key}")}))).await.unwrap();
            }
        }
    };
    let read = async {
        let mut walks = 0;
        for (sort, order) in
            [("", ""), ("CustomLabels.order", "asc"), ("CustomLabels.order", "desc"), ("Size", "desc")]
                .iter()
                .cycle()
                .take(8)
        {
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let reply = local
                    .call(
                        "SimpleQuery",
                        json!({"ProjectName": "p", "DatasetName": "d", "Sort": sort, "Order": order,
                        "MaxResults": 11, "NextToken": token, "WithoutTotalHits": true}),
                    )
                    .await;
                let files = reply["Files"].as_array().unwrap().clone();
                seen.extend(files.iter().map(|file| file["Filename"].as_str().unwrap().to_owned()));
                token = reply["NextToken"].as_str().unwrap().to_owned();
                if token.is_empty() {
                    break;
                }
            }
            let mut found: Vec<String> = seen.into_iter().filter(|name| name.starts_with("stable")).collect();
            found.sort();
            assert_eq!(found, stable, "sorted by {sort:?} {order}");
            walks += 1;
        }
        walks
    };
    let (_, walks) = tokio::join!(churn, read);
    assert_eq!(walks, 8);
    local.cloud.shutdown().await;
}
