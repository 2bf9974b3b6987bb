//! What `mediadex up` prints of a key that it has just generated: lines to
//! paste into a shell and a program. The only place that shows its secret.

use std::path::Path;

use crate::access_key::AccessKey;
use crate::cloud::Endpoints;

/// The lines to paste. They hold the secret, so they are for the user's
/// terminal and never for a log.
pub(crate) fn lines(key: &AccessKey, secret_file: &Path, at: Endpoints) -> String {
    let AccessKey { id, secret } = key;
    let Endpoints { api, s3, dynamodb, sns } = at;
    let file = secret_file.display();
    format!(
        r#"a new access key; its secret is shown this once and stands in {file}
  mediadex finds it by itself. For scripts, and for mediadex on other machines:
    export MEDIADEX_ACCESS_KEY_ID={id} MEDIADEX_ACCESS_KEY_SECRET={secret}
  for the official SDK, and how to use it there:
    export ALIBABA_CLOUD_ACCESS_KEY_ID={id} ALIBABA_CLOUD_ACCESS_KEY_SECRET={secret}
    Config(access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
           access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"], endpoint="http://{api}")
  for the SDKs and tools of AWS:
    export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret} AWS_REGION=us-east-1
    export AWS_ENDPOINT_URL_S3=http://{s3} AWS_ENDPOINT_URL_DYNAMODB=http://{dynamodb} AWS_ENDPOINT_URL_SNS=http://{sns}
    aws s3 ls --endpoint-url http://{s3}
"#
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_lines_can_be_pasted() {
        let key = AccessKey { id: "mediadex".into(), secret: "0123abcd".into() };
        let at = |port: u16| ([127, 0, 0, 1], port).into();
        let endpoints = Endpoints { api: at(7300), s3: at(7301), dynamodb: at(7302), sns: at(7303) };
        let lines = lines(&key, Path::new("/state/access.key"), endpoints);
        for want in [
            "/state/access.key\n",
            "export MEDIADEX_ACCESS_KEY_ID=mediadex MEDIADEX_ACCESS_KEY_SECRET=0123abcd\n",
            "export ALIBABA_CLOUD_ACCESS_KEY_ID=mediadex ALIBABA_CLOUD_ACCESS_KEY_SECRET=0123abcd\n",
            "export AWS_ACCESS_KEY_ID=mediadex AWS_SECRET_ACCESS_KEY=0123abcd AWS_REGION=us-east-1\n",
            "AWS_ENDPOINT_URL_SNS=http://127.0.0.1:7303\n",
            "aws s3 ls --endpoint-url http://127.0.0.1:7301\n",
            "endpoint=\"http://127.0.0.1:7300\")\n",
        ] {
            assert!(lines.contains(want), "no {want:?} in {lines}");
        }
    }
}
