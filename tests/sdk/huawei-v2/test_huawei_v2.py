"""huaweicloudsdkimagesearch 3.1.219, which has the v2 calls, against the door
of ImageSearch: who is let in, and to which operation."""

import hashlib
import hmac
from datetime import datetime, timezone
from urllib.parse import urlsplit

import pytest
import requests
from huaweicloudsdkimagesearch.v2 import (
    AddDataOptionalParam,
    AddDataParam,
    CheckParam,
    DeleteParam,
    ImageSearchAsyncClient,
    ImageSearchClient,
    RangeParam,
    RunAddDataRequest,
    RunCheckDataRequest,
    RunDeleteDataRequest,
    RunSearchRequest,
    RunUpdateDataRequest,
    SearchParam,
    UpdateParam,
)
from support import door, image_search
from support.cloud import ACCESS_KEY_ID, ACCESS_KEY_SECRET
from support.image_search import PROJECT, check_outcome, check_refused, client, key_pair

SERVICE = "test_instance"

# A call of each operation, with a body as it may be.
REQUESTS = {
    "RunAddData": lambda service: RunAddDataRequest(
        service,
        AddDataParam(
            item_id="one",
            desc="a red car, 红色",
            custom_tags={"color": "red"},
            image_base64="aGVsbG8=",
            optional_params=AddDataOptionalParam(do_det=False),
        ),
    ),
    "RunCheckData": lambda service: RunCheckDataRequest(
        service, CheckParam(custom_tags={"k": ["a", "b"]}, custom_num_tags={"n": RangeParam(1.0, 2.0)})
    ),
    "RunDeleteData": lambda service: RunDeleteDataRequest(service, DeleteParam(item_id="one", force=True)),
    "RunSearch": lambda service: RunSearchRequest(
        service, SearchParam(search_type="KEYWORD", keywords=["car", "北京"], limit=5)
    ),
    "RunUpdateData": lambda service: RunUpdateDataRequest(service, UpdateParam(item_id="one", desc="blue, é")),
}
METHODS = {
    "RunAddData": "run_add_data",
    "RunCheckData": "run_check_data",
    "RunDeleteData": "run_delete_data",
    "RunSearch": "run_search",
    "RunUpdateData": "run_update_data",
}


def calling(imagesearch, operation, service=SERVICE):
    method = getattr(imagesearch, METHODS[operation])
    return lambda: method(REQUESTS[operation](service))


def test_each_call_of_the_sdk_is_in_the_table():
    assert image_search.operations(ImageSearchClient) == set(METHODS.values())
    assert image_search.operations(ImageSearchAsyncClient, "_async") == set(METHODS.values())
    assert set(REQUESTS) == set(METHODS)


@pytest.mark.parametrize("operation", METHODS)
def test_a_signed_call_reaches_its_operation(cloud, operation):
    imagesearch = client(cloud, ImageSearchClient)
    check_outcome(calling(imagesearch, operation), operation)
    # Signed within the same second it is the same request to the byte, and is
    # meant all the same.
    check_outcome(calling(imagesearch, operation), operation)


@pytest.mark.parametrize("operation", METHODS)
def test_a_call_of_the_asynchronous_client_reaches_it_too(cloud, operation):
    imagesearch = client(cloud, ImageSearchAsyncClient)
    method = getattr(imagesearch, f"{METHODS[operation]}_async")
    check_outcome(lambda: method(REQUESTS[operation](SERVICE)).result(), operation)


@pytest.mark.parametrize("operation", METHODS)
def test_a_wrong_secret_is_refused(cloud, operation):
    check_refused(calling(client(cloud, ImageSearchClient, key_pair(secret="wrong")), operation))
    check_refused(calling(client(cloud, ImageSearchClient, key_pair("nobody")), operation))


@pytest.mark.parametrize("operation", METHODS)
def test_a_temporary_key_is_let_in_with_its_token_only(cloud, operation):
    key = door.temporary_key(cloud)
    pair = (key["AccessKeyId"], key["AccessKeySecret"])
    with_token = key_pair(*pair).with_security_token(key["SecurityToken"])
    check_outcome(calling(client(cloud, ImageSearchClient, with_token), operation), operation)
    check_refused(calling(client(cloud, ImageSearchClient, key_pair(*pair)), operation))
    other = key_pair(*pair).with_security_token("other")
    check_refused(calling(client(cloud, ImageSearchClient, other), operation))


@pytest.mark.parametrize("operation", METHODS)
def test_a_token_of_the_token_call_is_let_in(cloud, operation):
    token = image_search.token_of(cloud)
    credentials = image_search.BasicCredentials(token)
    check_outcome(calling(client(cloud, ImageSearchClient, credentials), operation), operation)
    credentials = image_search.BasicCredentials(f"{token}x")
    check_refused(calling(client(cloud, ImageSearchClient, credentials), operation), 401, "IS.0004")


def test_a_token_works_without_any_sdk(cloud):
    url = f"{cloud.api}/v2/{PROJECT}/mms/{SERVICE}/search"
    body = {"search_type": "KEYWORD", "keywords": ["car"]}
    reply = requests.post(url, json=body, headers={"X-Auth-Token": image_search.token_of(cloud)}, timeout=30)
    assert (reply.status_code, reply.json()["error_code"]) == (404, "APIGW.0101")
    assert "RunSearch" in reply.json()["error_msg"]
    reply = requests.post(url, json=body, timeout=30)
    assert (reply.status_code, reply.json()["error_code"]) == (401, "APIGW.0301")


SIGNED = {
    "java": ["host", "user-agent", "x-project-id", "x-sdk-date"],
    "go": ["user-agent", "x-project-id", "x-sdk-date"],
}


@pytest.mark.parametrize("language", SIGNED)
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_a_call_signed_as_in_other_languages_is_let_in(cloud, language, content_type):
    """Neither signs Content-Type, Go not even the host; Java sends its body in
    chunks."""
    path, body = f"/v2/{PROJECT}/mms/{SERVICE}/search", b'{"search_type":"KEYWORD","keywords":["car"]}'
    headers = {
        "host": urlsplit(cloud.api).netloc,
        "user-agent": f"huaweicloud-usdk-{language}/3.0",
        "x-project-id": PROJECT,
        "x-sdk-date": datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ"),
    }

    def send(names, **changed):
        lines = "".join(f"{name}:{headers[name]}\n" for name in names)
        canonical = f"POST\n{path}/\n\n{lines}\n{';'.join(names)}\n{hashlib.sha256(body).hexdigest()}"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"SDK-HMAC-SHA256\n{headers['x-sdk-date']}\n{hashed}"
        signature = hmac.new(ACCESS_KEY_SECRET.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
        authorization = (
            f"SDK-HMAC-SHA256 Access={ACCESS_KEY_ID}, SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        sent = {**headers, "content-type": content_type, "authorization": authorization, **changed}
        # An iterator is sent in chunks.
        data = iter([body[:10], body[10:]]) if language == "java" else body
        reply = requests.post(f"{cloud.api}{path}", data=data, headers=sent, timeout=30)
        return reply.status_code, reply.json()

    names = SIGNED[language]
    status, answer = send(names)
    assert (status, answer["error_code"]) == (404, "APIGW.0101"), answer
    assert "RunSearch" in answer["error_msg"]
    for what, (signed, changed) in {
        "no date": ([name for name in names if name != "x-sdk-date"], {}),
        "another project": (names, {"x-project-id": "0" * 32}),
        "a token that is not signed": (names, {"x-security-token": "x"}),
        "a wrong hash": (names, {"x-sdk-content-sha256": "UNSIGNED-PAYLOAD"}),
    }.items():
        status, answer = send(signed, **changed)
        assert (status, answer["error_code"]) == (401, "APIGW.0301"), (what, answer)


def test_a_policy_says_which_operation_and_instance(cloud):
    resource = f"acs:imagesearch:*:*:project/{PROJECT}/instance/{SERVICE}"
    key_id, secret = door.access_key(cloud, door.allow("imagesearch:RunSearch", resource=resource))
    imagesearch = client(cloud, ImageSearchClient, key_pair(key_id, secret))
    check_outcome(calling(imagesearch, "RunSearch"), "RunSearch")
    check_refused(calling(imagesearch, "RunAddData"), 403, "IS.0011")
    check_refused(calling(imagesearch, "RunSearch", "another"), 403, "IS.0011")


@pytest.mark.parametrize("service", ["with blank", "北京", "a+b&c=d?e#f", "100%"])
def test_an_odd_name_in_the_path_does_not_break_the_signature(cloud, service):
    check_outcome(calling(client(cloud, ImageSearchClient), "RunSearch", service), "RunSearch")


def test_a_project_id_that_was_left_out_is_an_error_of_the_caller(cloud):
    """The SDK sends its own placeholder then."""
    pair = key_pair(project=None)
    pair.project_id = "{project_id}"
    check_refused(calling(client(cloud, ImageSearchClient, pair), "RunSearch"), 400, "IS.0002")
