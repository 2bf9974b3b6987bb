"""The deployed stack, and clients of what it offers."""

import json
import socket
from urllib.parse import urlsplit

from alibabacloud_imm20200930.client import Client as ImmClient
from alibabacloud_tea_openapi import models as open_api_models

from .emulator import REGION, Emulator
from .sam import TEMPLATE, sam

STACK = "mediadex-deployed"
ARTIFACTS = "deployment-artifacts"
# Buckets and topics that the stack's functions may touch: narrower than the
# defaults, so that what the policies make of the parameters is tried as well.
BUCKETS = "demo-*"
TOPICS = "demo-"
URL_SUFFIX = f".lambda-url.{REGION}.on.aws"


# Service, operation, where its answer has the list, and each one's name.
KINDS = [
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    ("dynamodb", "list_tables", "TableNames", None),
    ("sqs", "list_queues", "QueueUrls", None),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("stepfunctions", "list_state_machines", "stateMachines", "stateMachineArn"),
    ("events", "list_rules", "Rules", "Name"),
    ("scheduler", "list_schedules", "Schedules", "Name"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("iam", "list_roles", "Roles", "RoleName"),
]


class Stack:
    """The stack of template.yaml, deployed."""

    def __init__(self, emulator: Emulator):
        self.emulator = emulator
        self.sqs = emulator.client("sqs")
        self.cloudformation = emulator.client("cloudformation")
        self.s3().create_bucket(Bucket=ARTIFACTS)
        # The schedule that is no parameter's default comes with the update.
        self.deploy(Reconcile="daily")

    def deploy(self, **parameters: str) -> None:
        """Makes the stack, or makes it what the template and these parameters
        say: with the command of the README, but for its questions."""
        parameters = {
            "Architecture": "x86_64",
            "BucketNamePattern": BUCKETS,
            "TopicNamePrefix": TOPICS,
            **parameters,
        }
        sam(
            self.emulator,
            "deploy",
            *("--template-file", str(TEMPLATE)),
            *("--stack-name", STACK),
            *("--s3-bucket", ARTIFACTS),
            *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
            "--no-confirm-changeset",
            *("--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())),
        )
        description = self.cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        assert description["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), description
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}
        self._numbers_as_numbers()

    def _numbers_as_numbers(self) -> None:
        """CloudFormation makes a number of a parameter where a resource wants
        one; the emulator leaves it a text, and its poller fails at comparing it."""
        functions = self.emulator.client("lambda")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            limit = int(mapping["ScalingConfig"]["MaximumConcurrency"])
            functions.update_event_source_mapping(
                UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": limit}
            )

    def resources(self) -> list[dict]:
        """What the stack consists of."""
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
        return [resource for page in pages for resource in page["StackResourceSummaries"]]

    def physical(self, logical: str) -> str:
        """The name of a resource that the template gives another one."""
        return next(found["PhysicalResourceId"] for found in self.resources() if found["LogicalResourceId"] == logical)

    def queue(self, logical: str) -> str:
        """The URL of one of the stack's queues."""
        return self.physical(logical)

    def s3(self):
        return self.emulator.client("s3")

    def imm(self, secret: str | None = None) -> ImmClient:
        """A client of the SDK, made as its documentation says but for the endpoint."""
        secrets = self.emulator.client("secretsmanager")
        value = secrets.get_secret_value(SecretId=self.outputs["AccessKeysSecret"])["SecretString"]
        keys = json.loads(value)
        config = open_api_models.Config(
            access_key_id=keys["AccessKeyId"],
            access_key_secret=secret or keys["AccessKeySecret"],
            # The function URL as the stack says it, but for TLS.
            endpoint=urlsplit(self.outputs["Endpoint"]).netloc,
            protocol="HTTP",
        )
        return ImmClient(config)

    def invoke(self, function: str, event: dict) -> dict:
        """What a function answers to an event."""
        client = self.emulator.client("lambda", read_timeout=120)
        reply = client.invoke(FunctionName=f"{STACK}-{function}", Payload=json.dumps(event))
        answer = json.loads(reply["Payload"].read())
        assert "FunctionError" not in reply, answer
        return answer

    def binding_item(self, space) -> dict:
        """The item of a space's binding, as it is stored."""
        dynamodb = self.emulator.client("dynamodb")
        dataset = dynamodb.get_item(
            TableName=self.outputs["StateTable"],
            Key={"PK": {"S": f"P#{space.project}"}, "SK": {"S": f"DS#{space.dataset}"}},
        )["Item"]["id"]["S"]
        key = {"PK": {"S": f"DSID#{dataset}"}, "SK": {"S": f"B#{space.bucket}"}}
        return dynamodb.get_item(TableName=self.outputs["StateTable"], Key=key)["Item"]

    def age(self, item: dict, **times: str) -> None:
        """Has an item of the state table look as if it were of these times:
        what a test does instead of waiting."""
        for name, time in times.items():
            self.emulator.client("dynamodb").update_item(
                TableName=self.outputs["StateTable"],
                Key={"PK": item["PK"], "SK": item["SK"]},
                UpdateExpression="SET #name = :time",
                ConditionExpression="attribute_exists(#name)",
                ExpressionAttributeNames={"#name": name},
                ExpressionAttributeValues={":time": {"S": time}},
            )

    def everything(self) -> set[str]:
        """The names of what is in the account, of every kind that a stack of
        ours may have made."""
        found = set()
        for service, operation, results, name in KINDS:
            for page in self.emulator.client(service).get_paginator(operation).paginate():
                found |= {item if name is None else item[name] for item in page.get(results) or []}
        return found

    def delete(self) -> None:
        sam(self.emulator, "delete", "--stack-name", STACK, "--no-prompts")


def resolve_function_urls(port: int) -> None:
    """Leads function URLs to the emulator, as an entry in the hosts file and a
    forwarded port would: the name stays, for signatures are over it."""
    real = socket.getaddrinfo

    def getaddrinfo(host, service, *args, **more):
        if isinstance(host, str) and host.endswith(URL_SUFFIX):
            host, service = "127.0.0.1", port
        return real(host, service, *args, **more)

    socket.getaddrinfo = getaddrinfo
