//! Requests to the front door: `METHOD TARGET`, a header a line, an empty line,
//! the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediadex_core::gateway::{HttpRequest, read_request, verify_signature};
use mediadex_core::model::Timestamp;

fuzz_target!(|data: &[u8]| {
    let split = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let (head, body) = data.split_at(split);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap_or_default().split_once(' ').unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect(),
        body: body.get(2..).unwrap_or_default().to_vec(),
    };
    // The dates of the seeds are near this one.
    let now = Timestamp(1_795_293_093_000_000_000);
    // Not even the right secret, unless it stands in the seeds, makes it pass.
    let _ = verify_signature(&request, "secret", now);
    let _ = read_request(&request);
});
