"""Clients of Huawei Cloud's ImageSearch SDK, and what its calls come to."""

import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials as SdkCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.signer.signer import Signer

from .cloud import ACCESS_KEY_ID, ACCESS_KEY_SECRET, Cloud

PROJECT = "0123456789abcdef0123456789abcdef"


class BasicCredentials(SdkCredentials):
    """Shows a token instead of a signature, which the SDK itself does not
    offer. The name is one that its builder takes."""

    def __init__(self, token: str):
        super().__init__("unused", "unused", PROJECT)
        self._shown = token

    def sign_request(self, request):
        request.header_params["X-Auth-Token"] = self._shown
        Signer.process_request_uri(request)
        return request


def key_pair(key_id: str = ACCESS_KEY_ID, secret: str = ACCESS_KEY_SECRET, project: str = PROJECT):
    return SdkCredentials(key_id, secret, project)


def client(cloud: Cloud, client_class, credentials=None):
    """A client made as the SDK's documentation says."""
    builder = client_class.new_builder().with_credentials(credentials or key_pair())
    return builder.with_endpoint(cloud.api).build()


def check_outcome(one_call, operation: str) -> None:
    """What comes of a call that was let in and found its operation. The one
    place to change when the operations are there: until then the router says
    that they are not."""
    error = refusal(one_call)
    assert (error.status_code, error.error_code) == (404, "APIGW.0101"), error
    assert error.error_msg.startswith(f"{operation} is not available")


def check_refused(one_call, status: int = 401, code: str = "APIGW.0301") -> None:
    """That a call was not let in."""
    error = refusal(one_call)
    assert (error.status_code, error.error_code) == (status, code), error


def refusal(one_call) -> ClientRequestException:
    try:
        one_call()
    except ClientRequestException as error:
        assert len(error.request_id) == 36
        assert error.error_msg
        return error
    raise AssertionError("no error")


def token_of(cloud: Cloud, name: str = ACCESS_KEY_ID, password: str = ACCESS_KEY_SECRET) -> str:
    """A token of the token call."""
    user = {"name": name, "password": password, "domain": {"name": "any"}}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "cn-north-4"}},
        }
    }
    reply = requests.post(f"{cloud.api}/v3/auth/tokens", json=body, timeout=30)
    assert reply.status_code == 201, reply.text
    return reply.headers["X-Subject-Token"]


def operations(client_class, ending: str = "") -> set[str]:
    """The calls that a client has, by name."""
    return {
        name.removesuffix(ending)
        for name in dir(client_class)
        if name.startswith("run_")
        and name.endswith(ending)
        and not name.endswith(("_http_info", "_invoker"))
    }
