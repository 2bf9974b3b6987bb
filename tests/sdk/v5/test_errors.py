"""What is wrong with a request is said by code, status and request id."""

import json
import re
from datetime import timedelta

import pytest
from alibabacloud_imm20200930 import models
from support.cloud import unique
from support.raw import Request
from support.space import Space

REQUEST_ID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


@pytest.fixture(scope="module")
def space(cloud):
    return Space(cloud, "errors")


def check(reply, code: str, status: int) -> None:
    assert (reply.code, reply.status) == (code, status), reply.body
    assert REQUEST_ID.fullmatch(reply.body["RequestId"])
    assert reply.headers["x-acs-request-id"] == reply.body["RequestId"]
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.body["Message"]
    assert reply.body["HostId"]
    assert code in reply.body["Recommend"]


# {P}, {D} and {B} are the test's project, dataset and bucket.
FILES = {"ProjectName": "{P}", "DatasetName": "{D}"}
BOUND = {**FILES, "URI": "oss://{B}"}
FILE = {**FILES, "URI": "oss://{B}/key"}
LONG = "oss://{B}/" + "k" * 1025
MISSING = [
    ("CreateProject", {}, "ProjectName"),
    ("GetProject", {}, "ProjectName"),
    ("UpdateProject", {}, "ProjectName"),
    ("DeleteProject", {"ProjectName": ""}, "ProjectName"),
    ("CreateDataset", {"ProjectName": "{P}"}, "DatasetName"),
    ("GetDataset", {"DatasetName": "{D}"}, "ProjectName"),
    ("UpdateDataset", {"ProjectName": "{P}"}, "DatasetName"),
    ("DeleteDataset", {"ProjectName": "{P}"}, "DatasetName"),
    ("ListDatasets", {}, "ProjectName"),
    ("CreateBinding", FILES, "URI"),
    ("GetBinding", FILES, "URI"),
    ("DeleteBinding", FILES, "URI"),
    ("ListBindings", {}, "ProjectName"),
    ("StopBinding", FILES, "URI"),
    ("ResumeBinding", FILES, "URI"),
    ("IndexFileMeta", FILES, "File"),
    ("IndexFileMeta", {**FILES, "File": {"CustomId": "x"}}, "URI"),
    ("BatchIndexFileMeta", FILES, "Files"),
    ("BatchIndexFileMeta", {**FILES, "Files": []}, "Files"),
    ("GetFileMeta", FILES, "URI"),
    ("BatchGetFileMeta", {**FILES, "URIs": []}, "URIs"),
    ("UpdateFileMeta", FILES, "File"),
    ("BatchUpdateFileMeta", FILES, "Files"),
    ("DeleteFileMeta", FILES, "URI"),
    ("BatchDeleteFileMeta", FILES, "URIs"),
    ("SimpleQuery", {"ProjectName": "{P}"}, "DatasetName"),
    ("GetTask", {"ProjectName": "{P}", "TaskType": "IndexFileMeta"}, "TaskId"),
    ("GetTask", {"ProjectName": "{P}", "TaskId": "1"}, "TaskType"),
    ("ListTasks", {}, "ProjectName"),
]
INVALID = [
    ("CreateProject", {"ProjectName": "1st"}, "ProjectName"),
    ("CreateProject", {"ProjectName": "two words"}, "ProjectName"),
    ("CreateProject", {"ProjectName": "p" * 129}, "ProjectName"),
    ("CreateProject", {"ProjectName": "p", "DatasetMaxBindCount": "11"}, "DatasetMaxBindCount"),
    ("CreateProject", {"ProjectName": "p", "DatasetMaxFileCount": "many"}, "DatasetMaxFileCount"),
    ("CreateProject", {"ProjectName": "p", "ProjectMaxDatasetCount": "0"}, "ProjectMaxDatasetCount"),
    ("CreateProject", {"ProjectName": "p", "Description": "d" * 257}, "Description"),
    ("CreateProject", {"ProjectName": "p", "TemplateId": "Official:Nothing"}, "TemplateId"),
    ("UpdateProject", {"ProjectName": "{P}", "DatasetMaxTotalFileSize": "0"}, "DatasetMaxTotalFileSize"),
    ("GetProject", {"ProjectName": "{P}", "WithStatistics": "perhaps"}, "WithStatistics"),
    ("ListProjects", {"MaxResults": "201"}, "MaxResults"),
    ("ListProjects", {"MaxResults": "-1"}, "MaxResults"),
    ("ListProjects", {"Prefix": "p" * 129}, "Prefix"),
    ("ListProjects", {"NextToken": "nonsense"}, "NextToken"),
    ("ListDatasets", {"ProjectName": "{P}", "NextToken": "nonsense"}, "NextToken"),
    ("IndexFileMeta", {**FILES, "File": {"URI": "oss://{B}/../k"}}, "URI"),
    ("CreateDataset", {"ProjectName": "{P}", "DatasetName": "-d"}, "DatasetName"),
    ("CreateDataset", {**FILES, "TemplateId": "Official:Nothing"}, "TemplateId"),
    ("CreateBinding", {**FILES, "URI": "{B}"}, "URI"),
    ("CreateBinding", {**FILES, "URI": "oss://{B}/folder/"}, "URI"),
    ("CreateBinding", {**FILES, "URI": "pds://domains/d"}, "URI"),
    ("ListBindings", {**FILES, "NextToken": "nonsense"}, "NextToken"),
    ("StopBinding", {**BOUND, "Reason": "r" * 257}, "Reason"),
    ("IndexFileMeta", {**FILES, "File": {"URI": "https://example.com/x"}}, "URI"),
    ("IndexFileMeta", {**FILES, "File": {"URI": LONG}}, "URI"),
    ("IndexFileMeta", {**FILES, "File": {"URI": "oss://{B}/k", "MediaType": "film"}}, "MediaType"),
    ("IndexFileMeta", {**FILES, "File": {"URI": "oss://{B}/k", "LatLong": "91,0"}}, "LatLong"),
    ("IndexFileMeta", {**FILES, "File": {"URI": "oss://{B}/k", "ProduceTime": "2021"}}, "ProduceTime"),
    ("IndexFileMeta", {**FILES, "File": {"URI": "oss://{B}/k"}, "UserData": "u" * 2049}, "UserData"),
    (
        "IndexFileMeta",
        {**FILES, "File": {"URI": "oss://{B}/k"}, "Notification": {"MNS": {"TopicName": "a b"}}},
        "TopicName",
    ),
    (
        "IndexFileMeta",
        {**FILES, "File": {"URI": "oss://{B}/k"}, "Notification": {"RocketMQ": {"InstanceId": "i"}}},
        "Notification",
    ),
    ("GetFileMeta", {**FILES, "URI": "oss://{B}"}, "URI"),
    ("BatchGetFileMeta", {**FILES, "URIs": ["oss://{B}"]}, "URIs"),
    ("SimpleQuery", {**FILES, "MaxResults": "101"}, "MaxResults"),
    ("SimpleQuery", {**FILES, "NextToken": "nonsense"}, "NextToken"),
    ("SimpleQuery", {**FILES, "Sort": "Size", "Order": "up"}, "Order"),
    ("SimpleQuery", {**FILES, "WithoutTotalHits": "no"}, "WithoutTotalHits"),
    ("ListTasks", {"ProjectName": "{P}", "Status": "Sleeping"}, "Status"),
    ("ListTasks", {"ProjectName": "{P}", "MaxResults": "0"}, "MaxResults"),
    ("ListTasks", {"ProjectName": "{P}", "NextToken": "nonsense"}, "NextToken"),
]
JSON = [
    ("CreateProject", {"ProjectName": "p", "Tag": "{"}),
    ("IndexFileMeta", {**FILES, "File": "not json"}),
    ("IndexFileMeta", {**FILES, "File": []}),
    ("IndexFileMeta", {**FILES, "File": {"URI": ["a"]}}),
    ("BatchIndexFileMeta", {**FILES, "Files": {}}),
    ("BatchGetFileMeta", {**FILES, "URIs": "oss://x/y"}),
    ("SimpleQuery", {**FILES, "Query": "["}),
    ("SimpleQuery", {**FILES, "Query": {"SubQueries": "none"}}),
    ("SimpleQuery", {**FILES, "Query": {"field": "Size", "operation": "eq", "value": "1"}}),
    ("ListTasks", {"ProjectName": "{P}", "TaskTypes": "IndexFileMeta"}),
]
ARGUMENT = [
    ("SimpleQuery", {**FILES, "Query": {"Field": "Nonsense", "Operation": "eq", "Value": "1"}}),
    ("SimpleQuery", {**FILES, "Query": {"Field": "Size", "Operation": "near", "Value": "1"}}),
    ("SimpleQuery", {**FILES, "Query": {"Field": "Size", "Operation": "prefix", "Value": "1"}}),
    ("SimpleQuery", {**FILES, "Query": {"Field": "Size", "Operation": "eq", "Value": "big"}}),
    ("SimpleQuery", {**FILES, "Query": {"Operation": "and"}}),
    ("SimpleQuery", {**FILES, "Sort": "Labels.LabelName"}),
    ("SimpleQuery", {**FILES, "WithFields": ["Nonsense"]}),
    ("BatchUpdateFileMeta", {**FILES, "Files": [{"URI": "oss://{B}/k"}, {"URI": "oss://{B}/k"}]}),
]
NESTED = {"Field": "Size", "Operation": "gt", "Value": "1"}
for _ in range(6):
    NESTED = {"Operation": "not", "SubQueries": [NESTED]}
MANY = [{"URI": f"oss://{{B}}/{index}"} for index in range(101)]
LIMITS = [
    ("BatchIndexFileMeta", {**FILES, "Files": MANY}),
    ("BatchUpdateFileMeta", {**FILES, "Files": MANY}),
    ("BatchGetFileMeta", {**FILES, "URIs": [file["URI"] for file in MANY]}),
    ("BatchDeleteFileMeta", {**FILES, "URIs": [file["URI"] for file in MANY]}),
    ("IndexFileMeta", {**FILES, "File": {"URI": "oss://{B}/k", "CustomLabels": {str(n): "" for n in range(101)}}}),
    ("SimpleQuery", {**FILES, "Query": NESTED}),
    ("SimpleQuery", {**FILES, "Sort": "Size,URI,ETag,Title,Album,Artist"}),
]
ABSENT = [
    ("GetProject", {"ProjectName": "nowhere"}, "Project"),
    ("UpdateProject", {"ProjectName": "nowhere"}, "Project"),
    ("DeleteProject", {"ProjectName": "nowhere"}, "Project"),
    ("CreateDataset", {"ProjectName": "nowhere", "DatasetName": "d"}, "Project"),
    ("ListDatasets", {"ProjectName": "nowhere"}, "Project"),
    ("GetDataset", {"ProjectName": "nowhere", "DatasetName": "d"}, "Project"),
    ("GetDataset", {"ProjectName": "{P}", "DatasetName": "nowhere"}, "Dataset"),
    ("UpdateDataset", {"ProjectName": "{P}", "DatasetName": "nowhere", "Description": "d"}, "Dataset"),
    ("DeleteDataset", {"ProjectName": "{P}", "DatasetName": "nowhere"}, "Dataset"),
    ("CreateBinding", {**FILES, "URI": "oss://no-such-bucket-at-all"}, "Bucket"),
    ("GetBinding", BOUND, "Binding"),
    ("DeleteBinding", BOUND, "Binding"),
    ("StopBinding", BOUND, "Binding"),
    ("ResumeBinding", BOUND, "Binding"),
    ("ListBindings", {"ProjectName": "{P}", "DatasetName": "nowhere"}, "Dataset"),
    ("IndexFileMeta", {**FILES, "DatasetName": "nowhere", "File": {"URI": "oss://{B}/k"}}, "Dataset"),
    ("BatchIndexFileMeta", {**FILES, "DatasetName": "nowhere", "Files": [{"URI": "oss://{B}/k"}]}, "Dataset"),
    ("GetFileMeta", FILE, "File"),
    ("BatchGetFileMeta", {**FILES, "DatasetName": "nowhere", "URIs": ["oss://{B}/k"]}, "Dataset"),
    ("UpdateFileMeta", {**FILES, "File": {"URI": "oss://{B}/k"}}, "File"),
    ("BatchUpdateFileMeta", {**FILES, "DatasetName": "nowhere", "Files": [{"URI": "oss://{B}/k"}]}, "Dataset"),
    ("DeleteFileMeta", {**FILE, "DatasetName": "nowhere"}, "Dataset"),
    ("BatchDeleteFileMeta", {**FILES, "DatasetName": "nowhere", "URIs": ["oss://{B}/k"]}, "Dataset"),
    ("SimpleQuery", {**FILES, "DatasetName": "nowhere"}, "Dataset"),
    ("GetTask", {"ProjectName": "{P}", "TaskType": "IndexFileMeta", "TaskId": "17C-1"}, "Task"),
    ("ListTasks", {"ProjectName": "nowhere"}, "Project"),
]


def filled(value, space):
    """The value with its places filled in."""
    match value:
        case str():
            return value.replace("{P}", space.project).replace("{D}", space.dataset).replace("{B}", space.bucket)
        case list():
            return [filled(item, space) for item in value]
        case dict():
            return {key: filled(item, space) for key, item in value.items()}
        case _:
            return value


def ids(table):
    return [f"{row[0]}-{row[2]}" if len(row) > 2 else row[0] for row in table]


def send(cloud, space, action, params):
    params = filled(params, space)
    size = sum(map(len, map(str, params.values())))
    if size > 4000:
        # What is long goes into the body, as form parameters may.
        body = json.dumps(params).encode()
        return Request(action, body=body, content_type="application/json").send(cloud)
    return Request(action, params).send(cloud)


@pytest.mark.parametrize(("action", "params", "name"), MISSING, ids=ids(MISSING))
def test_missing(cloud, space, action, params, name):
    reply = send(cloud, space, action, params)
    check(reply, f"Missing{name}", 400)
    assert reply.body["Message"] == f"{name} is mandatory for this action."


@pytest.mark.parametrize(("action", "params", "name"), INVALID, ids=ids(INVALID))
def test_invalid(cloud, space, action, params, name):
    reply = send(cloud, space, action, params)
    check(reply, f"Invalid{name}", 400)
    assert f"Specified parameter {name} is not valid." in reply.body["Message"]


@pytest.mark.parametrize(("action", "params"), JSON, ids=ids(JSON))
def test_not_json(cloud, space, action, params):
    check(send(cloud, space, action, params), "InvalidJSON", 400)


@pytest.mark.parametrize(("action", "params"), ARGUMENT, ids=ids(ARGUMENT))
def test_wrong_argument(cloud, space, action, params):
    check(send(cloud, space, action, params), "InvalidArgument", 400)


@pytest.mark.parametrize(("action", "params"), LIMITS, ids=ids(LIMITS))
def test_limits(cloud, space, action, params):
    check(send(cloud, space, action, params), "LimitExceededError", 400)


@pytest.mark.parametrize(("action", "params", "kind"), ABSENT, ids=ids(ABSENT))
def test_not_found(cloud, space, action, params, kind):
    reply = send(cloud, space, action, params)
    check(reply, "ResourceNotFound", 404)
    assert f"The specified resource {kind} is not found." in reply.body["Message"]


@pytest.mark.parametrize("task_id", ["", "x" * 3000, "é" * 1100], ids=["empty", "long", "long-in-bytes"])
def test_a_task_id_that_can_be_none_is_an_error_of_the_caller(cloud, space, task_id):
    reply = Request("GetTask", {"ProjectName": space.project, "TaskType": "IndexFileMeta", "TaskId": task_id}).send(cloud)
    assert reply.status in (400, 404), reply.body


def test_exists_already(cloud, space):
    check(Request("CreateProject", {"ProjectName": space.project}).send(cloud), "ResourceAlreadyExists", 409)
    params = {"ProjectName": space.project, "DatasetName": space.dataset}
    check(Request("CreateDataset", params).send(cloud), "ResourceAlreadyExists", 409)


def test_not_empty(cloud, space):
    check(Request("DeleteProject", {"ProjectName": space.project}).send(cloud), "ResourceNotEmpty", 409)


def test_a_binding_that_is_not_stopped_is_not_resumed(cloud):
    space = Space(cloud, "states")
    space.bind()
    params = {"ProjectName": space.project, "DatasetName": space.dataset, "URI": space.bucket_uri}
    check(Request("ResumeBinding", params).send(cloud), "StatusConflict", 409)
    assert Request("StopBinding", params).send(cloud).status == 200
    check(Request("StopBinding", params).send(cloud), "StatusConflict", 409)


def test_actions_and_versions(cloud):
    check(Request("MakeCoffee").send(cloud), "InvalidAction.NotFound", 404)
    check(Request("listprojects").send(cloud), "InvalidAction.NotFound", 404)
    for action in ("CreateStory", "CreateBatch", "DetectImageFaces"):
        reply = Request(action, {"ProjectName": "p"}).send(cloud)
        check(reply, "OperationNotSupported", 400)
        assert action in reply.body["Message"]
    check(Request("ListProjects", version="2017-09-06").send(cloud), "InvalidVersion", 400)
    check(Request("ListProjects", method="PUT").send(cloud), "UnsupportedHTTPMethod", 405)


def test_signatures(cloud):
    check(Request("ListProjects", secret="wrong").send(cloud), "SignatureDoesNotMatch", 400)
    check(Request("ListProjects", key_id="nobody").send(cloud), "InvalidAccessKeyId.NotFound", 404)
    check(Request("ListProjects", headers={"authorization": None}).send(cloud), "MissingAccessKeyId", 400)
    check(Request("ListProjects", headers={"authorization": "ACS3-HMAC-SHA256 x"}).send(cloud), "IncompleteSignature", 400)
    other = {"authorization": "ACS3-RSA-SHA256 Credential=a,SignedHeaders=host,Signature=00"}
    check(Request("ListProjects", headers=other).send(cloud), "UnsupportedSignatureMethod", 400)
    check(Request("ListProjects", age=timedelta(minutes=16)).send(cloud), "InvalidTimeStamp.Expired", 400)
    check(Request("ListProjects", age=timedelta(minutes=-16)).send(cloud), "InvalidTimeStamp.Expired", 400)
    check(Request("ListProjects", headers={"x-acs-injected": "1"}).send(cloud), "IncompleteSignature", 400)
    check(Request("ListProjects", headers={"x-acs-action": "GetProject"}).send(cloud), "SignatureDoesNotMatch", 400)
    changed = Request("ListProjects", body=b"MaxResults=1", content_type="application/x-www-form-urlencoded")
    check(
        Request("ListProjects", headers={"x-acs-content-sha256": "0" * 64}).send(cloud), "SignatureDoesNotMatch", 400
    )
    assert changed.send(cloud).status == 200


def test_a_request_is_taken_once(cloud):
    request = Request("ListProjects")
    assert request.send(cloud).status == 200
    check(request.send(cloud), "SignatureNonceUsed", 400)


def test_parameters_come_in_three_ways(cloud, space):
    names = {"ProjectName": space.project, "DatasetName": space.dataset}
    form = "&".join(f"{key}={value}" for key, value in names.items()).encode()
    ways = [
        Request("GetDataset", names),
        Request("GetDataset", body=form, content_type="application/x-www-form-urlencoded"),
        Request("GetDataset", body=json.dumps(names).encode(), content_type="application/json"),
        Request("GetDataset", names, method="GET"),
    ]
    for request in ways:
        reply = request.send(cloud)
        assert reply.status == 200, reply.body
        assert reply.body["Dataset"]["DatasetName"] == space.dataset
    broken = Request("GetDataset", body=b"{", content_type="application/json")
    check(broken.send(cloud), "InvalidJSON", 400)


def test_a_long_url_is_answered_with_json(cloud, space):
    params = {"ProjectName": space.project, "DatasetName": space.dataset, "File": {"URI": space.uri("k")}}
    reply = Request("IndexFileMeta", {**params, "UserData": "u" * 60_000}).send(cloud)
    check(reply, "InvalidUserData", 400)


def test_what_the_sdk_makes_of_an_error(cloud):
    name = unique("nowhere")
    with pytest.raises(Exception) as caught:
        cloud.imm().get_project(models.GetProjectRequest(project_name=name))
    error = caught.value
    assert error.code == "ResourceNotFound"
    assert "404" in error.message
    assert name in error.message
    assert error.data["statusCode"] == 404
    assert REQUEST_ID.fullmatch(error.data["RequestId"])
    assert error.data["RequestId"] in error.message
    with pytest.raises(Exception) as caught:
        cloud.imm(secret="wrong").list_projects(models.ListProjectsRequest())
    assert caught.value.code == "SignatureDoesNotMatch"
