"""Tests with the official SDKs against `mediadex up`, as a user runs them.

Nothing here knows how the server is built: it is a program that is started,
and endpoints that answer. The program is the one that MEDIADEX_BIN names, else
target/debug/mediadex, else target/release/mediadex.
"""

import importlib.metadata
import os
from pathlib import Path

import pytest

from support.cloud import Cloud, unique

# The SDKs honour proxies, for loopback as well.
for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
    os.environ.pop(name, None)
    os.environ.pop(name.lower(), None)

IMM = "alibabacloud_imm20200930"
IMAGE_SEARCH = "huaweicloudsdkimagesearch"
VERSIONS = {
    "v5": (IMM, "5.0.3"),
    "v3": (IMM, "3.0.0"),
    "v1": (IMM, "1.27.3"),
    "huawei-v2": (IMAGE_SEARCH, "3.1.219"),
    "huawei-v1": (IMAGE_SEARCH, "3.0.60"),
    "openapi": ("schemathesis", "4.32.5"),
}


def installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def folder(path) -> str:
    return Path(path).parent.name


def pytest_ignore_collect(collection_path):
    """A file whose package is not there at all cannot even be imported."""
    if collection_path.name.startswith("test_") and installed(VERSIONS[folder(collection_path)][0]) is None:
        return True


def pytest_collection_modifyitems(items):
    """A test of another version than the installed one says so and is skipped."""
    for item in items:
        package, wanted = VERSIONS[folder(item.path)]
        found = installed(package)
        if wanted != found:
            reason = f"needs {package} {wanted}; {found} is installed"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _typed_replies(request, monkeypatch):
    """Every reply that a client of IMM gets is held against its SDK's models."""
    version = folder(request.node.path)
    if VERSIONS[version][0] != IMM or installed(IMM) is None:
        return
    from alibabacloud_tea_openapi.client import Client

    from support import shapes

    call, call_async = Client.call_api, Client.call_api_async

    def checked(self, params, sent, runtime):
        reply = call(self, params, sent, runtime)
        shapes.check(params.action, reply["body"], version == "v5")
        return reply

    async def checked_async(self, params, sent, runtime):
        reply = await call_async(self, params, sent, runtime)
        shapes.check(params.action, reply["body"], version == "v5")
        return reply

    monkeypatch.setattr(Client, "call_api", checked)
    monkeypatch.setattr(Client, "call_api_async", checked_async)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    """One local cloud for all tests of a process."""
    cloud = Cloud(tmp_path_factory.mktemp("mediadex") / "state")
    yield cloud
    cloud.stop()


@pytest.fixture
def space(cloud, request):
    """A project, a dataset and a bucket for one test."""
    from support.space import Space

    return Space(cloud, request.node.originalname.replace("_", "-")[:40])


@pytest.fixture(scope="module")
def shared_space(cloud, request):
    """The same for all tests of a file."""
    from support.space import Space

    return Space(cloud, Path(request.path).stem.replace("_", "-")[:40])


@pytest.fixture
def topic(cloud):
    """A topic of the test's own."""
    name = unique("done")
    cloud.sns().create_topic(Name=name)
    return name
