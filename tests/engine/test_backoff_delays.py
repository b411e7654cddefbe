import random

from tidegate.engine.backoff import jittered, retry_delay


def test_failures_wait_from_750_ms_to_15_minutes():
    assert [retry_delay(failures) for failures in (1, 2, 3, 4)] == [0.75, 1.5, 3.0, 6.0]
    assert retry_delay(11) == 768.0
    assert retry_delay(12) == 900.0
    assert retry_delay(10_000) == 900.0


def test_an_interval_varies_by_five_percent_at_most():
    source = random.Random(7)
    delays = [jittered(60.0, source) for _ in range(1000)]
    assert min(delays) >= 57.0
    assert max(delays) <= 63.0
    assert max(delays) - min(delays) > 3.0
