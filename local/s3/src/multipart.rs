//! Multipart uploads. The parts lie in the state directory until the upload is
//! completed or aborted. All of it blocks.

use std::fs::File;
use std::io;

use md5::{Digest, Md5};
use s3s::S3ErrorCode;
use s3s::dto::ChecksumType;

use crate::bucket::Bucket;
use crate::checksums::{Algorithm, Hashers, Plan, SumType, Sums, copy_hashed, invalid_request};
use crate::conditions::WriteConditions;
use crate::error::{Doing, Fault, Outcome};
use crate::events::EventName;
use crate::fsys;
use crate::intake::{Received, bad_digest};
use crate::keys::Key;
use crate::parts::Layout;
use crate::sidecar::{Attributes, Completed, Part, Record, Upload};
use crate::staging::Staged;
use crate::store::Inner;

/// S3's lower limit for every part but the last, in bytes.
const MIN_PART: u64 = 5 << 20;
/// S3's upper limit for part numbers.
const MAX_PARTS: i32 = 10_000;

/// A part that a client completes an upload with.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) number: i32,
    pub(crate) etag: Option<String>,
    pub(crate) sums: Sums,
}

/// What a client asks for when it completes an upload.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    pub(crate) parts: Vec<Named>,
    /// The checksum that the object should have.
    pub(crate) sums: Sums,
    /// How it was made: as the client says.
    pub(crate) sum_type: Option<String>,
    /// Bytes that the object should have.
    pub(crate) size: Option<u64>,
    pub(crate) conditions: WriteConditions,
}

impl Completion {
    fn check_size(&self, parts: &[Part]) -> Outcome<()> {
        let size = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.size));
        match self.size {
            Some(wanted) if wanted != size => Err(invalid_request(format!(
                "The provided 'x-amz-mp-object-size' header value {wanted} does not match what was computed: {size}"
            ))),
            _ => Ok(()),
        }
    }

    /// The checksum that the object gets: what the upload was created with, or what
    /// the client names now, or the default one.
    fn plan(&self, planned: Option<Plan>) -> Outcome<Plan> {
        let named = self.sums.algorithm();
        let plan = match (planned, named) {
            (Some(plan), _) => plan,
            (None, None) => Plan::DEFAULT,
            (None, Some(algorithm)) => {
                let sum_type = self
                    .sum_type
                    .as_deref()
                    .or_else(|| algorithm.joins().then_some(ChecksumType::FULL_OBJECT));
                Plan::of(Some(algorithm.name()), sum_type)?.unwrap_or(Plan::DEFAULT)
            }
        };
        if self.sum_type.as_deref().is_some_and(|named| named != plan.sum_type.as_str()) {
            return Err(bad_digest("x-amz-checksum-type"));
        }
        match named.filter(|named| *named != plan.algorithm) {
            Some(named) => Err(mismatch(plan.algorithm, named)),
            None => Ok(plan),
        }
    }

    /// Compares the object's checksum with the one that the client gave. That of
    /// checksums of parts may come without their number.
    fn check_sum(&self, plan: Plan, sum: &str) -> Outcome<()> {
        let without_number = sum.split('-').next();
        match self.sums.get(plan.algorithm) {
            Some(wanted) if wanted != sum && Some(wanted.as_str()) != without_number => {
                Err(bad_digest(plan.algorithm.header()))
            }
            _ => Ok(()),
        }
    }
}

/// A checksum of another kind than the upload's.
pub(crate) fn mismatch(expected: Algorithm, actual: Algorithm) -> Fault {
    invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        expected.name().to_ascii_lowercase(),
        actual.name().to_ascii_lowercase()
    ))
}

/// Checks the number of a part.
pub(crate) fn check_number(number: i32) -> Outcome<()> {
    if (1..=MAX_PARTS).contains(&number) {
        Ok(())
    } else {
        Err(Fault::invalid("Part number must be an integer between 1 and 10000, inclusive"))
    }
}

impl Inner {
    pub(crate) fn create_upload(
        &self,
        bucket: &Bucket,
        key: &str,
        attributes: Attributes,
    ) -> Outcome<String> {
        Key::parse(key).map_err(|refusal| refusal.fault(key))?;
        let _root = bucket.root()?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        std::fs::create_dir(self.upload_path(&id)).map_err(|e| Fault::internal("starting an upload", e))?;
        self.sidecar.add_upload(&Upload {
            id: id.clone(),
            bucket: bucket.name.clone(),
            key: key.to_owned(),
            initiated: fsys::now_ns() / 1_000_000_000,
            attributes,
        })?;
        Ok(id)
    }

    pub(crate) fn upload(&self, bucket: &Bucket, key: &str, id: &str) -> Outcome<Upload> {
        let _root = bucket.root()?;
        self.sidecar.upload(&bucket.name, key, id)?.ok_or_else(Fault::no_such_upload)
    }

    /// Checks that a part may be sent and opens a file for it; answers the upload too.
    pub(crate) fn start_part(
        &self,
        bucket: &Bucket,
        key: &str,
        id: &str,
        number: i32,
    ) -> Outcome<(Staged, Upload)> {
        check_number(number)?;
        let upload = self.upload(bucket, key, id)?;
        Ok((Staged::in_state(self)?, upload))
    }

    /// Files a part that was received.
    pub(crate) fn finish_part(&self, id: &str, number: i32, received: Received) -> Outcome<Part> {
        let part = Part {
            number,
            file: uuid::Uuid::new_v4().simple().to_string(),
            etag: hex::encode(received.md5),
            size: received.size,
            modified: fsys::now_ns() / 1_000_000_000,
            sums: received.sums,
        };
        let folder = match fsys::open_root(&self.upload_path(id)) {
            Ok(folder) => folder,
            Err(e) if fsys::is_missing(&e) => return Err(Fault::no_such_upload()),
            Err(e) => return Err(Fault::internal("filing a part", e)),
        };
        received.staged.keep(&folder, &part.file).map_err(|e| Fault::internal("filing a part", e))?;
        match self.sidecar.put_part(id, &part)? {
            Some(replaced) => {
                if let Some(replaced) = replaced {
                    fsys::remove_file(&folder, &replaced).doing("removing a replaced part")?;
                }
                Ok(part)
            }
            None => {
                // Aborted or completed meanwhile.
                self.remove_upload_files(id);
                Err(Fault::no_such_upload())
            }
        }
    }

    /// Makes the object. Another request that completes the same upload is waited
    /// for; a client that got no answer completes it again, and gets the same.
    pub(crate) fn complete_upload(
        &self,
        bucket: &Bucket,
        key: &str,
        id: &str,
        asked: &Completion,
    ) -> Outcome<Completed> {
        let _root = bucket.root()?;
        let _claim = self.claim_in_turn(id);
        let Some(upload) = self.sidecar.upload(&bucket.name, key, id)? else {
            let completed = self.sidecar.completed(&bucket.name, key, id)?;
            return completed.filter(|it| it.is_of(&asked.parts)).ok_or_else(Fault::no_such_upload);
        };
        let parts = self.choose_parts(id, &asked.parts)?;
        asked.check_size(&parts)?;
        let plan = asked.plan(upload.attributes.plan)?;
        let known = plan.combine(parts.iter().map(|part| (part.sums.get(plan.algorithm), part.size)));
        if let Some(sum) = &known {
            asked.check_sum(plan, sum)?;
        }
        self.check_put(bucket, key, &asked.conditions)?;
        let mut staged = Staged::new(self, bucket)?;
        let sum = self.join(id, &parts, &mut staged, known.is_none().then_some(plan))?;
        let sum = match (known, sum) {
            (Some(known), _) => known,
            (None, sum) => {
                let sum = sum.ok_or_else(|| Fault::internal("joining parts", "no checksum"))?;
                asked.check_sum(plan, &sum)?;
                sum
            }
        };
        let mut hash = Md5::new();
        for part in &parts {
            hash.update(hex::decode(&part.etag).unwrap_or_default());
        }
        let etag = format!("{}-{}", hex::encode(hash.finalize()), parts.len());
        let mut attributes = upload.attributes;
        let named = attributes.plan.take();
        attributes.parts = i32::try_from(parts.len()).ok();
        attributes.layout = Some(Layout::of(&parts, named.map(|plan| plan.algorithm)));
        attributes.sum_type = plan.sum_type;
        attributes.sums.set(plan.algorithm, sum);
        let completed = Completed {
            etag: etag.clone(),
            sums: attributes.sums.clone(),
            sum_type: plan.sum_type,
            parts: parts.into_iter().map(|part| (part.number, part.etag)).collect(),
        };
        let record = Record { etag: Some(etag), attributes };
        self.commit(bucket, key, staged, &record, &asked.conditions, EventName::CompleteMultipartUpload)?;
        self.sidecar.end_upload(id, Some(&completed))?;
        self.remove_upload_files(id);
        Ok(completed)
    }

    /// Writes the parts one after the other. Calculates the object's checksum where
    /// it does not follow from those of the parts.
    fn join(
        &self,
        id: &str,
        parts: &[Part],
        staged: &mut Staged,
        plan: Option<Plan>,
    ) -> Outcome<Option<String>> {
        let path = self.upload_path(id);
        let mut whole = Hashers::of(plan.map(|plan| plan.algorithm));
        let mut sums = Vec::new();
        for part in parts {
            let mut file = match File::open(path.join(&part.file)) {
                Ok(file) => file,
                Err(e) if fsys::is_missing(&e) => return Err(Fault::no_such_upload()),
                Err(e) => return Err(Fault::internal("reading a part", e)),
            };
            match plan {
                None => {
                    io::copy(&mut file, &mut staged.file).doing("joining parts")?;
                }
                Some(plan) if plan.sum_type.is_full() => {
                    copy_hashed(&mut file, &mut staged.file, u64::MAX, &mut whole)?;
                }
                Some(plan) => {
                    let mut hashers = Hashers::of([plan.algorithm]);
                    copy_hashed(&mut file, &mut staged.file, u64::MAX, &mut hashers)?;
                    sums.push((hashers.finish(), part.size));
                }
            }
        }
        Ok(plan.and_then(|plan| match plan.sum_type {
            SumType::FullObject => whole.finish().get(plan.algorithm).cloned(),
            SumType::Composite => {
                plan.combine(sums.iter().map(|(sums, size)| (sums.get(plan.algorithm), *size)))
            }
        }))
    }

    /// The parts that the client named, in its order, checked as S3 does.
    fn choose_parts(&self, id: &str, wanted: &[Named]) -> Outcome<Vec<Part>> {
        if wanted.is_empty() {
            return Err(Fault::client(S3ErrorCode::MalformedXML, "You must specify at least one part"));
        }
        let present = self.sidecar.parts(id)?;
        let mut chosen: Vec<Part> = Vec::with_capacity(wanted.len());
        for part in wanted {
            let number = part.number;
            if chosen.last().is_some_and(|last| last.number >= number) {
                return Err(Fault::client(
                    S3ErrorCode::InvalidPartOrder,
                    "The list of parts was not in ascending order. Parts must be ordered by part number.",
                ));
            }
            let found = present
                .binary_search_by_key(&number, |p| p.number)
                .ok()
                .and_then(|at| present.get(at))
                .filter(|p| part.etag.as_ref().is_none_or(|etag| *etag == p.etag))
                .filter(|p| {
                    part.sums.iter().all(|(algorithm, sum)| p.sums.get(algorithm).is_none_or(|it| it == sum))
                });
            let Some(found) = found else {
                return Err(Fault::client(
                    S3ErrorCode::InvalidPart,
                    format!("part {number} was not uploaded, or its entity tag or checksum is another"),
                ));
            };
            chosen.push(found.clone());
        }
        let all_but_last = chosen.len() - 1;
        if chosen.iter().take(all_but_last).any(|part| part.size < MIN_PART) {
            return Err(Fault::client(
                S3ErrorCode::EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size",
            ));
        }
        Ok(chosen)
    }

    pub(crate) fn abort_upload(&self, bucket: &Bucket, key: &str, id: &str) -> Outcome<()> {
        self.upload(bucket, key, id)?;
        let _claim = self.claim(id)?;
        self.sidecar.remove_upload(id)?;
        self.remove_upload_files(id);
        Ok(())
    }
}
