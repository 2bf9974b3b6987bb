//! What holding a request to its signature takes: time and allocations.
//!
//! `cargo bench -p mediadex-core --bench signatures`
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use divan::{AllocProfiler, Bencher, black_box};
use mediadex_core::gateway::{Credentials, HttpRequest, sign_acs3, verify_signature};
use mediadex_core::model::Timestamp;
use mediadex_core::operation::Params;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A call as our own client signs it: all parameters in a body of `bytes`.
fn acs3(bytes: usize) -> HttpRequest {
    let mut params = Params::new();
    params.insert("ProjectName".into(), "project".into());
    params.insert("Files".into(), "x".repeat(bytes).into());
    let signed =
        sign_acs3("127.0.0.1:9800", "GetProject", &params, Credentials::new("id", "secret")).unwrap();
    signed.into()
}

/// The same as the official SDKs write it: parameters in the query string.
fn with_query(bytes: usize) -> HttpRequest {
    let mut request = acs3(0);
    request.query =
        format!("DatasetName=dataset&ProjectName=project&Files={}", "%7B%22a%22".repeat(bytes.div_ceil(10)));
    request
}

#[divan::bench(args = [0, 4_096, 32_768])]
fn acs3_body(bencher: Bencher<'_, '_>, bytes: usize) {
    let (request, now) = (acs3(bytes), Timestamp::now());
    assert!(verify_signature(&request, "secret", now).is_ok());
    bencher.bench_local(|| verify_signature(black_box(&request), "secret", now));
}

/// Of a request that is refused at the end: the work is the same.
#[divan::bench(args = [0, 4_096, 32_768])]
fn acs3_query(bencher: Bencher<'_, '_>, bytes: usize) {
    let (request, now) = (with_query(bytes), Timestamp::now());
    bencher.bench_local(|| verify_signature(black_box(&request), "secret", now).is_ok());
}

#[divan::bench(args = [0, 4_096, 32_768])]
fn rpc_v1(bencher: Bencher<'_, '_>, bytes: usize) {
    let now = Timestamp::now();
    let mut request = with_query(bytes);
    request.headers.clear();
    request.body.clear();
    request.query.push_str(&format!(
        "&Action=GetProject&Version=2020-09-30&Timestamp={now}&SignatureNonce=0123456789abcdef&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&AccessKeyId=id&Signature=AAAA"
    ));
    bencher.bench_local(|| verify_signature(black_box(&request), "secret", now).is_ok());
}
