"""Is an answer believed? Gathers what decides that: what was there, what is selected, what somebody has accepted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from tidegate.base.frozen import frozen
from tidegate.engine.outcome import Context
from tidegate.engine.status import REQUESTED_AT
from tidegate.kinds.accepting import accepting
from tidegate.kinds.common import mapping
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.objects import Object, ObjectKey, annotation, key_of
from tidegate.scan.answer import Answer
from tidegate.scan.policies import POLICY, refers
from tidegate.scan.trust import AGREEING, Doubt, Scan, doubted, suspicion


@frozen
class Distrust:
    """An answer that is not believed: why, to follow the image's name, and what is to be remembered of it."""

    why: str
    doubt: Doubt

    def message(self, image: str, key: ObjectKey) -> str:
        """What was seen, what is kept, and what makes it believed."""
        return (
            f"{image} {self.why}. The last good result is kept. This one is believed after {AGREEING} scans that agree "
            f"({self.doubt.scans} so far), or now by: "
            f"tidegate reconcile imagerepository {key.name} -n {key.namespace} --accept"
        )


async def distrust(
    obj: Object, ctx: Context, spec: ImageRepository, answer: Answer, before: Doubt | None
) -> Distrust | None:
    """Why `answer` is not believed; None where it is. `before` is the doubt about the answer before it. A selected tag
    that is gone with a believed one is told as an event.
    """
    if answer.change is None or not answer.change.lost:
        return None
    gone = await _selected_gone(obj, ctx, spec.image, answer.tags or ())
    why = suspicion(answer.change, [tag for tag, _ in gone])
    if why is not None and accepting(obj, ctx.clock.now()) is None:
        status = mapping(obj.get("status"))
        asked = annotation(obj, REQUESTED_AT) not in (None, status.get("lastHandledReconcileAt"))
        scan = Scan(answer.revision, answer.count, ctx.clock.now(), asked, spec.interval_seconds)
        doubt = doubted(before, scan)
        if doubt.scans < AGREEING:
            return Distrust(why, doubt)
    for tag, policy in gone:
        await ctx.events.warning(
            obj, "SelectedTagGone", f"{spec.image} has no longer {tag}, which {policy} has selected"
        )
    return None


async def _selected_gone(obj: Object, ctx: Context, image: str, tags: Sequence[str]) -> list[tuple[str, ObjectKey]]:
    """The tags that a policy of this ImageRepository has selected and that are not listed any more, by policy."""
    gone = []
    for policy in (await ctx.store.list(*POLICY)).items:
        latest = mapping(mapping(policy.get("status")).get("latestRef"))
        tag = latest.get("tag")
        if latest.get("name") != image or not isinstance(tag, str) or not refers(policy, key_of(obj)):
            continue
        if not _holds(tags, tag):
            gone.append((tag, key_of(policy)))
    return gone


def _holds(tags: Sequence[str], tag: str) -> bool:
    """Whether a sorted list holds a tag."""
    place = bisect_left(tags, tag)
    return place < len(tags) and tags[place] == tag
