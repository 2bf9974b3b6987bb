"""huaweicloudsdkimagesearch 3.0.60, which has the v1 calls, against the door of
ImageSearch: who is let in, and to which operation."""

import pytest
import requests
from huaweicloudsdkimagesearch.v1 import (
    AddPictureRequestReq,
    CreateInstanceReq,
    DeletePictureReq,
    ImageSearchAsyncClient,
    ImageSearchClient,
    RunAddPictureRequest,
    RunCheckPictureRequest,
    RunCreateInstanceRequest,
    RunDeleteInstanceRequest,
    RunDeletePictureRequest,
    RunModifyPictureReq,
    RunModifyPictureRequest,
    RunQueryInstanceRequest,
    RunSearchPictureRequest,
    SearchPictureReq,
)
from support import door, image_search
from support.image_search import PROJECT, check_outcome, check_refused, client, key_pair

INSTANCE = "photos"

# A call of each operation, with a body as it may be.
CALLS = {
    "CreateInstance": (
        "run_create_instance",
        RunCreateInstanceRequest(CreateInstanceReq(INSTANCE, "common-search", "照片", 30000000, ["color"])),
    ),
    "QueryInstance": ("run_query_instance", RunQueryInstanceRequest(INSTANCE)),
    "DeleteInstance": ("run_delete_instance", RunDeleteInstanceRequest(INSTANCE)),
    "AddPicture": (
        "run_add_picture",
        RunAddPictureRequest(INSTANCE, AddPictureRequestReq("aGVsbG8=", "a/b 北京.jpg", {"color": "red"})),
    ),
    "SearchPicture": ("run_search_picture", RunSearchPictureRequest(INSTANCE, SearchPictureReq(path="a.jpg", limit=5))),
    "CheckPicture": ("run_check_picture", RunCheckPictureRequest(INSTANCE, DeletePictureReq("a.jpg"))),
    "DeletePicture": ("run_delete_picture", RunDeletePictureRequest(INSTANCE, DeletePictureReq("a.jpg"))),
    "ModifyPicture": (
        "run_modify_picture",
        RunModifyPictureRequest(INSTANCE, RunModifyPictureReq("a.jpg", {"color": "blue"})),
    ),
}


def calling(imagesearch, operation):
    method, request = CALLS[operation]
    return lambda: getattr(imagesearch, method)(request)


def test_each_call_of_the_sdk_is_in_the_table():
    assert image_search.operations(ImageSearchClient) == {method for method, _ in CALLS.values()}
    assert image_search.operations(ImageSearchAsyncClient, "_async") == {method for method, _ in CALLS.values()}


@pytest.mark.parametrize("operation", CALLS)
def test_a_signed_call_reaches_its_operation(cloud, operation):
    imagesearch = client(cloud, ImageSearchClient)
    check_outcome(calling(imagesearch, operation), operation)
    # Signed within the same second it is the same request to the byte, and is
    # meant all the same.
    check_outcome(calling(imagesearch, operation), operation)


@pytest.mark.parametrize("operation", CALLS)
def test_a_call_of_the_asynchronous_client_reaches_it_too(cloud, operation):
    imagesearch = client(cloud, ImageSearchAsyncClient)
    method, request = CALLS[operation]
    check_outcome(lambda: getattr(imagesearch, f"{method}_async")(request).result(), operation)


@pytest.mark.parametrize("operation", CALLS)
def test_a_wrong_secret_is_refused(cloud, operation):
    check_refused(calling(client(cloud, ImageSearchClient, key_pair(secret="wrong")), operation))
    check_refused(calling(client(cloud, ImageSearchClient, key_pair("nobody")), operation))


@pytest.mark.parametrize("operation", CALLS)
def test_a_temporary_key_is_let_in_with_its_token_only(cloud, operation):
    key = door.temporary_key(cloud)
    pair = (key["AccessKeyId"], key["AccessKeySecret"])
    with_token = key_pair(*pair).with_security_token(key["SecurityToken"])
    check_outcome(calling(client(cloud, ImageSearchClient, with_token), operation), operation)
    check_refused(calling(client(cloud, ImageSearchClient, key_pair(*pair)), operation))


@pytest.mark.parametrize("operation", CALLS)
def test_a_token_of_the_token_call_is_let_in(cloud, operation):
    token = image_search.token_of(cloud)
    credentials = image_search.BasicCredentials(token)
    check_outcome(calling(client(cloud, ImageSearchClient, credentials), operation), operation)
    credentials = image_search.BasicCredentials(f"{token}x")
    check_refused(calling(client(cloud, ImageSearchClient, credentials), operation), 401, "IS.0004")


def test_a_token_works_without_any_sdk(cloud):
    """As the guide has it, with X-Auth-Token."""
    url = f"{cloud.api}/v1/{PROJECT}/service"
    body = {"name": INSTANCE, "model": "common-search"}
    reply = requests.post(url, json=body, headers={"X-Auth-Token": image_search.token_of(cloud)}, timeout=30)
    assert (reply.status_code, reply.json()["error_code"]) == (404, "APIGW.0101")
    assert "CreateInstance" in reply.json()["error_msg"]
    reply = requests.post(url, json=body, timeout=30)
    assert (reply.status_code, reply.json()["error_code"]) == (401, "APIGW.0301")


def test_a_policy_says_which_operation(cloud):
    resource = f"acs:imagesearch:*:*:project/{PROJECT}/instance/{INSTANCE}"
    key_id, secret = door.access_key(cloud, door.allow("imagesearch:*Picture", resource=resource))
    imagesearch = client(cloud, ImageSearchClient, key_pair(key_id, secret))
    check_outcome(calling(imagesearch, "AddPicture"), "AddPicture")
    check_refused(calling(imagesearch, "DeleteInstance"), 403, "IS.0011")
    check_refused(calling(imagesearch, "CreateInstance"), 403, "IS.0011")
