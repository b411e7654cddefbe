"""What a machine lacks, and the remedy that is named."""

import pytest

from tidegate.base.sandbox_probe import diagnose


@pytest.mark.parametrize(
    ("settings", "why", "remedy"),
    [
        ({"apparmor_restrict_unprivileged_userns": "1"}, "Operation not permitted", "apparmor_restrict"),
        ({"unprivileged_userns_clone": "0"}, "Operation not permitted", "kernel.unprivileged_userns_clone=1"),
        ({"max_user_namespaces": "0"}, "No space left on device", "user.max_user_namespaces=15000"),
        ({}, "mount proc on /proc: Operation not permitted", "systempaths=unconfined"),
        ({}, "Operation not permitted", "run Tidegate as root"),
        ({}, "the program 'unshare' is not installed", "apt-get install util-linux"),
    ],
)
def test_a_user_is_told_what_to_change(settings: dict[str, str | None], why: str, remedy: str) -> None:
    (missing,) = diagnose(root=False, why=why, settings=settings)
    assert remedy in missing.remedy


def test_root_in_a_container_is_told_of_the_capability() -> None:
    (missing,) = diagnose(root=True, why="unshare failed: Operation not permitted", settings={})
    assert "CAP_SYS_ADMIN" in missing.remedy
