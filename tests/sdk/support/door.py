"""Keys, tokens and clients of every kind, for the tests of the front door."""

import http.server
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass

from .cloud import Cloud, unique
from .raw import Request

# What signatures go wrong over: blanks, marks that are encoded or not, text
# that is not ASCII.
ODD = "a*b + ?'()! ~%2F=&é北京"

# The name of a signature, and what the SDKs' Config calls it.
ALGORITHMS = {"acs3": None, "rpc-v1": "v2"}


def allow(*actions: str, resource: str = "*") -> dict:
    """A policy that allows these actions and no other."""
    return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]}


def call(cloud: Cloud, action: str, **params) -> dict:
    """Calls an operation that no SDK has, as the key of the local cloud."""
    reply = Request(action, params).send(cloud)
    assert reply.status == 200, reply.body
    return reply.body


def access_key(cloud: Cloud, policy: dict) -> tuple[str, str]:
    """The id and the secret of a new key."""
    key = call(cloud, "CreateAccessKey", AccessKeyId=unique("key"), Policy=policy)["AccessKey"]
    return key["AccessKeyId"], key["AccessKeySecret"]


def temporary_key(cloud: Cloud, **params) -> dict:
    return call(cloud, "CreateTemporaryKey", **params)["Credentials"]


def token(cloud: Cloud, **params) -> str:
    return call(cloud, "CreateToken", **params)["Token"]


def lasting_client(cloud: Cloud, **config):
    return cloud.imm(**config)


def temporary_client(cloud: Cloud, **config):
    key = temporary_key(cloud)
    return cloud.imm(
        key["AccessKeySecret"], key["AccessKeyId"], security_token=key["SecurityToken"], **config
    )


def bearer_client(cloud: Cloud, **config):
    """Has no secret, so that it cannot sign by mistake."""
    return cloud.imm(None, None, bearer_token=token(cloud), **config)


CLIENTS = {"a-lasting-key": lasting_client, "a-temporary-key": temporary_client, "a-bearer-token": bearer_client}


@dataclass
class Sent:
    """What a client sent."""

    target: str
    headers: dict


@contextmanager
def recorder():
    """An endpoint that writes down what it is sent, and agrees to everything."""
    sent: list[Sent] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent.append(Sent(self.path, {name.lower(): value for name, value in self.headers.items()}))
            body = json.dumps({"RequestId": "0"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()


def check_what_is_sent(client, algorithm: str, kind: str, one_call) -> None:
    """That a client uses the signature it is told to: otherwise a test of one
    signature could pass by way of another."""
    with recorder() as (endpoint, sent):
        client._endpoint = endpoint
        one_call(client)
    (request,) = sent
    signed_by_header = request.headers.get("authorization", "").startswith("ACS3-HMAC-SHA256 ")
    signed_by_query = "SignatureMethod=HMAC-SHA1" in request.target and "&Signature=" in f"&{request.target}"
    has_bearer = "x-acs-bearer-token" in request.headers or "BearerToken=" in request.target
    has_token = "x-acs-security-token" in request.headers or "SecurityToken=" in request.target
    assert has_bearer == (kind == "a-bearer-token")
    assert has_token == (kind == "a-temporary-key")
    if has_bearer:
        # Each core puts it in its own place, by the kind of signature.
        assert ("BearerToken=" in request.target) == (algorithm == "rpc-v1")
        assert not signed_by_header
    else:
        assert (signed_by_header, signed_by_query) == (algorithm == "acs3", algorithm == "rpc-v1")


def check_client(cloud: Cloud, algorithm: str, kind: str) -> None:
    """That a kind of credentials works with a kind of signature, whatever the
    parameters have in them."""
    from alibabacloud_imm20200930 import models

    more = {"signature_algorithm": ALGORITHMS[algorithm]} if ALGORITHMS[algorithm] else {}
    imm = CLIENTS[kind](cloud, **more)
    project = unique("door")
    imm.create_project(models.CreateProjectRequest(project_name=project))
    imm.update_project(models.UpdateProjectRequest(project_name=project, description=ODD))
    got = imm.get_project(models.GetProjectRequest(project_name=project, with_statistics=True)).body.project
    assert (got.project_name, got.description, got.file_count) == (project, ODD, 0)
    request = models.GetProjectRequest(project_name=project)
    check_what_is_sent(imm, algorithm, kind, lambda client: client.get_project(request))


def fault(one_call) -> Exception:
    """What a call raises."""
    try:
        one_call()
    except Exception as error:
        return error
    raise AssertionError("no error")


def slow_project(cloud: Cloud) -> str:
    """A project that answers one request in a second. Born so: a limit that is
    changed later may take its time."""
    name = unique("slow")
    call(cloud, "CreateProject", ProjectName=name, ProjectQueriesPerSecond=1)
    return name


def burst(imm, project: str) -> None:
    """As many calls as a second has room for, and more."""
    from alibabacloud_imm20200930 import models

    for _ in range(10):
        imm.get_project(models.GetProjectRequest(project_name=project))


def check_refusals(cloud: Cloud, algorithm: str) -> None:
    """What any version of the SDK makes of being refused."""
    from alibabacloud_imm20200930 import models

    more = {"signature_algorithm": ALGORITHMS[algorithm]} if ALGORITHMS[algorithm] else {}
    project = unique("door")
    cloud.imm().create_project(models.CreateProjectRequest(project_name=project))
    key_id, secret = access_key(cloud, allow("imm:GetProject"))
    imm = cloud.imm(secret, key_id, **more)
    request = models.GetProjectRequest(project_name=project)
    assert imm.get_project(request).body.project.project_name == project
    temporary = temporary_key(cloud)
    without_token = cloud.imm(temporary["AccessKeySecret"], temporary["AccessKeyId"], **more)
    changed = cloud.imm(None, None, bearer_token=f"{token(cloud)}x", **more)
    refused = [
        (lambda: imm.delete_project(models.DeleteProjectRequest(project_name=project)), 403, "NoPermission"),
        (lambda: cloud.imm("wrong", key_id, **more).get_project(request), 400, "SignatureDoesNotMatch"),
        (lambda: without_token.get_project(request), 400, "MissingSecurityToken"),
        (lambda: changed.get_project(request), 401, "InvalidBearerToken"),
    ]
    for one_call, status, code in refused:
        error = fault(one_call)
        assert (error.code, error.data["statusCode"]) == (code, status)
        assert error.data["RequestId"] in error.message
    call(cloud, "UpdateAccessKey", AccessKeyId=key_id, Status="Inactive")
    assert fault(lambda: imm.get_project(request)).code == "InvalidAccessKeyId.NotFound"
