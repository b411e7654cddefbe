"""What all tests share: with TIDEGATE_NOTHING_SKIPPED set, a skipped test fails the run."""

import os
import random

import pytest
from hypothesis import HealthCheck, settings

# Nothing here is timed: the machine may be busy, and the garbage of other tests is collected at any moment.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# One for the run, chosen before there are workers, who have to agree on which tests there are.
os.environ.setdefault("TIDEGATE_SEED", str(random.SystemRandom().randrange(2**32)))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if skipped and os.environ.get("TIDEGATE_NOTHING_SKIPPED"):
        reporter.write_line(f"{skipped} tests were skipped, and TIDEGATE_NOTHING_SKIPPED is set", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
