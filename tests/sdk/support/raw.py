"""A client of forty lines that signs ACS3-HMAC-SHA256 itself, for requests
that no SDK sends: wrong values, wrong secrets, the same request twice."""

import hashlib
import hmac
import http.client
import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, urlencode, urlsplit

from .cloud import ACCESS_KEY_ID, ACCESS_KEY_SECRET, Cloud


@dataclass
class Reply:
    status: int
    headers: dict
    body: dict

    @property
    def code(self) -> str:
        return self.body.get("Code", "")


@dataclass
class Request:
    """A signed request. What is not given is as a right client sends it."""

    action: str
    params: dict = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""
    version: str = "2020-09-30"
    key_id: str = ACCESS_KEY_ID
    secret: str = ACCESS_KEY_SECRET
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex)
    age: timedelta = timedelta()
    method: str = "POST"
    headers: dict = field(default_factory=dict)

    def text_params(self) -> dict:
        """Values as SDKs write them: JSON for objects and lists."""
        return {
            name: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
            for name, value in self.params.items()
        }

    def signed_headers(self, host: str) -> dict:
        date = datetime.now(timezone.utc) - self.age
        headers = {
            "host": host,
            "x-acs-action": self.action,
            "x-acs-version": self.version,
            "x-acs-date": date.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": self.nonce,
            "x-acs-content-sha256": hashlib.sha256(self.body).hexdigest(),
        }
        if self.content_type:
            headers["content-type"] = self.content_type
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        encoded = sorted((quote(k, safe="~"), quote(v, safe="~")) for k, v in self.text_params().items())
        query = "&".join(f"{key}={value}" for key, value in encoded)
        canonical = f"{self.method}\n/\n{query}\n{lines}\n{names}\n{headers['x-acs-content-sha256']}"
        to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = (
            f"ACS3-HMAC-SHA256 Credential={self.key_id},SignedHeaders={names},Signature={signature}"
        )
        return headers

    def send(self, cloud: Cloud) -> Reply:
        host = urlsplit(cloud.api).netloc
        headers = self.signed_headers(host)
        for name, value in self.headers.items():
            if value is None:
                headers.pop(name, None)
            else:
                headers[name] = value
        query = urlencode(self.text_params())
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            connection.request(self.method, f"/?{query}" if query else "/", self.body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        return Reply(answer.status, dict(answer.getheaders()), json.loads(content))
