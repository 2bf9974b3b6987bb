//! What the head of a request says, before its body is read: so that nobody
//! whose signature does not hold makes the process keep megabytes.
//!
//! Nothing but the access key is read and nothing is written here. `handle`
//! checks everything again with the body, and the nonce.

use std::time::Instant;

use super::{Door, Gateway, HttpRequest, HttpResponse, MAX_BODY, auth, encoding, native, rpc_v1};
use crate::error::Result;
use crate::model::{Timestamp, request_id};

/// What is to be done with a request's body.
#[derive(Debug)]
pub enum Precheck {
    /// The head's signature, or its token, holds. The body, of at most
    /// [`MAX_BODY`] bytes, may be read.
    Verified,
    /// Whether the signature holds can be said only with the body, of at most
    /// so many bytes.
    NeedsBody {
        /// Bytes that it may have.
        max: usize,
    },
    /// The request is refused whatever its body is.
    Refused(HttpResponse),
}

impl Gateway {
    /// Looks at a request whose body has not been read; `head.body` is empty.
    pub async fn precheck(&self, head: &HttpRequest) -> Precheck {
        if super::is_public(head) {
            return Precheck::NeedsBody { max: 0 };
        }
        let (door, id, started) = (Door::of(&head.path), request_id(), Instant::now());
        let checked = async {
            super::must_be_short(head)?;
            match door {
                Door::Imm => self.precheck_imm(head).await,
                Door::ImageSearch => self.precheck_image_search(head).await,
                Door::Native => {
                    native::claim(head)?.identify(&self.ctx, head).await?;
                    Ok(Precheck::Verified)
                }
            }
        };
        // Boxed: the futures of the store are large.
        match Box::pin(checked).await {
            Ok(precheck) => precheck,
            Err(error) => {
                let response = self.render(door, &error, &id);
                let action = super::shown_action(door, head);
                super::log_failure(&id, &action, "", started, &response, &error);
                Precheck::Refused(response)
            }
        }
    }

    async fn precheck_imm(&self, head: &HttpRequest) -> Result<Precheck> {
        super::must_be_an_rpc_method(head)?;
        let now = Timestamp::now();
        let claim = match auth::imm_token(head) {
            Some(claim) => claim,
            None if rpc_v1::is_rpc_v1(head)
                || (head.header("authorization").is_none() && encoding::form(head).is_some()) =>
            {
                // Of a signature in the form nothing is known yet.
                if let Some(id) = rpc_v1::read_head(head, now)? {
                    auth::must_be_a_key(&self.ctx, &id).await?;
                }
                return Ok(Precheck::NeedsBody { max: MAX_BODY });
            }
            None => super::acs3::read_head(head, now)?,
        };
        claim.identify(&self.ctx, head).await?;
        Ok(Precheck::Verified)
    }
}
