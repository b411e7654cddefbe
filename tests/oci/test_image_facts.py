"""What is read of an image to decide on it, from our own registry without a socket; how often is counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from tests.integration.cosign_world import Images
from tests.oci.fake_registry import streamed
from tests.serve.registry_door import HOST, World

from tidegate.base.errors import InvalidInput, NotFound, Unavailable
from tidegate.base.http import make_client
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference, parse_repository
from tidegate.oci import values
from tidegate.oci.auth import Endpoint
from tidegate.oci.client import RegistryClient
from tidegate.oci.credentials import Login
from tidegate.oci.facts_cache import FactsCache
from tidegate.oci.image_facts import ImageFacts, missing_platforms, moment
from tidegate.oci.values import Descriptor, Index, Manifest

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
OTHER = "sha256:" + "0" * 64


class Counting(httpx2.AsyncBaseTransport):
    """Passes requests on, and counts them."""

    def __init__(self, transport: httpx2.AsyncBaseTransport):
        self._transport = transport
        self.count = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.count += 1
        return await self._transport.handle_async_request(request)


class Place(Images):
    """A repository, the facts of its images, and how many requests they took."""

    def __init__(self, root: Path):
        self.requests = Counting(World(root / "registry").transport)
        endpoints = {"127.0.0.1:5000": Endpoint(HOST, Login("u", "home-token"))}
        super().__init__(
            RegistryClient(endpoints, http=make_client(self.requests)), parse_repository("127.0.0.1:5000/acme/web")
        )
        self.path = root / "cache" / "facts.db"
        self.restart()

    def restart(self) -> None:
        self.cache = FactsCache(self.path)
        self.facts = ImageFacts(self.client, self.cache, self.repository)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    found = Place(tmp_path)
    yield found
    found.cache.close()


async def test_an_index_says_its_platforms_in_one_request_and_once(place: Place) -> None:
    image = await place.push("1.0.0", "", "linux/arm64", "linux/arm/v7")
    before = place.requests.count
    wanted = (Platform("linux", "arm64"), Platform("linux", "arm", "v7"))
    assert await place.facts.platforms(image.digest) == wanted
    assert place.requests.count == before + 1
    assert await place.facts.platforms(image.digest) == wanted
    place.cache.close()
    place.restart()
    assert await place.facts.platforms(image.digest) == wanted
    assert place.requests.count == before + 1


async def test_an_image_without_an_index_names_its_platform_itself(place: Place) -> None:
    image = await place.push("1.0.0", "", "linux/arm/v6")
    assert await place.facts.platforms(image.digest) == (Platform("linux", "arm", "v6"),)


async def test_attestations_are_no_platform(place: Place) -> None:
    image = await place.push("1.0.0", "", "linux/arm64")
    parts = (
        Descriptor(image.media_type, image.digest, image.size, Platform("linux", "arm64")),
        Descriptor(image.media_type, image.digest, image.size, Platform("unknown", "unknown")),
        Descriptor(
            image.media_type,
            image.digest,
            image.size,
            Platform("linux", "amd64"),
            {"vnd.docker.reference.type": "attestation-manifest"},
        ),
    )
    data = Index(parts).to_bytes()
    await place.client.push_manifest(Reference(place.repository, "1.0.1"), values.OCI_INDEX, data)
    assert await place.facts.platforms(values.digest_of(data)) == (Platform("linux", "arm64"),)


async def test_the_time_of_creation_is_that_of_the_first_image(place: Place) -> None:
    made = "2026-01-14T10:20:30.123456789Z"
    for platforms in (("linux/arm64",), ("linux/arm64", "linux/arm/v7")):
        image = await place.push("1.0.0", made, *platforms)
        found = await place.facts.created(image.digest)
        assert found is not None
        assert found.replace(microsecond=0) == datetime(2026, 1, 14, 10, 20, 30, tzinfo=UTC)
    before = place.requests.count
    await place.facts.created(image.digest)
    assert place.requests.count == before


@pytest.mark.parametrize("text", ["", "1970-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "0001-01-01T00:00:00Z", "today"])
async def test_a_time_that_only_makes_a_build_reproducible_is_none(place: Place, text: str) -> None:
    image = await place.push("1.0.0", text)
    assert await place.facts.created(image.digest) is None


def test_moments_are_told_in_utc() -> None:
    assert moment("2026-01-15T13:00:00+01:00") == NOW
    assert moment("2026-01-15T12:00:00") == NOW
    assert moment("0001-01-01T00:00:00+14:00") is None


async def test_an_image_was_seen_first_when_it_was_asked_for_first(place: Place) -> None:
    assert place.facts.first_seen(OTHER, NOW) == NOW
    later = NOW + timedelta(hours=1)
    assert place.facts.first_seen(OTHER, later) == NOW
    place.cache.close()
    place.restart()
    assert place.facts.first_seen(OTHER, later) == NOW
    earlier = NOW - timedelta(hours=1)  # the clock was set back
    assert place.facts.first_seen(OTHER, earlier) == earlier


async def test_what_is_no_image_is_remembered_as_such(place: Place) -> None:
    chart = Descriptor.of("application/vnd.cncf.helm.config.v1+json", b'{"name": "chart"}')
    await place.client.push_blob(place.repository, chart, b'{"name": "chart"}')
    manifest = Manifest(chart, ()).to_bytes()
    pushed = await place.client.push_manifest(Reference(place.repository, "1.0.0"), values.OCI_MANIFEST, manifest)
    for _ in range(2):
        with pytest.raises(InvalidInput, match="no image that can be read: config: os or architecture is missing"):
            await place.facts.created(pushed.digest)
        count = place.requests.count
    assert place.requests.count == count
    with pytest.raises(InvalidInput):
        await place.facts.platforms(pushed.digest)


async def test_how_a_registry_refuses_an_image_is_not_remembered_of_it(place: Place) -> None:
    image = await place.push("1.0.0", "2026-01-14T10:20:30Z", "linux/arm64")
    refusals: list[httpx2.Response] = [
        httpx2.Response(418),
        httpx2.Response(413),
        httpx2.Response(200, content=b" " * (values.MANIFEST_LIMIT + 1)),
    ]
    for refusal in refusals:
        client = RegistryClient(http=make_client(httpx2.MockTransport(lambda _, answer=refusal: streamed(answer))))
        facts = ImageFacts(client, place.cache, parse_repository("bad.example/acme/web"))
        with pytest.raises(InvalidInput, match="no image that can be read"):
            await facts.platforms(image.digest)
    assert await place.facts.platforms(image.digest) == (Platform("linux", "arm64"),)


async def test_what_is_not_there_is_asked_again(place: Place) -> None:
    for _ in range(2):
        before = place.requests.count
        with pytest.raises(NotFound):
            await place.facts.platforms(OTHER)
        assert place.requests.count == before + 1


@pytest.mark.parametrize(
    ("wanted", "there", "missing"),
    [
        ("linux/arm/v7 linux/arm64", "linux/arm64 linux/arm/v7 linux/amd64", ""),
        ("linux/arm/v7 linux/arm64", "linux/amd64 linux/arm64", "linux/arm/v7"),
        ("linux/arm/v7", "linux/arm/v6", ""),
        ("linux/arm/v6", "linux/arm/v7", "linux/arm/v6"),
        ("linux/arm64", "linux/arm/v7", "linux/arm64"),
        ("linux/amd64", "linux/386", "linux/amd64"),
        ("linux/amd64", "windows/amd64", "linux/amd64"),
        ("linux/arm64", "", "linux/arm64"),
    ],
)
def test_a_platform_is_there_in_its_variant_or_an_older_one(wanted: str, there: str, missing: str) -> None:
    def read(text: str) -> tuple[Platform, ...]:
        return tuple(Platform.parse(part) for part in text.split())

    assert missing_platforms(read(wanted), read(there)) == read(missing)


def test_of_too_many_facts_the_oldest_are_forgotten(tmp_path: Path) -> None:
    cache = FactsCache(tmp_path / "facts.db", most=20)
    for number in range(30):
        cache.put(f"digest-{number}", "created", str(number))
    kept = [number for number in range(30) if cache.get(f"digest-{number}", "created") == str(number)]
    assert kept == list(range(kept[0], 30))
    assert 15 <= len(kept) <= 20
    cache.close()


def test_a_file_that_is_torn_further_in_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    cache = FactsCache(path)
    for number in range(2000):
        cache.put(f"sha256:{number:064}", "created", "x" * 100)
    cache.close()
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (path.stat().st_size - 8192))
    for number in range(2000):
        assert cache.get(f"sha256:{number:064}", "created") in (None, "x" * 100)
    cache.put(OTHER, "seen", "now")
    assert cache.get(OTHER, "seen") == "now"
    cache.close()


def test_a_torn_file_is_made_anew_and_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    path.write_bytes(b"no database at all, and long enough to be looked at as one" * 100)
    cache = FactsCache(path)
    assert cache.get(OTHER, "seen") is None
    cache.put(OTHER, "seen", "now")
    assert cache.get(OTHER, "seen") == "now"
    cache.close()
    path.unlink()
    path.mkdir()
    with pytest.raises(Unavailable, match=r"facts\.db can't be used"):
        cache.put(OTHER, "seen", "now")


def test_nothing_is_made_on_disk_before_there_is_something_to_keep(tmp_path: Path) -> None:
    cache = FactsCache(tmp_path / "cache" / "facts.db")
    assert cache.get(OTHER, "seen") is None
    assert not list(tmp_path.iterdir())
