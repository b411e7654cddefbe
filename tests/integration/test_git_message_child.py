"""A template that is not plain runs in a child of its own."""

import asyncio
import time

import pytest

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.update import message_child
from tidegate.update.edit import edit_files
from tidegate.update.message import safe_message

pytestmark = pytest.mark.integration
OBJECT = {
    "apiVersion": "image.toolkit.fluxcd.io/v1",
    "kind": "ImageUpdateAutomation",
    "metadata": {"name": "apps", "namespace": "flux-system"},
}
EDITED = edit_files({"a.yaml": b'image: a/b:1 # {"$imagepolicy": "ns:web"}\n'}, {"ns:web": "a/b:2"})


async def test_the_child_answers_as_the_engine_does() -> None:
    template = "{{range .Changed.Changes}}{{.NewValue | upper}}{{end}} {{.AutomationObject}}"
    assert await safe_message(OBJECT, template, EDITED) == "A/B:2 flux-system/apps"


async def test_the_child_s_errors_come_through() -> None:
    with pytest.raises(InvalidInput, match="boom"):
        await safe_message(OBJECT, '{{fail "boom"}}', EDITED)
    with pytest.raises(InvalidInput) as caught:
        await safe_message(OBJECT, "{{if .Updated}}x{{end}}", EDITED)
    assert caught.value.code == "RemovedTemplateField"
    with pytest.raises(LimitExceeded):
        await safe_message(OBJECT, '{{repeat 999999999 "x"}}', EDITED)


async def test_a_template_that_never_ends_is_ended_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_child, "SECONDS_LIMIT", 0.5)
    longest, stop = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not stop:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - before)

    watching = asyncio.create_task(watch())
    with pytest.raises(LimitExceeded, match="message template"):
        await safe_message(OBJECT, '{{regexMatch "(a*)*b" (repeat 60 "a")}}', EDITED)
    stop = True
    await watching
    assert longest < 0.5
