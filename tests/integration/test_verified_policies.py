"""`tidegate.dev/verify`: an ImagePolicy selects what is signed, with real keys and signatures."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cosign_world import BUNDLE, Signer, bundle, payload, statement
from tests.integration.needed import need
from tests.select.beyond_world import POLICY, BeyondWorld

from tidegate.base.errors import InvalidInput
from tidegate.engine.outcome import Waiting
from tidegate.kinds.objects import Object
from tidegate.oci.values import Descriptor

pytestmark = pytest.mark.integration


class World(BeyondWorld):
    def __init__(self, folder: Path):
        super().__init__(folder)
        self.signer, self.stranger = Signer(folder / "signer"), Signer(folder / "stranger", "ed25519")

    async def sign(self, image: Descriptor, signer: Signer | None = None) -> None:
        signed = payload(image.digest)
        await self.sign_by_tag(image, (signed, (signer or self.signer).sign(signed)))

    async def keep(self, kind: str, **keys: bytes) -> None:
        """A Secret or ConfigMap `cosign` with these keys, whose names end in .pub."""
        data = {f"{name}.pub": value.decode() for name, value in keys.items()}
        if kind == "Secret":
            data = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
        obj: Object = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "cosign", "namespace": "flux-system"}}
        await self.store.create(obj | {"data": data}, manager="test")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    need("openssl")
    found = World(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize("place", ["Secret", "ConfigMap", "inline"])
async def test_the_best_tag_that_is_signed_is_selected(world: World, place: str) -> None:
    if place != "inline":
        await world.keep(place, cosign=world.signer.pem)
    images = [await world.push(f"1.0.{number}") for number in range(3)]
    await world.sign(images[0])
    await world.sign(images[1], world.stranger)
    await world.scanned("1.0.0", "1.0.1", "1.0.2")
    await world.asking(verify=world.signer.pem.decode() if place == "inline" else "cosign")
    outcome = await world.reconcile()
    assert await world.latest() == "1.0.0"
    assert await world.condition("NewerRejected") == (
        f"True: 1.0.2: not signed; 1.0.1: not signed by the key {world.signer.key}: "
        "its signature was made by another key, or of other bytes"
    )
    assert outcome.requeue_after == 30


async def test_a_signature_that_comes_after_the_push_is_found(world: World) -> None:
    await world.keep("Secret", cosign=world.signer.pem)
    image = await world.push("1.0.0")
    await world.scanned("1.0.0")
    await world.asking(verify="cosign")
    outcome = await world.reconcile()
    assert isinstance(outcome, Waiting)
    assert outcome.on == "no tag may be selected now: 1.0.0: not signed"
    await world.clock.advance(float(outcome.requeue_after or 0))
    await world.refer(image, BUNDLE, bundle(world.signer, statement(image.digest)))
    assert await world.selected() == "1.0.0"


async def test_any_key_of_the_secret_suffices_so_that_keys_can_be_changed(world: World) -> None:
    await world.keep("Secret", old=world.stranger.pem, cosign=world.signer.pem)
    await world.sign(await world.push("1.0.0"), world.stranger)
    await world.sign(await world.push("1.0.1"))
    await world.scanned("1.0.0")
    await world.asking(verify="cosign")
    assert await world.selected() == "1.0.0"
    await world.scanned("1.0.0", "1.0.1")
    assert await world.selected() == "1.0.1"


async def test_a_pin_does_not_stand_for_a_signature(world: World) -> None:
    await world.keep("Secret", cosign=world.signer.pem)
    await world.sign(await world.push("1.0.0"))
    await world.push("1.0.1")
    await world.scanned("1.0.0", "1.0.1")
    await world.asking(verify="cosign", pin="1.0.0")
    assert await world.selected() == "1.0.0"
    await world.asking(verify="cosign", pin="1.0.1")
    with pytest.raises(InvalidInput, match=r"1\.0\.1, pinned by .*pin, may not be selected: not signed"):
        await world.reconcile()
    assert await world.latest() == "1.0.0"


async def test_the_digest_in_the_status_is_the_one_that_was_verified(world: World) -> None:
    await world.keep("Secret", cosign=world.signer.pem)
    signed = await world.push("1.0.0", "2026-01-01T00:00:00Z")
    await world.sign(signed)
    await world.scanned("1.0.0")
    digests = {"digestReflectionPolicy": "Always", "interval": "10m"}
    await world.asking(digests, verify="cosign")
    assert await world.selected() == "1.0.0"
    await world.push("1.0.0", "2026-01-02T00:00:00Z")  # somebody pushes another image under the tag
    outcome = await world.reconcile()
    assert isinstance(outcome, Waiting)
    assert (await world.store.get(POLICY))["status"]["latestRef"]["digest"] == signed.digest
