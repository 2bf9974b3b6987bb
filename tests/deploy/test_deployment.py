"""template.yaml with the real binaries, through everything that a deployment
is for. The tests run in the order of this file: the last one deletes the stack.
"""

import base64
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from alibabacloud_imm20200930 import models
from deployment.emulator import ACCOUNT, REGION
from deployment.sam import REPOSITORY, functions
from deployment.space import DeployedSpace, soon
from deployment.stack import STACK
from support.cloud import unique
from support.media import png
from support.space import where

SCANNED = 2000


@pytest.fixture
def space(stack, request):
    return DeployedSpace(stack, request.node.originalname.removeprefix("test_").replace("_", "-")[:30])


@pytest.fixture
def bound(space):
    """A space whose bucket is bound and followed."""
    space.bind()
    return space


def event(name: str) -> dict:
    return json.loads((REPOSITORY / "events" / f"{name}.json").read_text(encoding="utf-8"))


def test_every_function_may_do_what_it_does(stack):
    """Each function by itself, with the sample events: the emulator enforces
    the policies of their roles, of which the gateway's is only the union."""
    s3 = stack.s3()
    s3.create_bucket(Bucket="demo-bucket")
    for key in ("photos/beach.jpg", "photos/cat.jpg"):
        s3.put_object(Bucket="demo-bucket", Key=key, Body=png(3, 2), Tagging="season=summer")
    ran = []

    def run(function: str, sample: dict | None = None, **changed) -> dict:
        ran.append(function)
        reply = stack.invoke(function, {**(sample or event(function)), **changed})
        # Calls about many files say of each whether it went well.
        assert all(file.get("Success", True) for file in reply.get("Files", [])), (function, reply)
        return reply

    # A bucket that nothing is bound to.
    s3.create_bucket(Bucket="demo-documents")
    s3.put_object(Bucket="demo-documents", Key="note.txt", Body=b"a note")
    # In an order in which each finds what it needs.
    for function in ("create-project", "get-project", "update-project", "list-projects", "create-dataset",
                     "get-dataset", "update-dataset", "list-datasets", "create-binding", "list-bindings"):
        assert "RequestId" in run(function), function
    soon(lambda: run("get-binding")["Binding"]["Phase"] == "IncrementalScanning")
    ran.append("scan")
    for function in ("stop-binding", "resume-binding", "get-file-meta", "batch-get-file-meta", "update-file-meta",
                     "batch-update-file-meta", "simple-query", "fuzzy-query", "semantic-query", "index-file-meta",
                     "batch-index-file-meta"):
        assert "RequestId" in run(function), function
    task = {**event("get-task"), "TaskId": run("list-tasks")["Tasks"][0]["TaskId"]}
    assert task["TaskType"] == "BatchIndexFileMeta"
    soon(lambda: run("get-task", task)["Status"] == "Succeeded")
    for sample in ("on-object-event", "on-object-event-sqs", "on-object-event-sns", "on-object-event-eventbridge"):
        assert run("on-object-event", event(sample))["batchItemFailures"] == [], sample
    assert run("on-work")["batchItemFailures"] == []
    assert run("on-text-work")["batchItemFailures"] == []
    assert run("extract-document-text", SourceURI="oss://demo-documents/note.txt")["DocumentText"] == "a note"
    assert run("on-schedule") == {"scans": 0, "taken_up": 0}
    assert run("rpc-gateway")["statusCode"] == 200
    files = run("batch-get-file-meta", WithFields=[])["Files"]
    assert [file["OSSTagging"] for file in files] == [{"season": "summer"}] * 2
    # The sealing key and the first key's secret are read under the functions' own roles.
    for function in ("create-access-key", "list-access-keys", "update-access-key", "rotate-access-key",
                     "create-temporary-key", "create-token", "delete-access-key"):
        assert "RequestId" in run(function), function
    for function in ("delete-file-meta", "batch-delete-file-meta", "delete-binding", "delete-dataset",
                     "delete-project"):
        assert "RequestId" in run(function), function
    assert sorted(set(ran)) == sorted(functions())


def test_two_stacks_would_not_meet(stack):
    """Whatever has a name has the stack's in it."""
    resources = stack.resources()
    assert len(resources) > 2 * len(functions())
    others = {resource["ResourceType"] for resource in resources if STACK not in resource["PhysicalResourceId"]}
    # Those have an id that nobody chooses.
    assert others == {"AWS::Lambda::EventSourceMapping"}


def test_only_signed_calls_are_answered(stack):
    with pytest.raises(Exception) as caught:
        stack.imm(secret="wrong").list_projects(models.ListProjectsRequest())
    assert caught.value.code == "SignatureDoesNotMatch"


def test_objects_come_change_and_go(bound):
    key = "trips/a b+c/海.png"
    bound.put(key, png(7, 5), Tagging="trip=sea")
    file = soon(lambda: bound.file(key))
    assert (file.image_width, file.image_height, file.osstagging) == (7, 5, {"trip": "sea"})
    bound.put(key, png(8, 6))
    soon(lambda: bound.file(key).image_width == 8)
    bound.s3.delete_object(Bucket=bound.bucket, Key=key)
    soon(lambda: bound.file(key) is None)
    assert bound.count() == 0


def test_objects_come_over_the_bridge(space):
    """The way of buckets whose notifications have no room for an entry."""
    bridge = {"EventBridgeConfiguration": {}}
    space.s3.put_bucket_notification_configuration(Bucket=space.bucket, NotificationConfiguration=bridge)
    space.bind()
    present = space.s3.get_bucket_notification_configuration(Bucket=space.bucket)
    assert "QueueConfigurations" not in present
    space.put("a b+c.png", png(9, 9))
    soon(lambda: space.file("a b+c.png"))
    space.s3.delete_object(Bucket=space.bucket, Key="a b+c.png")
    soon(lambda: space.file("a b+c.png") is None)


def test_a_scan_finds_what_was_there(stack, space):
    bodies = [png(1 + index % 5, 1) for index in range(SCANNED)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda index: space.put(f"{index % 7}/{index:05}.png", bodies[index]), range(SCANNED)))
    space.bind()
    statistics = space.statistics()
    assert (statistics.file_count, statistics.total_file_size) == (SCANNED, sum(map(len, bodies)))
    assert space.query(max_results=1).total_hits == SCANNED
    assert space.query(where("ImageWidth", "eq", "5"), max_results=1).total_hits == SCANNED // 5
    # By the state machine, in child executions of its distributed map.
    machine = stack.emulator.client("stepfunctions")
    run = stack.binding_item(space)["run"]["S"]
    execution = stack.outputs["ScanStateMachine"].replace(":stateMachine:", ":execution:") + f":{run}"
    assert machine.describe_execution(executionArn=execution)["status"] == "SUCCEEDED"
    maps = machine.list_map_runs(executionArn=execution)["mapRuns"]
    counts = [machine.describe_map_run(mapRunArn=found["mapRunArn"])["itemCounts"] for found in maps]
    assert len(counts) == 1 and counts[0]["succeeded"] == counts[0]["total"] > 1, counts


def test_a_subscriber_hears_of_a_finished_task(stack, space):
    sns, sqs = stack.emulator.client("sns"), stack.sqs
    name = stack.outputs["CompletionTopic"]
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
    queue_name = unique("subscriber")
    queue = sqs.create_queue(QueueName=queue_name)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_name}"
    allow = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(allow)})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    uri = space.put("a.png", png(4, 3))
    request = models.IndexFileMetaRequest(
        file=models.InputFile(uri=uri, custom_id="one", custom_labels={"category": "Sea"}),
        notification=models.Notification(mns=models.MNS(topic_name=name)), user_data="echo", **space.names)
    reply = space.imm.index_file_meta(request).body
    received = soon(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"))
    message = json.loads(json.loads(received[0]["Body"])["Message"])
    assert message["RequestId"] == reply.request_id
    assert (message["ProjectName"], message["DatasetName"]) == (space.project, space.dataset)
    assert (message["Success"], message["UserData"]) == (True, "echo")
    assert message["Files"] == [{"URI": uri, "CustomId": "one", "CustomLabels": {"category": "Sea"}, "Error": ""}]
    task = models.GetTaskRequest(project_name=space.project, task_type="IndexFileMeta", task_id=reply.event_id)
    assert space.imm.get_task(task).body.status == "Succeeded"
    assert space.file("a.png").image_width == 4
    # Said once.
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=received[0]["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=queue)


def test_what_cannot_be_read_becomes_a_dead_letter(stack, bound):
    """An object that only its owner's key opens: S3 refuses every attempt at
    it, with an answer that does not say that it will stay so."""
    sqs, queue = stack.sqs, stack.queue("ObjectQueue")
    dead_letters = stack.queue("ObjectDeadLetters")
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    # Between the attempts lies what the template says, 12 minutes: a test
    # cannot wait for that.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    try:
        key = hashlib.sha256(b"the owner's key").digest()
        bound.put("sealed.png", png(2, 2), SSECustomerAlgorithm="AES256", SSECustomerKey=key)
        bound.put("open.png", png(2, 2))
        letters = soon(lambda: sqs.receive_message(
            QueueUrl=dead_letters, WaitTimeSeconds=1, MessageSystemAttributeNames=["All"]).get("Messages"))
    finally:
        sqs.set_queue_attributes(
            QueueUrl=queue, Attributes={"VisibilityTimeout": attributes["VisibilityTimeout"]})
    assert len(letters) == 1
    records = json.loads(letters[0]["Body"])["Records"]
    assert [record["s3"]["object"]["key"] for record in records] == ["sealed.png"]
    # The index says what it could not read, and why; the others are not held up.
    file = soon(lambda: bound.file("sealed.png"))
    assert file.object_status == "Failed"
    assert "5 attempts" in file.to_map()["Reason"]
    assert bound.file("open.png").image_width == 2
    assert bound.count() == 2
    # Its owner opens it without an event that says so, and the letter is sent again.
    sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=letters[0]["ReceiptHandle"])
    nothing = {"QueueConfigurations": []}
    entries = bound.s3.get_bucket_notification_configuration(Bucket=bound.bucket)
    bound.s3.put_bucket_notification_configuration(Bucket=bound.bucket, NotificationConfiguration=nothing)
    bound.put("sealed.png", png(2, 2))
    entries.pop("ResponseMetadata")
    bound.s3.put_bucket_notification_configuration(Bucket=bound.bucket, NotificationConfiguration=entries)
    sqs.send_message(QueueUrl=queue, MessageBody=letters[0]["Body"])
    soon(lambda: bound.file("sealed.png").image_width == 2)
    assert bound.file("sealed.png").object_status != "Failed"
    assert bound.count() == 2


def test_an_update_keeps_what_is_there(stack, bound):
    """The same command as for the first deployment, with another answer."""
    bound.put("before.png", png(3, 3))
    soon(lambda: bound.file("before.png"))
    outputs = stack.outputs
    scheduler = stack.emulator.client("scheduler")
    configuration = stack.emulator.client("lambda").get_function_configuration

    def reconcile():
        return configuration(FunctionName=f"{STACK}-on-schedule")["Environment"]["Variables"]["MEDIADEX_RECONCILE"]

    assert reconcile() == "daily"
    stack.deploy(Reconcile="hourly", MemorySize="640", EventConcurrency="60")
    assert reconcile() == "hourly"
    assert int(configuration(FunctionName=f"{STACK}-get-project")["MemorySize"]) == 640
    mappings = stack.emulator.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert sorted(mapping["ScalingConfig"]["MaximumConcurrency"] for mapping in mappings) == [20, 50, 60]
    assert stack.outputs == outputs
    assert scheduler.get_schedule(Name=stack.physical("OnScheduleHourly"))["State"] == "ENABLED"
    assert bound.file("before.png").image_width == 3
    bound.put("after.png", png(4, 4))
    soon(lambda: bound.file("after.png"))
    assert bound.count() == 2


def test_the_clock_makes_up_for_what_was_lost(stack, bound):
    """Events that never came, and an execution that an operator stopped. The
    schedule itself calls, with its own target; only its time is changed."""
    machine, scheduler = stack.emulator.client("stepfunctions"), stack.emulator.client("scheduler")
    lambdas = stack.emulator.client("lambda")
    # A binding whose scan is stopped for good before it has begun.
    other = DeployedSpace(stack, "left-behind")
    other.put("old.png", png(6, 6))
    lambdas.put_function_concurrency(FunctionName=f"{STACK}-scan", ReservedConcurrentExecutions=0)
    try:
        other.imm.create_binding(models.CreateBindingRequest(uri=other.bucket_uri, **other.names))
        run = stack.binding_item(other)["run"]["S"]
        execution = stack.outputs["ScanStateMachine"].replace(":stateMachine:", ":execution:") + f":{run}"
        machine.stop_execution(executionArn=execution)
        soon(lambda: machine.describe_execution(executionArn=execution)["status"] == "ABORTED")
    finally:
        lambdas.delete_function_concurrency(FunctionName=f"{STACK}-scan")
    assert other.count() == 0
    # An object whose event is lost.
    entries = bound.s3.get_bucket_notification_configuration(Bucket=bound.bucket)
    entries.pop("ResponseMetadata")
    bound.s3.put_bucket_notification_configuration(
        Bucket=bound.bucket, NotificationConfiguration={"QueueConfigurations": []})
    bound.put("lost.png", png(5, 5))
    assert stack.invoke("on-schedule", event("on-schedule")) == {"scans": 0, "taken_up": 0}
    assert bound.file("lost.png") is None
    # Two hours go by.
    past = (datetime.now(timezone.utc) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
    stack.age(stack.binding_item(bound), update_time=past)
    stack.age({"PK": {"S": f"SCAN#{run}"}, "SK": {"S": "RUN"}}, create_time=past)
    schedule = scheduler.get_schedule(Name=stack.physical("OnScheduleHourly"))
    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    settings = {name: schedule[name] for name in ("Name", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(ScheduleExpression="rate(1 minutes)", **settings)
    try:
        soon(lambda: bound.file("lost.png"))
    finally:
        scheduler.update_schedule(ScheduleExpression=schedule["ScheduleExpression"], **settings)
    soon(lambda: other.binding().phase == "IncrementalScanning")
    assert other.file("old.png").image_width == 6
    # The scan put the bucket's entry back.
    present = bound.s3.get_bucket_notification_configuration(Bucket=bound.bucket)
    assert [entry["Id"] for entry in present["QueueConfigurations"]] == ["mediadex"]


def test_alarms_reach_a_topic(stack):
    alarms = stack.emulator.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert len(alarms) == 6
    assert {action for alarm in alarms for action in alarm["AlarmActions"]} == {stack.outputs["AlarmTopic"]}
    stack.emulator.client("sns").get_topic_attributes(TopicArn=stack.outputs["AlarmTopic"])


def test_a_bucket_that_the_parameters_leave_out_is_refused(stack, space):
    bucket = unique("private")
    space.s3.create_bucket(Bucket=bucket)
    with pytest.raises(Exception) as caught:
        space.imm.create_binding(models.CreateBindingRequest(uri=f"oss://{bucket}", **space.names))
    assert caught.value.code == "NoPermission"


def test_nothing_was_left_over(stack):
    """No dead letters but those that a test made and took, and no failed
    executions but the one that a test stopped."""
    for queue in ("ObjectQueue", "ObjectDeadLetters", "TaskQueue", "TaskDeadLetters"):
        def counts():
            return stack.sqs.get_queue_attributes(
                QueueUrl=stack.queue(queue),
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"])["Attributes"]
        soon(lambda: set(counts().values()) == {"0"})
    machine = stack.emulator.client("stepfunctions")
    pages = machine.get_paginator("list_executions").paginate(stateMachineArn=stack.outputs["ScanStateMachine"])
    executions = [execution for page in pages for execution in page["executions"]]
    failed = [machine.describe_execution(executionArn=execution["executionArn"])
              for execution in executions if execution["status"] != "SUCCEEDED"]
    found = [(execution["status"], execution.get("error"), execution.get("cause")) for execution in failed]
    assert found == [("ABORTED", None, None)]


def test_functions_log_lines_that_a_query_can_read(stack):
    logs = stack.emulator.client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=stack.outputs["Logs"])
    lines = [event["message"].strip() for page in pages for event in page["events"]]
    # Beside ours stand the emulator's own; in AWS they are JSON as well, by LogFormat.
    platform = re.compile(r"(INIT_START|START|END|REPORT|XRAY) ")
    # A key that is there twice is lost by half of its readers.
    ours = [json.loads(line, object_pairs_hook=only_once) for text in lines for line in text.splitlines()
            if not platform.match(line)]
    calls = [line for line in ours if line.get("message") == "request"]
    assert {"CreateProject", "SimpleQuery", "CreateBinding"} <= {call["action"] for call in calls}
    assert all({"timestamp", "level", "request_id", "status", "micros"} <= call.keys() for call in calls)
    metrics = [line for line in ours if "_aws" in line]
    assert {line["Stack"] for line in metrics} == {STACK}
    assert {"rpc-gateway", "on-object-event", "scan", "on-work"} <= {line["Function"] for line in metrics}
    assert any("EventToCommit" in line and line.get("ObjectsIndexed") for line in metrics)
    groups = [group["logGroupName"] for page in logs.get_paginator("describe_log_groups").paginate()
              for group in page["logGroups"]]
    assert sorted(groups) == sorted([stack.outputs["Logs"], f"/aws/vendedlogs/states/{STACK}-scan"])


def only_once(pairs):
    """A JSON object whose keys are all different."""
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), pairs
    return dict(pairs)


def test_the_stack_goes_and_leaves_what_it_says(stack):
    """Bindings first: what a bucket's notifications hold is no resource of a
    stack. Then everything goes but the two tables and the keys."""
    imm, s3 = stack.imm(), stack.s3()
    for project in imm.list_projects(models.ListProjectsRequest()).body.projects:
        datasets = imm.list_datasets(models.ListDatasetsRequest(project_name=project.project_name)).body.datasets
        for dataset in datasets:
            names = {"project_name": project.project_name, "dataset_name": dataset.dataset_name}
            for binding in imm.list_bindings(models.ListBindingsRequest(**names)).body.bindings:
                imm.delete_binding(models.DeleteBindingRequest(uri=binding.uri, **names))
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    entries = [s3.get_bucket_notification_configuration(Bucket=bucket) for bucket in buckets]
    assert not any("QueueConfigurations" in entry for entry in entries), entries
    before = stack.everything()
    retained = {stack.outputs[name] for name in ("StateTable", "FilesTable", "AccessKeysSecret", "SealingKeySecret")}
    assert retained < before
    assert len(before) > 2 * len(functions()), before
    stack.delete()
    assert stack.everything() == retained
