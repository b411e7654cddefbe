"""Packages: the index, versions, and the closure of what is wanted."""

from __future__ import annotations

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.build.debian.packages import PackageIndex, Relation, parse_package, parse_relations
from tidegate.build.debian.resolve import resolve
from tidegate.build.debian.versions import compare, satisfies


def stanza(name: str, version: str = "1.0", **fields: str) -> str:
    lines = [f"Package: {name}", f"Version: {version}", "Architecture: amd64"]
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in fields.items()]
    return "\n".join([*lines, f"Filename: pool/main/{name}_{version}.deb", "Size: 10", f"SHA256: {'a' * 64}"]) + "\n"


def index(*stanzas: str) -> PackageIndex:
    return PackageIndex("\n".join(stanzas).encode(), "http://mirror/debian")


def names(index: PackageIndex, *wanted: str, without: frozenset[str] = frozenset()) -> list[str]:
    return [package.name for package in resolve([index], wanted, without)]


@pytest.mark.parametrize(
    ("first", "second", "order"),
    [("1.0", "1.0", 0), ("1.0~rc1", "1.0", -1), ("2:1.0", "1.9", 1), ("1.0-1+deb12u2", "1.0-1+deb12u10", -1)],
)
def test_versions_are_ordered_as_policy_says(first: str, second: str, order: int) -> None:
    assert compare(first, second) == order
    assert compare(second, first) == -order


@pytest.mark.parametrize(("operator", "holds"), [("<<", False), ("<=", True), ("=", True), (">=", True), (">>", False)])
def test_a_relation_holds_for_equal_versions_only_where_it_says_so(operator: str, holds: bool) -> None:
    assert satisfies("1.0-1", operator, "1.0-1") is holds


def test_relations_have_groups_alternatives_versions_and_architectures() -> None:
    assert parse_relations("libc6 (>= 2.36), mawk | gawk, python3:any (<< 4~)") == (
        (Relation("libc6", ">=", "2.36"),),
        (Relation("mawk"), Relation("gawk")),
        (Relation("python3", "<<", "4~"),),
    )


def test_a_relation_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no package relation"):
        parse_relations("libc6 (about 2)")


def test_the_closure_follows_depends_and_pre_depends() -> None:
    packages = index(
        stanza("python3", Depends="python3.11 (>= 3.11)", Pre_Depends="base"),
        stanza("python3.11", "3.11.2", Depends="libc6"),
        stanza("base"),
        stanza("libc6"),
        stanza("unrelated"),
    )
    assert names(packages, "python3") == ["base", "libc6", "python3", "python3.11"]


def test_a_cycle_of_dependencies_ends() -> None:
    assert names(index(stanza("a", Depends="b"), stanza("b", Depends="a")), "a") == ["a", "b"]


def test_a_virtual_package_is_met_by_its_most_important_provider() -> None:
    packages = index(
        stanza("base", Pre_Depends="awk"),
        stanza("gawk", Provides="awk", Priority="optional"),
        stanza("mawk", Provides="awk", Priority="required"),
    )
    assert names(packages, "base") == ["base", "mawk"]


def test_a_provider_that_is_there_already_meets_the_need() -> None:
    packages = index(
        stanza("base", Depends="gawk, awk"), stanza("gawk", Provides="awk"), stanza("mawk", Provides="awk")
    )
    assert names(packages, "base") == ["base", "gawk"]


def test_a_versioned_need_is_not_met_by_an_unversioned_provides() -> None:
    packages = index(stanza("a", Depends="virtual (>= 2)"), stanza("b", Provides="virtual"))
    with pytest.raises(InvalidInput, match=r"virtual \(>= 2\).*needed by a"):
        names(packages, "a")


def test_the_newest_version_of_all_indexes_wins() -> None:
    indexes = [index(stanza("openssl", "3.0.1")), index(stanza("openssl", "3.0.1+deb12u1")), index()]
    assert [package.version for package in resolve(indexes, ["openssl"])] == ["3.0.1+deb12u1"]


def test_what_is_left_out_takes_what_only_it_needs_along() -> None:
    packages = index(
        stanza("tzdata", Depends="debconf | debconf-2.0"), stanza("debconf", Depends="perl"), stanza("perl")
    )
    assert names(packages, "tzdata", without=frozenset({"debconf"})) == ["tzdata"]


def test_a_package_that_is_nowhere_is_named_with_who_needs_it() -> None:
    with pytest.raises(InvalidInput, match="no package libghost in the suite, needed by app"):
        names(index(stanza("app", Depends="libghost")), "app")


def test_a_version_that_contradicts_the_chosen_one_is_an_error() -> None:
    packages = index(stanza("a", Depends="lib, b"), stanza("b", Depends="lib (>= 2)"), stanza("lib", "1.0"))
    with pytest.raises(InvalidInput, match="lib"):
        names(packages, "a")


@pytest.mark.parametrize("path", ["../etc/passwd", "pool/../../x.deb", "http://evil/x.deb", "pool/x.tar"])
def test_a_package_whose_file_is_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="unusable entry"):
        parse_package(stanza("evil").replace("pool/main/evil_1.0.deb", path))
