"""Annotations of an ImagePolicy in Git and by hand, in a whole Tidegate over Debian's docker-registry."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.integration.cosign_world import Images, Signer, payload
from tests.integration.needed import need
from tests.integration.registry_world import RegistryWorld

from tidegate.kinds.reference import parse_repository
from tidegate.oci.client import RegistryClient

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from crash_world import CLUSTER, World
from whole_world import Doors, opened, path_of

pytestmark = pytest.mark.integration
SCANNED = """
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: far, namespace: flux-system}}
spec: {{image: "{image}", interval: 1h}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata:
  name: far
  namespace: flux-system
  annotations: {{tidegate.dev/platforms: "linux/arm64,linux/arm/v7"}}
spec:
  imageRepositoryRef: {{name: far}}
  policy: {{semver: {{range: ">=1.0.0"}}}}
"""


async def annotate(doors: Doors, **annotations: str | None) -> None:
    named = {f"tidegate.dev/{name}": value for name, value in annotations.items()}
    await doors.client.merge(path_of("ImagePolicy", "far"), {"metadata": {"annotations": named}})


async def selects(doors: Doors, tag: str, *says: str) -> None:
    message = await doors.condition("ImagePolicy", "far", "True", f"resolved to {tag}", *says)
    assert message
    found = doors.object("ImagePolicy", "far")
    assert found is not None
    assert found["status"]["latestRef"]["tag"] == tag


async def test_annotations_decide_with_real_images(tmp_path: Path) -> None:
    need("openssl")
    registry = RegistryWorld(tmp_path / "registry")
    registry.start()
    try:
        world = await World.make(tmp_path / "world")
        async with RegistryClient() as client, opened(world) as doors:
            images = Images(client, parse_repository(f"127.0.0.1:{registry.port}/acme/web"))
            signer = Signer(tmp_path / "signer")
            signed = await images.push("1.0.0", "2026-01-03T00:00:00Z", "linux/arm64", "linux/arm/v7")
            await images.sign_by_tag(signed, (payload(signed.digest), signer.sign(payload(signed.digest))))
            await images.push("1.0.1", "2026-01-02T00:00:00Z", "linux/arm64", "linux/arm/v7")
            await images.push("1.0.2", "2026-01-01T00:00:00Z", "linux/arm64")
            await doors.commit("Scan another registry", files(str(images.repository)))
            await doors.push()
            await selects(doors, "1.0.1")
            await annotate(doors, pin="1.0.2")
            await selects(doors, "1.0.2", "pinned by tidegate.dev/pin; the policy itself selects the same")
            await annotate(doors, pin=None, **{"newest-build": "true"})
            await selects(doors, "1.0.0")
            await annotate(doors, verify=signer.pem.decode(), **{"newest-build": None})
            await selects(doors, "1.0.0", "previously")
            await annotate(doors, verify=None, hold="maybe")
            await doors.condition("ImagePolicy", "far", "False", "tidegate.dev/hold", 'write "true" or "false"')
            assert "1.0.0" in await doors.tidegate("get", "imagepolicy", "far", "-n", "flux-system")
        assert (world.home.root / "facts.db").is_file()
    finally:
        registry.stop()


def files(image: str) -> dict[str, str | None]:
    return {
        "clusters/home/shop.yaml": CLUSTER.lstrip("\n") + SCANNED.format(image=image),
        ".github/workflows/image.yaml": None,
    }
