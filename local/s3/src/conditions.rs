//! Conditional requests.

use s3s::dto::{ETag, ETagCondition, Timestamp};

use crate::error::{Fault, Outcome};
use crate::fsys;

/// The conditions of a GET, HEAD or copy source.
#[derive(Debug, Default)]
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

impl ReadConditions {
    /// Checks them in the order and with the precedence of RFC 9110, section 13.2.2.
    /// `copy` is for a copy source, where "not modified" is a failed precondition.
    pub(crate) fn check(&self, etag: &str, modified: i64, copy: bool) -> Outcome<()> {
        let when = fsys::timestamp(modified);
        let unchanged = || {
            if copy { Fault::precondition() } else { Fault::NotModified { etag: etag.to_owned(), modified } }
        };
        if let Some(condition) = &self.if_match {
            if !matches(condition, etag) {
                return Err(Fault::precondition());
            }
        } else if self.if_unmodified_since.as_ref().is_some_and(|since| when > *since) {
            return Err(Fault::precondition());
        }
        if let Some(condition) = &self.if_none_match {
            if matches(condition, etag) {
                return Err(unchanged());
            }
        } else if self.if_modified_since.as_ref().is_some_and(|since| when <= *since) {
            return Err(unchanged());
        }
        Ok(())
    }
}

/// The conditions of a write or delete.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl WriteConditions {
    pub(crate) fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Checks them against the ETag of what is there, if anything is.
    pub(crate) fn check(&self, present: Option<&str>) -> Outcome<()> {
        if let Some(condition) = &self.if_match {
            match present {
                None => return Err(Fault::no_such_key()),
                Some(etag) if !matches(condition, etag) => return Err(Fault::precondition()),
                Some(_) => {}
            }
        }
        if let (Some(condition), Some(etag)) = (&self.if_none_match, present)
            && matches(condition, etag)
        {
            return Err(Fault::precondition());
        }
        Ok(())
    }
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(ETag::Strong(value) | ETag::Weak(value)) => value == etag,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    fn tag(value: &str) -> Option<ETagCondition> {
        Some(value.parse().unwrap())
    }

    #[test]
    fn reads_follow_the_precedence_of_the_rfc() {
        let at = |seconds| Some(fsys::timestamp(seconds));
        let cases: Vec<(ReadConditions, &str)> = vec![
            (ReadConditions::default(), "ok"),
            (ReadConditions { if_match: tag("\"e\""), ..Default::default() }, "ok"),
            (ReadConditions { if_match: tag("*"), ..Default::default() }, "ok"),
            (ReadConditions { if_match: tag("\"x\""), ..Default::default() }, "failed"),
            (
                ReadConditions { if_match: tag("\"e\""), if_unmodified_since: at(50), ..Default::default() },
                "ok",
            ),
            (ReadConditions { if_unmodified_since: at(50), ..Default::default() }, "failed"),
            (ReadConditions { if_unmodified_since: at(100), ..Default::default() }, "ok"),
            (ReadConditions { if_none_match: tag("\"e\""), ..Default::default() }, "not modified"),
            (
                ReadConditions {
                    if_none_match: tag("\"x\""),
                    if_modified_since: at(200),
                    ..Default::default()
                },
                "ok",
            ),
            (ReadConditions { if_modified_since: at(100), ..Default::default() }, "not modified"),
            (ReadConditions { if_modified_since: at(99), ..Default::default() }, "ok"),
        ];
        for (conditions, want) in cases {
            let got = match conditions.check("e", 100, false) {
                Ok(()) => "ok",
                Err(Fault::NotModified { .. }) => "not modified",
                Err(_) => "failed",
            };
            assert_eq!(got, want, "{conditions:?}");
            assert_eq!(conditions.check("e", 100, true).is_ok(), want == "ok");
        }
    }

    #[test]
    fn writes_check_what_is_there() {
        let only_new = WriteConditions { if_none_match: tag("*"), ..Default::default() };
        let only_same = WriteConditions { if_match: tag("\"e\""), ..Default::default() };
        assert!(only_new.check(None).is_ok() && only_new.check(Some("e")).is_err());
        assert!(only_same.check(Some("e")).is_ok());
        assert!(only_same.check(Some("x")).is_err() && only_same.check(None).is_err());
        assert!(WriteConditions::default().is_empty());
    }
}
