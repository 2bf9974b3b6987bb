"""The stack of template.yaml, deployed once for all tests, without an account.

Needs the binaries of the functions (profile `functions`) where the template wants them,
target/lambda/<function>/bootstrap, and AWS SAM's command line.
Nothing is written outside of pytest's temporary directory.
"""

import os

import pytest
from deployment.emulator import Emulator
from deployment.stack import Stack, resolve_function_urls

# The SDK honours proxies, for loopback as well; boto3 the user's own settings.
for name in list(os.environ):
    if name.upper().endswith("_PROXY") or name.startswith("AWS_"):
        del os.environ[name]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory, request):
    emulator = Emulator(tmp_path_factory.mktemp("emulator"))
    yield emulator
    emulator.stop()
    if request.session.testsfailed:
        # The functions' logs go with the emulator.
        reporter = request.config.pluginmanager.get_plugin("terminalreporter")
        reporter.ensure_newline()
        for line in emulator.complaints()[-50:]:
            reporter.write_line(line[:1000])


@pytest.fixture(scope="session")
def stack(emulator):
    resolve_function_urls(emulator.port)
    return Stack(emulator)
