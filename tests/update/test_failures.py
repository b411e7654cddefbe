"""By which reason a condition says what kept an automation from its work."""

import pytest

from tidegate.base.errors import (
    Conflict,
    Denied,
    InvalidInput,
    LimitExceeded,
    NotFound,
    RateLimited,
    Unavailable,
    Where,
)
from tidegate.engine.outcome import Stalled
from tidegate.update.failures import GIT_FAILED, SOURCE_FAILED, stalled_or_raised


@pytest.mark.parametrize("kind", [Denied, InvalidInput, NotFound, Unavailable])
@pytest.mark.parametrize("reason", [GIT_FAILED, SOURCE_FAILED])
def test_what_has_no_reason_of_its_own_gets_fluxs(kind, reason):
    with pytest.raises(kind) as raised:
        stalled_or_raised(kind("no", where=Where("a.yaml", 2), remedy="do this"), reason)
    assert raised.value.code == reason
    assert raised.value.explain() == "a.yaml:2: no\ndo this"


def test_a_reason_of_its_own_stays():
    with pytest.raises(InvalidInput) as raised:
        stalled_or_raised(InvalidInput("no key", code="InvalidSigningKey"), GIT_FAILED)
    assert raised.value.code == "InvalidSigningKey"


def test_what_is_too_large_is_a_failed_update():
    with pytest.raises(LimitExceeded) as raised:
        stalled_or_raised(LimitExceeded("too large"), GIT_FAILED)
    assert raised.value.code == "UpdateFailed"


@pytest.mark.parametrize("error", [Conflict("somebody was first"), RateLimited("later", retry_after=60.0)])
def test_what_the_manager_has_a_way_for_is_passed_on_as_it_is(error):
    with pytest.raises(type(error)) as raised:
        stalled_or_raised(error, GIT_FAILED)
    assert raised.value is error


def test_a_removed_template_field_is_not_tried_again():
    removed = InvalidInput("removed", remedy="use another", code="RemovedTemplateField")
    assert stalled_or_raised(removed, GIT_FAILED) == Stalled("RemovedTemplateField", "removed\nuse another")
