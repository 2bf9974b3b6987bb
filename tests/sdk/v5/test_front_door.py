"""Every way that this SDK has to say who calls, what a key may do, how often;
and the doors for callers without an SDK."""

import asyncio
import json
import time

import pytest
import requests
from alibabacloud_credentials.client import Client as CredentialClient
from alibabacloud_credentials.models import Config as CredentialConfig
from alibabacloud_imm20200930 import models
from alibabacloud_tea_openapi import exceptions, utils_models
from alibabacloud_tea_util.models import RuntimeOptions
from darabonba.policy.retry import RetryOptions
from support import door
from support.cloud import ACCESS_KEY_ID, ACCESS_KEY_SECRET, unique
from support.door import ALGORITHMS, CLIENTS, ODD, allow, burst, fault, slow_project
from support.raw import Request


@pytest.fixture(scope="module")
def project(cloud):
    """A project that the tests of this file only look at."""
    name = unique("door")
    cloud.imm().create_project(models.CreateProjectRequest(project_name=name, description=ODD))
    return name


def get(imm, project):
    return imm.get_project(models.GetProjectRequest(project_name=project)).body.project


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_kind_of_credentials_works_with_each_signature(cloud, algorithm, kind):
    door.check_client(cloud, algorithm, kind)


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_asynchronous_client_works_with_each_of_them(cloud, project, algorithm, kind):
    imm = CLIENTS[kind](cloud, signature_algorithm=ALGORITHMS[algorithm])

    async def both():
        # The description is written into the URL by another library here.
        name = unique("async")
        await imm.create_project_async(models.CreateProjectRequest(project_name=name, description=ODD))
        request = models.GetProjectRequest(project_name=name)
        return await asyncio.gather(*(imm.get_project_async(request) for _ in range(4)))

    replies = asyncio.run(asyncio.wait_for(both(), timeout=30))
    assert [reply.body.project.description for reply in replies] == [ODD] * 4


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_credentials_of_the_type_bearer_work(cloud, project, algorithm):
    credential = CredentialClient(CredentialConfig(type="bearer", bearer_token=door.token(cloud)))
    imm = cloud.imm(None, None, credential=credential, signature_algorithm=ALGORITHMS[algorithm])
    assert get(imm, project).description == ODD


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_parameters_in_a_form_are_taken_and_signed(cloud, project, algorithm, kind):
    imm = CLIENTS[kind](cloud, signature_algorithm=ALGORITHMS[algorithm])
    params = utils_models.Params(
        action="UpdateProject",
        version="2020-09-30",
        protocol="HTTPS",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    form = {"ProjectName": project, "Description": ODD}
    reply = imm.call_api(params, utils_models.OpenApiRequest(body=form), RuntimeOptions())
    assert reply["body"]["Project"]["Description"] == ODD


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_a_policy_does_not_allow_is_refused(cloud, project, algorithm):
    policy = allow("imm:Get*", "imm:List*", resource=f"acs:imm:*:*:project/{project}")
    key_id, secret = door.access_key(cloud, policy)
    imm = cloud.imm(secret, key_id, signature_algorithm=ALGORITHMS[algorithm])
    assert get(imm, project).project_name == project
    assert imm.list_datasets(models.ListDatasetsRequest(project_name=project)).body.datasets == []
    other = unique("other")
    cloud.imm().create_project(models.CreateProjectRequest(project_name=other))
    denied = {
        "imm:UpdateProject": lambda: imm.update_project(
            models.UpdateProjectRequest(project_name=project, description="changed")
        ),
        "imm:DeleteProject": lambda: imm.delete_project(models.DeleteProjectRequest(project_name=project)),
        "imm:GetProject": lambda: get(imm, other),
        "imm:ListProjects": lambda: imm.list_projects(models.ListProjectsRequest()),
    }
    for action, one_call in denied.items():
        error = fault(one_call)
        assert isinstance(error, exceptions.ClientException), action
        assert (error.code, error.status_code) == ("NoPermission", 403)
        assert action in error.message
        assert error.data["RequestId"] in error.message
    assert get(cloud.imm(), project).description == ODD


def test_a_temporary_key_does_less_than_the_key_that_it_comes_from(cloud, project):
    key = door.temporary_key(cloud, Policy=allow("imm:GetProject"))
    imm = cloud.imm(key["AccessKeySecret"], key["AccessKeyId"], security_token=key["SecurityToken"])
    assert get(imm, project).project_name == project
    assert fault(lambda: imm.list_projects(models.ListProjectsRequest())).code == "NoPermission"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_wrong_credentials_are_refused_each_with_its_code(cloud, project, algorithm):
    key_id, secret = door.access_key(cloud, allow("imm:*"))
    temporary = door.temporary_key(cloud)
    bearer = door.token(cloud)
    # Refused, and by the same key that was just taken.
    assert get(cloud.imm(secret, key_id), project)
    door.call(cloud, "UpdateAccessKey", AccessKeyId=key_id, Status="Inactive")
    temporary_pair = {"secret": temporary["AccessKeySecret"], "key_id": temporary["AccessKeyId"]}
    nothing = {"secret": None, "key_id": None}
    table = [
        ({"secret": secret, "key_id": key_id}, 404, "InvalidAccessKeyId.NotFound"),
        ({"key_id": "nobody"}, 404, "InvalidAccessKeyId.NotFound"),
        ({"secret": "wrong"}, 400, "SignatureDoesNotMatch"),
        ({"secret": "wrong", "key_id": temporary["AccessKeyId"], "security_token": temporary["SecurityToken"]},
         400, "SignatureDoesNotMatch"),
        (temporary_pair, 400, "MissingSecurityToken"),
        ({**temporary_pair, "security_token": "other"}, 400, "InvalidSecurityToken.MismatchWithAccessKey"),
        ({"security_token": temporary["SecurityToken"]}, 400, "InvalidSecurityToken.MismatchWithAccessKey"),
        ({**nothing, "bearer_token": f"{bearer}x"}, 401, "InvalidBearerToken"),
        ({**nothing, "bearer_token": "mdt_nobody.nothing"}, 401, "InvalidBearerToken"),
    ]  # fmt: skip
    for config, status, code in table:
        imm = cloud.imm(signature_algorithm=ALGORITHMS[algorithm], **config)
        error = fault(lambda imm=imm: get(imm, project))
        assert isinstance(error, exceptions.ClientException), (config, error)
        assert (error.status_code, error.code) == (status, code), config
    # With all parts right the same clients are taken.
    door.call(cloud, "UpdateAccessKey", AccessKeyId=key_id, Status="Active")
    assert get(cloud.imm(secret, key_id, signature_algorithm=ALGORITHMS[algorithm]), project)


def test_a_rotated_secret_replaces_the_one_before(cloud, project):
    key_id, first = door.access_key(cloud, allow("imm:*"))
    second = door.call(cloud, "RotateAccessKey", AccessKeyId=key_id)["AccessKey"]["AccessKeySecret"]
    assert get(cloud.imm(second, key_id), project)
    assert fault(lambda: get(cloud.imm(first, key_id), project)).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_too_many_calls_are_told_when_to_come_again(cloud, algorithm):
    project = slow_project(cloud)
    imm = cloud.imm(signature_algorithm=ALGORITHMS[algorithm])
    error = fault(lambda: burst(imm, project))
    assert isinstance(error, exceptions.ThrottlingException)
    assert error.code == "Throttling.User"
    assert 0 < error.retry_after <= 1000
    assert project in error.message
    # What it says is true.
    time.sleep(error.retry_after / 1000)
    assert get(imm, project).project_name == project
    # Another project is not slowed by it.
    other = unique("quick")
    imm.create_project(models.CreateProjectRequest(project_name=other))
    burst(imm, other)


def test_a_key_has_a_limit_of_its_own(cloud, project):
    key_id, secret = door.access_key(cloud, allow("imm:*"))
    door.call(cloud, "UpdateAccessKey", AccessKeyId=key_id, QueriesPerSecond=1)
    error = fault(lambda: burst(cloud.imm(secret, key_id), project))
    assert isinstance(error, exceptions.ThrottlingException)
    assert key_id in error.message
    burst(cloud.imm(), project)


def test_a_client_that_retries_gets_through_by_waiting(cloud):
    project = slow_project(cloud)
    retry = RetryOptions(
        retryable=True,
        retry_condition=[{"maxAttempts": 5, "exception": ["ThrottlingException"], "errorCode": ["Throttling.User"]}],
    )
    imm = cloud.imm(retry_options=retry)
    start = time.monotonic()
    for _ in range(4):
        assert get(imm, project).project_name == project
    # Four calls are three seconds apart from first to last, less what was over
    # of the second in which the first came.
    assert time.monotonic() - start > 2


def test_a_policy_holds_however_a_name_is_written(cloud):
    """JSON has numbers and true for what becomes the same text: another way to
    write it must not be a way around a policy."""
    own, other = unique("own"), str(time.time_ns())
    door.call(cloud, "CreateAccessKey", AccessKeyId=other, Policy=allow("*"))
    derive = allow("ram:CreateToken", "ram:CreateTemporaryKey", resource=f"acs:ram:*:*:accesskey/{own}")
    key = door.call(cloud, "CreateAccessKey", AccessKeyId=own, Policy=derive)["AccessKey"]

    def ask(action, body):
        pair = {"key_id": own, "secret": key["AccessKeySecret"]}
        return Request(action, body=body.encode(), content_type="application/json", **pair).send(cloud)

    for action in ("CreateToken", "CreateTemporaryKey"):
        assert ask(action, "{}").status == 200
        for written in (f'"{other}"', other):
            assert ask(action, f'{{"AccessKeyId": {written}}}').status in (400, 403), (action, written)


def test_keys_are_managed_with_either_signature(cloud):
    """In RPC v1 the key that signs is a parameter of the name that the
    operations have for the key that they are about."""
    imm = cloud.imm(signature_algorithm="v2")

    def ask(action, **query):
        params = utils_models.Params(
            action=action, version="2020-09-30", protocol="HTTP", pathname="/", method="POST",
            auth_type="AK", style="RPC", req_body_type="formData", body_type="json",
        )
        policy = query.pop("Policy", None)
        if policy:
            query["Policy"] = json.dumps(policy)
        return imm.call_api(params, utils_models.OpenApiRequest(query=query), RuntimeOptions())["body"]

    made = ask("CreateAccessKey", Policy=allow("imm:*"), Description="made")["AccessKey"]
    assert made["AccessKeyId"] != ACCESS_KEY_ID and made["AccessKeySecret"]
    named = unique("key")
    assert ask("CreateAccessKey", UserAccessKeyId=named, Policy=allow("imm:*"))["AccessKey"]["AccessKeyId"] == named
    changed = ask("UpdateAccessKey", UserAccessKeyId=named, Description="changed")["AccessKey"]
    assert (changed["AccessKeyId"], changed["Description"]) == (named, "changed")
    assert ask("CreateTemporaryKey")["Credentials"]["SecurityToken"]
    ask("DeleteAccessKey", UserAccessKeyId=named)
    listed = {key["AccessKeyId"] for key in ask("ListAccessKeys")["AccessKeys"]}
    assert made["AccessKeyId"] in listed and named not in listed
    error = fault(lambda: ask("DeleteAccessKey"))
    assert error.code == "MissingAccessKeyId", error


def test_a_denial_has_its_detail(cloud, project):
    key_id, secret = door.access_key(cloud, allow("imm:ListProjects"))
    error = fault(lambda: get(cloud.imm(secret, key_id), project))
    assert error.code == "NoPermission"
    detail = error.access_denied_detail
    assert (detail["AuthAction"], detail["NoPermissionType"]) == ("imm:GetProject", "ImplicitDeny")
    assert detail["AuthPrincipalDisplayName"] == key_id


def test_a_denied_project_stays_denied_however_its_name_is_written(cloud):
    name = "true"
    door.call(cloud, "CreateProject", ProjectName=name)
    everything = allow("imm:*")["Statement"]
    denied = {"Effect": "Deny", "Action": "imm:*", "Resource": f"acs:imm:*:*:project/{name}*"}
    bearer = f"Bearer {door.token(cloud, Policy={'Statement': [*everything, denied]})}"
    for written in (name, True):
        reply = post(cloud, "/api/GetProject", {"ProjectName": written}, authorization=bearer)
        assert reply.status_code in (400, 403), written


def test_a_limit_that_is_set_holds_from_then_on(cloud):
    """In the process that set it; others may take their time."""
    name = unique("slowed")
    imm = cloud.imm()
    imm.create_project(models.CreateProjectRequest(project_name=name))
    door.call(cloud, "UpdateProject", ProjectName=name, ProjectQueriesPerSecond=1)
    assert isinstance(fault(lambda: burst(imm, name)), exceptions.ThrottlingException)


def test_the_description_of_a_key_can_be_cleared(cloud):
    key_id, _ = door.access_key(cloud, allow("imm:*"))
    for text in ("for the site", ""):
        reply = door.call(cloud, "UpdateAccessKey", AccessKeyId=key_id, Description=text)
        assert reply["AccessKey"]["Description"] == text


# The doors for callers without an SDK.


def post(cloud, path, body, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(f"{cloud.api}{path}", json=body, headers=headers, timeout=30)


def test_the_native_door_answers_what_the_sdk_reads(cloud, project):
    bearer = f"Bearer {door.token(cloud)}"
    reply = post(cloud, "/api/GetProject", {"ProjectName": project}, authorization=bearer)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("application/json")
    body = reply.json()
    assert reply.headers["x-request-id"] == body["RequestId"]
    raw = cloud.imm().get_project(models.GetProjectRequest(project_name=project))
    assert body["Project"] == raw.body.to_map()["Project"]
    for operation, given, status, code in [
        ("GetProject", {"ProjectName": "nowhere"}, 404, "ResourceNotFound"),
        ("GetProject", {}, 400, "MissingProjectName"),
        ("CreateProject", {"ProjectName": project}, 409, "ResourceAlreadyExists"),
        ("MakeCoffee", {}, 404, "InvalidAction.NotFound"),
        ("CreateStory", {}, 400, "OperationNotSupported"),
        ("ListProjects", ["not an object"], 400, "InvalidJSON"),
    ]:
        reply = post(cloud, f"/api/{operation}", given, authorization=bearer)
        assert (reply.status_code, reply.json()["Code"]) == (status, code), operation


def test_the_native_door_is_shut_to_others(cloud, project):
    narrow = door.token(cloud, Policy=allow("imm:ListProjects"))
    for headers, status, code in [
        ({}, 401, "MissingBearerToken"),
        ({"authorization": "Basic eDp5"}, 401, "MissingBearerToken"),
        ({"authorization": "Bearer mdt_nobody.nothing"}, 401, "InvalidBearerToken"),
        ({"authorization": f"Bearer {narrow}"}, 403, "NoPermission"),
    ]:
        reply = post(cloud, "/api/GetProject", {"ProjectName": project}, **headers)
        assert (reply.status_code, reply.json()["Code"]) == (status, code), headers
        assert reply.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert post(cloud, "/api/ListProjects", {}, authorization=f"Bearer {narrow}").status_code == 200
    assert requests.get(f"{cloud.api}/api/ListProjects", timeout=30).status_code == 405


def test_the_description_of_the_native_door_names_its_operations(cloud):
    document = requests.get(f"{cloud.api}/openapi.json", timeout=30).json()
    assert document["openapi"].startswith("3.1")
    assert {"/api/CreateProject", "/api/SimpleQuery", "/api/CreateToken"} <= set(document["paths"])


def identity(name, password):
    user = {"name": name, "password": password, "domain": {"name": "any"}}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}


def test_a_token_of_the_token_call_opens_the_native_door(cloud, project):
    reply = post(cloud, "/v3/auth/tokens", identity(ACCESS_KEY_ID, ACCESS_KEY_SECRET))
    assert reply.status_code == 201
    token = reply.headers["x-subject-token"]
    assert token not in reply.text
    got = post(cloud, "/api/GetProject", {"ProjectName": project}, authorization=f"Bearer {token}")
    assert got.json()["Project"]["ProjectName"] == project
    for name, password in [(ACCESS_KEY_ID, "wrong"), ("nobody", ACCESS_KEY_SECRET)]:
        refused = post(cloud, "/v3/auth/tokens", identity(name, password))
        assert (refused.status_code, refused.json()["error_code"]) == (401, "APIGW.0301")
        assert "x-subject-token" not in refused.headers


def test_no_page_of_another_site_may_call(cloud):
    for path in ("/", "/api/ListProjects", "/v3/auth/tokens"):
        asked = {"origin": "https://example.com", "access-control-request-method": "POST"}
        replies = [
            requests.options(f"{cloud.api}{path}", headers=asked, timeout=30),
            requests.post(f"{cloud.api}{path}", headers=asked, timeout=30),
        ]
        assert not any("access-control-allow-origin" in reply.headers for reply in replies), path
