"""Which digest a tag has is remembered for those who see the registry in the same way."""

from __future__ import annotations

from datetime import UTC, datetime

from tidegate.engine.manual_clock import ManualClock
from tidegate.kinds.reference import Reference, Repository, parse_repository
from tidegate.oci.credentials import Access
from tidegate.oci.facts_cache import FactsInMemory
from tidegate.oci.values import OCI_INDEX, Descriptor
from tidegate.select.builds import Builds

WEB = parse_repository("ghcr.io/acme/web")
OURS, THEIRS = "sha256:" + "a" * 64, "sha256:" + "b" * 64
MADE = {OURS: datetime(2026, 1, 1, tzinfo=UTC), THEIRS: datetime(2025, 1, 1, tzinfo=UTC)}


class Answering:
    """Says one digest of every tag."""

    def __init__(self, digest: str):
        self._digest = digest

    def using(self, access: Access) -> Answering:
        return self

    async def head(self, reference: Reference) -> Descriptor | None:
        return Descriptor(OCI_INDEX, self._digest, 1)

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        raise AssertionError("what images say is known")

    async def read_blob(self, repository: Repository, descriptor: Descriptor) -> bytes:
        raise AssertionError("what images say is known")

    async def referrers(self, repository: Repository, digest: str) -> list[bytes] | None:
        raise AssertionError("what images say is known")


async def test_what_another_view_shows_is_not_taken_for_this_one() -> None:
    facts, clock = FactsInMemory(), ManualClock(datetime(2026, 2, 1, tzinfo=UTC))
    for digest, made in MADE.items():
        facts.put(digest, "created", made.isoformat())
    builds, ours, theirs = Builds(facts), Answering(OURS), Answering(THEIRS)
    for _ in range(2):
        assert await builds.created(theirs, WEB, ["1.0"], clock, "apps/theirs") == {"1.0": MADE[THEIRS]}
        assert await builds.created(ours, WEB, ["1.0"], clock) == {"1.0": MADE[OURS]}
    assert await builds.of_absent(theirs, WEB, "1.0", "apps/theirs") == MADE[THEIRS]
    assert await builds.of_absent(ours, WEB, "1.0") == MADE[OURS]
