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
from support.space import Space

# The SDKs honour proxies, for loopback as well.
for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
    os.environ.pop(name, None)
    os.environ.pop(name.lower(), None)

VERSIONS = {"v5": "5.0.3", "v3": "3.0.0", "v1": "1.27.3"}


def pytest_collection_modifyitems(items):
    """A test of another SDK version than the installed one says so and is skipped."""
    installed = importlib.metadata.version("alibabacloud_imm20200930")
    for item in items:
        wanted = VERSIONS.get(Path(item.path).parent.name)
        if wanted != installed:
            reason = f"needs alibabacloud_imm20200930 {wanted}; {installed} is installed"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    """One local cloud for all tests of a process."""
    cloud = Cloud(tmp_path_factory.mktemp("mediadex") / "state")
    yield cloud
    cloud.stop()


@pytest.fixture
def space(cloud, request):
    """A project, a dataset and a bucket for one test."""
    return Space(cloud, request.node.originalname.replace("_", "-")[:40])


@pytest.fixture(scope="module")
def shared_space(cloud, request):
    """The same for all tests of a file."""
    return Space(cloud, Path(request.path).stem.replace("_", "-")[:40])


@pytest.fixture
def topic(cloud):
    """A topic of the test's own."""
    name = unique("done")
    cloud.sns().create_topic(Name=name)
    return name
