//! Measures how fast a bucket is listed page by page.
//!
//! `cargo run --release -p mediadex-s3 --example list_speed [FILES]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for people")]

use std::time::Instant;

use aws_credential_types::Credentials as AwsCredentials;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use mediadex_s3::{Access, Credentials, Options, Store, Watch, serve};

fn cpu() -> f64 {
    // User and system time of the process in clock ticks, fields 14 and 15.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

#[tokio::main]
async fn main() {
    let files: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(20_000);
    for (shape, per_folder) in [("flat", files), ("100 a folder", 100)] {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..files {
            let folder = dir.path().join(format!("{:06}", n / per_folder));
            if n % per_folder == 0 {
                std::fs::create_dir(&folder).unwrap();
            }
            std::fs::write(folder.join(format!("IMG_{n:08}.jpg")), b"x").unwrap();
        }
        let store = Store::ephemeral(Options { watch: Watch::Off, ..Options::default() }).unwrap();
        store.add_bucket("bucket", dir.path(), Access::ReadOnly).unwrap();
        let started = Instant::now();
        let counted = store.count("bucket", |_| true).unwrap();
        println!("{shape}: counted {} in {:.0} ms", counted.files, started.elapsed().as_secs_f64() * 1e3);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hosts = mediadex_s3::Hosts::of(address.ip(), &[]);
        let keys = Credentials { access_key: "a".into(), secret_key: "s".into() };
        tokio::spawn(serve(listener, store, keys, hosts, std::future::pending()));
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(AwsCredentials::new("a", "s", None, None, "bench"))
            .region(Region::new("us-east-1"))
            .endpoint_url(format!("http://{address}"))
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        for settled in [false, true] {
            if settled {
                // Lists of folders that changed just now are not cached.
                tokio::time::sleep(std::time::Duration::from_secs(4)).await;
            }
            let (started, before) = (Instant::now(), cpu());
            let mut pages = client.list_objects_v2().bucket("bucket").into_paginator().send();
            let mut keys = 0;
            while let Some(page) = pages.next().await {
                keys += page.unwrap().contents().len();
            }
            let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu() - before);
            println!(
                "{shape}, {}: {keys} keys in {:.0} ms wall, {:.0} ms CPU with the client: {:.0} keys/s wall, {:.0} keys/s CPU",
                if settled { "settled" } else { "just written" },
                wall * 1e3,
                cpu * 1e3,
                keys as f64 / wall,
                keys as f64 / cpu.max(0.001),
            );
        }
    }
}
