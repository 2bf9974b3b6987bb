"""A project, a dataset and a bucket of a test's own."""

from alibabacloud_imm20200930 import models

from .cloud import Cloud, eventually, unique
from .raw import Request


class Space:
    """Names, and the calls that most tests begin with."""

    def __init__(self, cloud: Cloud, stem: str):
        self.cloud = cloud
        self.imm = cloud.imm()
        self.s3 = cloud.s3()
        self.project = unique(stem)
        self.dataset = "files"
        self.bucket = unique(stem).lower()
        self.make_project()
        self.imm.create_dataset(models.CreateDatasetRequest(project_name=self.project, dataset_name=self.dataset))
        self.s3.create_bucket(Bucket=self.bucket)

    def make_project(self) -> None:
        """Some tests ask more than the 100 times in a second that are the
        default; the SDK's CreateProject cannot say so."""
        params = {"ProjectName": self.project, "ProjectQueriesPerSecond": "100000"}
        reply = Request("CreateProject", params).send(self.cloud)
        assert reply.status == 200, reply.body

    @property
    def names(self) -> dict:
        """The parameters that every call of a dataset has."""
        return {"project_name": self.project, "dataset_name": self.dataset}

    @property
    def bucket_uri(self) -> str:
        return f"oss://{self.bucket}"

    def uri(self, key: str) -> str:
        return f"oss://{self.bucket}/{key}"

    def put(self, key: str, body: bytes = b"x", **more) -> str:
        """Stores an object and gives its URI."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)
        return self.uri(key)

    def bind(self) -> None:
        """Binds the bucket and waits for the end of the first scan."""
        self.imm.create_binding(models.CreateBindingRequest(uri=self.bucket_uri, **self.names))
        eventually(lambda: self.binding().phase == "IncrementalScanning")

    def binding(self):
        request = models.GetBindingRequest(uri=self.bucket_uri, **self.names)
        return self.imm.get_binding(request).body.binding

    def query(self, condition=None, **more):
        """One page of SimpleQuery."""
        return self.imm.simple_query(models.SimpleQueryRequest(query=condition, **self.names, **more)).body

    def keys(self, condition=None, **more) -> list[str]:
        """Keys of the files of the first page."""
        return [file.filename for file in self.query(condition, **more).files or []]

    def count(self) -> int:
        """Files of the dataset, by its exact counters."""
        return self.statistics().file_count

    def statistics(self):
        request = models.GetDatasetRequest(with_statistics=True, **self.names)
        return self.imm.get_dataset(request).body.dataset


def where(field: str, operation: str, value: str | None = None) -> models.SimpleQuery:
    """A condition."""
    return models.SimpleQuery(field=field, operation=operation, value=value)


def all_of(*conditions) -> models.SimpleQuery:
    return models.SimpleQuery(operation="and", sub_queries=list(conditions))


def any_of(*conditions) -> models.SimpleQuery:
    return models.SimpleQuery(operation="or", sub_queries=list(conditions))


def none_of(*conditions) -> models.SimpleQuery:
    return models.SimpleQuery(operation="not", sub_queries=list(conditions))
