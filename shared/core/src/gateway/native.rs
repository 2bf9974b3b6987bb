//! The door for people and scripts: `POST /api/<Operation>` with a JSON body
//! and `Authorization: Bearer <token>`.

use serde_json::Value;

use super::{Gateway, HttpRequest, HttpResponse, auth, encoding, row_of};
use crate::error::{Code, Error, Result};
use crate::operation::Params;

/// Where the operations are.
pub(super) const ROOT: &str = "/api/";

/// The status of a row of the catalogue at this door. IMM's SDKs want 400 for
/// what came too often; HTTP has a status for it.
pub(super) fn status(code: &Code) -> u16 {
    match code {
        Code::Throttling => 429,
        code => code.status(),
    }
}

/// The token of a request.
fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// The claim of a request of this door.
///
/// # Errors
/// Another method than POST, or no token.
pub(super) fn claim(request: &HttpRequest) -> Result<auth::Claim> {
    if request.method != "POST" {
        return Err(Error::with_code(Code::UnsupportedHttpMethod, "This method is not supported; use POST."));
    }
    let token = bearer(request).ok_or_else(|| {
        Error::with_code(Code::MissingBearerToken, "Authorization: Bearer <token> is mandatory.")
    })?;
    Ok(auth::token(token))
}

impl Gateway {
    /// Answers a request of this door.
    pub(super) async fn native(
        &self,
        request: &HttpRequest,
        id: &str,
        caller: &mut String,
    ) -> Result<HttpResponse> {
        let key = claim(request)?.authenticate(&self.ctx, request).await?;
        key.owner().clone_into(caller);
        let name = request.path.strip_prefix(ROOT).unwrap_or_default();
        let row = row_of(name)?;
        let params =
            if request.body.is_empty() { Params::new() } else { encoding::json_object(&request.body)? };
        let reply = self.run(row, params, &key, id).await?;
        Ok(HttpResponse::json(200, &Value::Object(reply), id))
    }
}
