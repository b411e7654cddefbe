"""An ImageUpdateAutomation's annotations under `tidegate.dev/`."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.update.annotations import NO_WISHES, PullRequestWish, unknown_annotations, wishes_of


def automation(**annotations):
    named = {f"tidegate.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return {"metadata": {"name": "auto", "annotations": named}}


def test_unset_each_is_off():
    assert wishes_of({"metadata": {"name": "auto"}}) == wishes_of(automation()) == NO_WISHES


def test_they_are_read():
    wishes = wishes_of(automation(batch="1h30m", window="Mon 08:00-18:00", respect_rollback="true"))
    assert (wishes.batch, wishes.respect_rollback) == (5400.0, True)
    assert wishes.window is not None
    assert wishes_of(automation(rollback_after=" 10m ")).rollback_after == 600.0
    wish = wishes_of(automation(pull_request="true", pull_request_api="forgejo", pull_request_secret="x")).pull_request
    assert wish == PullRequestWish("forgejo", "x")
    assert wishes_of(automation(pull_request="false", pull_request_api="forgejo")).pull_request is None


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("batch", "5", "write a duration as Go does"),
        ("batch", "0s", "from 1s to 168h"),
        ("batch", "-5m", "from 1s to 168h"),
        ("batch", "200h", "from 1s to 168h"),
        ("window", "always", 'as "Mon-Fri 08:00-18:00 Europe/Sarajevo"'),
        ("window", "Mon Europe/Sarajewo", "write a name such as Europe/Berlin"),
        ("window", "Mon-Fri 8-18", 'as "Mon-Fri 08:00-18:00 Europe/Sarajevo"'),
        ("respect_rollback", "yes", 'write "true" or "false"'),
        ("rollback_after", "soon", "write a duration as Go does"),
        ("rollback_after", "9s", "from 10s to 24h"),
        ("rollback_after", "25h", "from 10s to 24h"),
        ("pull_request", "yes", 'write "true" or "false"'),
        ("pull_request_api", "bitbucket", "write one of github, gitea, forgejo, gitlab"),
    ],
)
def test_a_wrong_one_is_named_with_what_it_may_be(name, value, remedy):
    with pytest.raises(InvalidInput) as raised:
        wishes_of(automation(**{name: value}))
    said = raised.value.explain()
    assert said.startswith(f"metadata.annotations[tidegate.dev/{name.replace('_', '-')}]: ")
    assert remedy in said


def test_misspelt_ones_are_found():
    obj = automation(batches="5m", window="Mon", keep="x", adopt="y")
    obj["metadata"]["annotations"]["example.com/other"] = "1"
    assert unknown_annotations(obj) == ["tidegate.dev/batches"]
