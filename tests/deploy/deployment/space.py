"""A project, a dataset and a bucket of a test's own, in the deployed stack."""

from alibabacloud_imm20200930 import models
from support.cloud import eventually
from support.space import Space, where

# Everything shares two cores here, and often with a compiler.
PATIENCE = 120


class DeployedSpace(Space):
    """Names that the stack's policies allow, and more patience."""

    def __init__(self, stack, stem: str):
        super().__init__(stack, f"demo-{stem}")

    def make_project(self) -> None:
        """With the SDK, over the function URL: nobody asks that often here."""
        self.imm.create_project(models.CreateProjectRequest(project_name=self.project))

    def bind(self) -> None:
        self.imm.create_binding(models.CreateBindingRequest(uri=self.bucket_uri, **self.names))
        eventually(lambda: self.binding().phase == "IncrementalScanning", timeout=PATIENCE, interval=0.2)

    def file(self, key: str):
        """The file of an object in SimpleQuery's answer, if it is there."""
        found = self.query(where("URI", "eq", self.uri(key)), without_total_hits=True).files
        return found[0] if found else None

    def unbind(self) -> None:
        self.imm.delete_binding(models.DeleteBindingRequest(uri=self.bucket_uri, **self.names))


def soon(probe, timeout: float = PATIENCE):
    """Asks until the answer is true, and gives it."""
    return eventually(probe, timeout=timeout, interval=0.1)
