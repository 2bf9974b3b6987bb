"""Buckets and objects without an AWS SDK, for environments that have none."""

import hashlib
import hmac
import urllib.request
from datetime import datetime, timezone
from urllib.parse import quote, urlsplit

from .cloud import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REGION, Cloud


def create_bucket(cloud: Cloud, bucket: str) -> None:
    _put(cloud, f"/{bucket}", b"")


def put_object(cloud: Cloud, bucket: str, key: str, body: bytes) -> None:
    _put(cloud, f"/{bucket}/{quote(key)}", body)


def _put(cloud: Cloud, path: str, body: bytes) -> None:
    """A PUT with AWS's signature, version 4."""
    endpoint = cloud.ready["s3"]
    date = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": urlsplit(endpoint).netloc, "x-amz-content-sha256": digest, "x-amz-date": date}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"PUT\n{path}\n\n{lines}\n{names}\n{digest}"
    scope = f"{date[:8]}/{REGION}/s3/aws4_request"
    key = f"AWS4{ACCESS_KEY_SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}{path}", body, headers, method="PUT"), timeout=30).close()
