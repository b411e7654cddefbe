"""What the annotations under `tidegate.dev/` say of an ImagePolicy, and what is refused, by name."""

from __future__ import annotations

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.objects import Object
from tidegate.kinds.platform import Platform
from tidegate.oci.public_keys import PublicKey
from tidegate.select.annotations import Wishes, mark_of, unknown_annotations, wishes_of

KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
-----END PUBLIC KEY-----
"""


def policy(spec: Object | None = None, /, **annotations: str) -> Object:
    named = {f"tidegate.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    spec = spec or {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": "1.x"}}}
    return {"metadata": {"name": "web", "annotations": named}, "spec": spec}


def test_without_annotations_only_the_guard_against_downgrades_is_on() -> None:
    assert wishes_of({"metadata": {"name": "web"}}) == Wishes() == wishes_of(policy())
    assert Wishes().no_downgrade
    assert not Wishes().ask_the_registry


def test_each_annotation_is_read() -> None:
    wishes = wishes_of(
        policy(
            platforms="linux/arm/v7, linux/arm64/v8,linux/arm/v7",
            minimum_age="1h30m",
            pin="1.0.1329",
            hold="true",
            no_downgrade="false",
            newest_build="true",
            verify="cosign-key",
        )
    )
    assert wishes == Wishes(
        platforms=(Platform("linux", "arm", "v7"), Platform("linux", "arm64")),
        minimum_age=5400.0,
        pin="1.0.1329",
        hold=True,
        no_downgrade=False,
        newest_build=True,
        verify="cosign-key",
    )
    assert wishes.ask_the_registry


def test_a_key_may_stand_in_the_annotation_itself() -> None:
    found = wishes_of(policy(verify=KEY)).verify
    assert isinstance(found, PublicKey)
    assert found.algorithm == "ed25519"


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("allow-from", "Apps", "namespaces with commas between them"),
        ("platforms", "arm", "linux/arm/v7,linux/arm64"),
        ("platforms", "linux/arm64,", "linux/arm/v7,linux/arm64"),
        ("platforms", ",".join(f"linux/a{number}" for number in range(21)), "with commas between them"),
        ("minimum-age", "30", "1h30m"),
        ("minimum-age", "-5m", "from 1s to 8784h"),
        ("minimum-age", "0", "from 1s to 8784h"),
        ("minimum-age", "100000h", "from 1s to 8784h"),
        ("pin", "", "1.0.1329"),
        ("pin", "web:1.0", "1.0.1329"),
        ("hold", "yes", 'write "true" or "false"'),
        ("no-downgrade", "False", 'write "true" or "false"'),
        ("newest-build", "1", 'write "true" or "false"'),
        ("verify", "", "the name of a Secret or ConfigMap"),
        ("verify", "Not A Name", "the name of a Secret or ConfigMap"),
        ("verify", KEY.replace("PUBLIC", "PRIVATE"), "give a public key"),
    ],
)
def test_a_wrong_value_names_its_annotation_and_what_it_may_be(name: str, value: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        wishes_of(policy(**{name.replace("-", "_"): value}))
    assert str(raised.value).startswith(f"metadata.annotations[tidegate.dev/{name}]: ")
    assert remedy in str(raised.value.remedy)


def test_annotations_that_nothing_reads_are_known() -> None:
    obj = policy(pin="1.0.0", platform="linux/arm64", adopt="2026-01-01T00:00:00Z", holds="true")
    obj["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"] = "now"
    assert unknown_annotations(obj) == ["tidegate.dev/holds", "tidegate.dev/platform"]


def test_the_mark_changes_with_what_selects_and_with_nothing_else() -> None:
    spec = policy()["spec"]
    mark = mark_of(policy(), "example.org/web")
    same = policy({**spec, "suspend": True, "digestReflectionPolicy": "IfNotPresent"}, adopt="2026-01-01T00:00:00Z")
    assert mark_of(same, "example.org/web") == mark
    others = [
        mark_of(policy(), "example.org/shop"),
        mark_of(policy({**spec, "policy": {"semver": {"range": "2.x"}}}), "example.org/web"),
        mark_of(policy({**spec, "filterTags": {"pattern": "^1"}}), "example.org/web"),
        mark_of(policy(pin="1.0.0"), "example.org/web"),
        mark_of(policy(pin="1.0.1"), "example.org/web"),
        mark_of(policy(minimum_age="30m"), "example.org/web"),
    ]
    assert len({mark, *others}) == 7
