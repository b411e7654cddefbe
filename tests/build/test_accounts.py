"""Users and groups that a RUN makes: what shadow 4.13 writes, as it did in an image of Debian; what busybox does."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.build.test_file_commands import run_natively

from tidegate.build.contents import content_of
from tidegate.build.filesystem import Filesystem, Inode, folder_inode
from tidegate.build.native import NotNative
from tidegate.oci.layers import EntryKind

LISTS = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nstaff:x:50:\nnogroup:x:65534:\n",
    "shadow": "root:*:20000:0:99999:7:::\n",
    "gshadow": "root:*::\nstaff:*::\nnogroup:*::\n",
    "subuid": "",
    "subgid": "",
    "login.defs": "# comment\nUID_MIN 1000\nUID_MAX\t60000\nHOME_MODE 0700\nUMASK 022\nUSERGROUPS_ENAB yes\n",
    "default/useradd": "# comment\nSHELL=/bin/sh\n",
    "skel/.profile": "profile",
}


def image(**changed: str | None) -> Filesystem:
    nodes = {folder: folder_inode() for folder in ("etc", "etc/default", "etc/skel", "home")}
    for name, text in (LISTS | changed).items():
        if text is not None:
            mode, gid = (0o640, 42) if "shadow" in name else (0o644, 0)
            nodes[f"etc/{name}"] = Inode(EntryKind.FILE, mode, 0, gid, content_of(text.encode()))
    return Filesystem(nodes)


def added(files: Filesystem, name: str) -> list[str]:
    """The lines of a list that it did not have before."""
    return [line for line in text(files, name).splitlines() if line not in LISTS[name].splitlines()]


def text(files: Filesystem, name: str) -> str:
    content = files.nodes[f"etc/{name}"].content
    assert content is not None
    assert isinstance(content.place, bytes)
    return content.place.decode()


def test_a_user_has_a_group_a_home_and_numbers_of_its_own(tmp_path: Path) -> None:
    files = image()
    run_natively("useradd -m app && useradd -m -s /bin/bash -c 'A B' second", files, tmp_path)
    assert added(files, "passwd") == [
        "app:x:1000:1000::/home/app:/bin/sh",
        "second:x:1001:1001:A B:/home/second:/bin/bash",
    ]
    assert added(files, "group") == ["app:x:1000:", "second:x:1001:"]
    assert added(files, "shadow") == ["app:!:3653:0:99999:7:::", "second:!:3653:0:99999:7:::"]
    assert added(files, "gshadow") == ["app:!::", "second:!::"]
    assert added(files, "subuid") == ["app:100000:65536", "second:165536:65536"]
    assert files.nodes["home/app"] == folder_inode(0o700, 1000, 1000)
    profile = files.nodes["home/app/.profile"]
    assert (profile.uid, profile.gid, profile.mode) == (1000, 1000, 0o644)


def test_the_list_before_is_kept_as_the_programs_keep_it(tmp_path: Path) -> None:
    files = image()
    run_natively("useradd app", files, tmp_path)
    for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid"):
        assert text(files, f"{name}-") == LISTS[name]
        assert files.nodes[f"etc/{name}-"].mode == files.nodes[f"etc/{name}"].mode
    assert files.nodes["etc/shadow"].gid == 42
    assert "home/app" not in files.nodes


def test_a_systems_account_is_the_next_below_and_has_no_ages(tmp_path: Path) -> None:
    files = image()
    run_natively("groupadd -r grp && useradd -r -g grp -d /srv/x one && useradd --system two", files, tmp_path)
    assert added(files, "passwd") == ["one:x:999:999::/srv/x:/bin/sh", "two:x:998:998::/home/two:/bin/sh"]
    assert added(files, "group") == ["grp:x:999:", "two:x:998:"]
    assert added(files, "shadow") == ["one:!:3653::::::", "two:!:3653::::::"]
    assert added(files, "subuid") == []


def test_groups_get_members(tmp_path: Path) -> None:
    files = image()
    script = "groupadd -g 4242 big && useradd -u 1500 -g staff -G big,50 -N app && usermod -aG nogroup app"
    run_natively(f"{script} && groupadd -f big && usermod -aG big app", files, tmp_path)
    assert added(files, "passwd") == ["app:x:1500:50::/home/app:/bin/sh"]
    assert text(files, "group").splitlines()[1:] == ["staff:x:50:app", "nogroup:x:65534:app", "big:x:4242:app"]
    assert "big:!::app" in text(files, "gshadow")


def test_an_image_without_shadows_gets_none(tmp_path: Path) -> None:
    files = image(shadow=None, gshadow=None, subuid=None, subgid=None)
    run_natively("useradd app", files, tmp_path)
    assert added(files, "passwd") == ["app:!:1000:1000::/home/app:/bin/sh"]
    assert not {"etc/shadow", "etc/gshadow", "etc/subuid"} & set(files.nodes)


@pytest.mark.parametrize(
    "script",
    [
        "useradd root", "useradd -u 0 x", "useradd -g none x", "useradd -G none x", "groupadd root", "groupadd -g 0 x",
        "useradd staff", "usermod -aG staff none", "usermod -aG none root", "useradd a b", "adduser -D -S root",
    ],
)  # fmt: skip
def test_what_the_programs_refuse_is_not_native(tmp_path: Path, script: str) -> None:
    with pytest.raises(NotNative):
        run_natively(script, image(), tmp_path)


def test_busyboxs_accounts_are_busyboxs(tmp_path: Path) -> None:
    files = image(gshadow=None)
    script = "addgroup -S app && adduser -S -G app sys && adduser -D person && adduser -D -H -u 77 -s /bin/x numbered"
    run_natively(f"{script} && adduser person app && addgroup -g 700 g", files, tmp_path)
    assert added(files, "passwd") == [
        "sys:x:100:100:Linux User,,,:/home/sys:/bin/false",
        "person:x:1000:1000:Linux User,,,:/home/person:/bin/bash",
        "numbered:x:77:77:Linux User,,,:/home/numbered:/bin/x",
    ]
    assert added(files, "group") == ["app:x:100:sys,person", "person:x:1000:", "numbered:x:77:", "g:x:700:"]
    assert files.nodes["home/person"] == folder_inode(0o2755, 1000, 1000)
    assert "home/numbered" not in files.nodes
