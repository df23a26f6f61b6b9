"""What holds for the whole run."""

import os
import sys

import pytest
import structlog


@pytest.fixture(autouse=True)
def log_as_it_was():
    """A test that runs a whole command leaves its log behind, on a stream that is closed by then."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def _skips_forbidden() -> bool:
    return os.environ.get("CI") == "true"


def _skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In the continuous build a skipped test is a failed run: there nothing may be lacking. What the tests
    with real sockets saw of the dialects is kept for the end of the run."""
    if (seen := sys.modules.get("tests.support.seen")) is not None:
        seen.SEEN.keep()
    if _skips_forbidden() and session.exitstatus == pytest.ExitCode.OK and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say why a run without failures failed."""
    if _skips_forbidden() and (count := _skipped(config)):
        terminalreporter.write_line(f"CI=true: {count} skipped tests fail this run", red=True)
