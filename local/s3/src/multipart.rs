//! Multipart uploads. The parts lie in the state directory until the upload is
//! completed or aborted. All of it blocks.

use std::fs::File;
use std::io;

use md5::{Digest, Md5};
use s3s::S3ErrorCode;
use s3s::dto::CompletedPart;

use crate::bucket::Bucket;
use crate::conditions::WriteConditions;
use crate::error::{Doing, Fault, Outcome};
use crate::events::EventName;
use crate::fsys;
use crate::intake::Received;
use crate::keys::Key;
use crate::objects::Object;
use crate::sidecar::{Attributes, Part, Record, Upload};
use crate::staging::Staged;
use crate::store::Inner;

/// S3's lower limit for every part but the last, in bytes.
const MIN_PART: u64 = 5 << 20;
/// S3's upper limit for part numbers.
const MAX_PARTS: i32 = 10_000;

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

    /// Checks that a part may be sent and opens a file for it.
    pub(crate) fn start_part(&self, bucket: &Bucket, key: &str, id: &str, number: i32) -> Outcome<Staged> {
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(Fault::invalid("Part number must be an integer between 1 and 10000, inclusive"));
        }
        self.upload(bucket, key, id)?;
        Staged::in_state(self)
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

    pub(crate) fn complete_upload(
        &self,
        bucket: &Bucket,
        key: &str,
        id: &str,
        wanted: &[CompletedPart],
        conditions: &WriteConditions,
    ) -> Outcome<Object> {
        let upload = self.upload(bucket, key, id)?;
        let _claim = self.claim(id)?;
        let parts = self.choose_parts(id, wanted)?;
        self.check_put(bucket, key, conditions)?;
        let mut staged = Staged::new(self, bucket)?;
        let mut hash = Md5::new();
        let path = self.upload_path(id);
        for part in &parts {
            let mut file = match File::open(path.join(&part.file)) {
                Ok(file) => file,
                Err(e) if fsys::is_missing(&e) => return Err(Fault::no_such_upload()),
                Err(e) => return Err(Fault::internal("reading a part", e)),
            };
            io::copy(&mut file, &mut staged.file).doing("joining parts")?;
            hash.update(hex::decode(&part.etag).unwrap_or_default());
        }
        let etag = format!("{}-{}", hex::encode(hash.finalize()), parts.len());
        let mut attributes = upload.attributes;
        attributes.parts = i32::try_from(parts.len()).ok();
        let record = Record { etag: Some(etag), attributes };
        let object =
            self.commit(bucket, key, staged, &record, conditions, EventName::CompleteMultipartUpload)?;
        self.sidecar.remove_upload(id)?;
        self.remove_upload_files(id);
        Ok(object)
    }

    /// The parts that the client named, in its order, checked as S3 does.
    fn choose_parts(&self, id: &str, wanted: &[CompletedPart]) -> Outcome<Vec<Part>> {
        if wanted.is_empty() {
            return Err(Fault::client(S3ErrorCode::MalformedXML, "You must specify at least one part"));
        }
        let present = self.sidecar.parts(id)?;
        let mut chosen: Vec<Part> = Vec::with_capacity(wanted.len());
        for part in wanted {
            let number = part.part_number.unwrap_or_default();
            if chosen.last().is_some_and(|last| last.number >= number) {
                return Err(Fault::client(
                    S3ErrorCode::InvalidPartOrder,
                    "The list of parts was not in ascending order. Parts must be ordered by part number.",
                ));
            }
            let named = part.e_tag.as_ref().map(s3s::dto::ETag::value);
            let found = present
                .binary_search_by_key(&number, |p| p.number)
                .ok()
                .and_then(|at| present.get(at))
                .filter(|p| named.is_none_or(|etag| etag == p.etag));
            let Some(found) = found else {
                return Err(Fault::client(
                    S3ErrorCode::InvalidPart,
                    format!("part {number} was not uploaded, or its entity tag is another"),
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
