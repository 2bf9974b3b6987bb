"""Tools that people already have, over folders with odd names, against
`mediadex up FOLDER --writable`. After each step the index must be the bucket."""

import shutil

import pytest
from space import Space


@pytest.fixture
def space(tmp_path):
    space = Space(tmp_path)
    yield space
    space.stop()


@pytest.fixture
def tool(request):
    """Skips a test whose tool is not there; it is named like its file."""
    name = request.path.stem.removeprefix("test_")
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name
