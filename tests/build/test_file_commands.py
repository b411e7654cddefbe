"""Commands on files do to an image what the real ones do to a folder."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.build.actions import InstallPackages, InstallWheels
from tidegate.build.commands import read_script
from tidegate.build.contents import Contents, content_of
from tidegate.build.context import Context
from tidegate.build.filesystem import Filesystem, Inode, folder_inode
from tidegate.build.native import NotNative
from tidegate.build.operations import perform
from tidegate.build.world import World
from tidegate.oci.layers import EntryKind

BEFORE = (
    "mkdir -p a/b/c d e; echo one > a/one; echo two > a/b/two; echo three > d/three; ln -s ../a/one d/link;"
    " ln -s a dir; ln -s nowhere broken; chmod 750 a/b; chmod 4755 a/one; chmod 640 d/three;"
    " touch .hidden e/.hidden 'a b'"
)
SCRIPTS = [
    "mkdir x && mkdir -p x/y/z a/b && mkdir -m 700 w && mkdir -p -m 711 v/u",
    "mkdir -p dir/new/er",
    "touch new a/one d/link dir/t broken",
    "rm -rf a/b nothing && rm d/three && rm dir && rm -f e/* e/.hidden && rmdir e",
    "rm -rf a/* *b*",
    "rm -rf .h* ?",
    "ln -s target link && ln -sf other link && ln -s /abs a/abs && ln -s x/y d",
    "ln -sfn new dir && ln -s one a/again",
    "ln -sf a/b/two dir",
    "cp a/one copy && cp a/one d/three e && cp a/one d/three",
    "cp d/link followed && cp -P d/link kept && cp -d d/link e/",
    "cp -r a copied && cp -r a e && cp -r a/. e",
    "cp -r d dir/ && cp -R a/b/ f",
    "cp -p a/one preserved && cp -a d archived && cp -a a/b/. e",
    "cp -n a/one d/three && cp -T a/one tee && cp -t e a/one d/three",
    "mv a moved && mv d/three e && mv d/link broken",
    "mv 'a b' a && mv dir renamed && mv a/b e/ && mv -T e/b e/t",
    "mv a/one d/three && mv -n a/b/two d/three",
    "chmod 600 a/one && chmod u+x,g=rw,o= d/three && chmod -R go-rwx a && chmod +x d/three && chmod 1777 e",
    "chmod a=r,u+w a/one && chmod g=u d/three && chmod -R u=rwX,go=rX . && chmod 2755 e && chmod 755 e",
    "chmod g+s e && chmod 0755 e && chmod u+s d/three && chmod =r d/three && chmod -R +X d",
    "chmod 644 d/link dir",
    "echo hello > f && echo -n more  words >> f && echo > empty && echo 'a  b' \"c  d\" e  f > g",
    "printf 'a\\tb\\n' > f && printf '%s=%s\\n' a 1 b 2 >> f && printf %s x >> f && printf '100%%\\n' > a/one",
    "cat a/one a/b/two > both && cat d/three >> both && cat dir/b/two > d/link",
    "X=1; Y='a b'; echo $X \"$Y\" ${Z:-none} ${X:+set} \\$X '$X' > f; export X=2 && echo ${X}${X} > g",
    "V=file.tar.gz; echo ${V%.*} ${V%%.*} ${V#*.} ${V##*.} > f",
    "set -eu; cd a && touch here && cd b/../../d && touch there",
    "install -m 600 a/one i && install a/one d/three e && install -D -m 644 a/one x/y/z && install -d -m 750 q/r s",
    "echo a > f; echo b 2>/dev/null >> f # a comment",
    "touch a/{ || true; : && true; echo nothing; echo x >&2; false_is_not_run=1",
    "echo two\\ words \"quo\\\"ted\" 'it''s' > f",
    "touch a\\*b && rm a\\*b && touch '[x]' && rm '[x]' && echo done > f",
    "true && echo 1 > f\necho 2 >> f\n\n# comment\necho 3 >> f",
    "L='d e'; rm -rf $L; mkdir \"$L\"",
]  # fmt: skip


def run_really(script: str, folder: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/root"}
    subprocess.run(["sh", "-c", f"umask 022; {script}"], cwd=folder, env=environment, check=True, capture_output=True)


def image_of(folder: Path) -> Filesystem:
    """What is in a folder, as the files of an image."""
    nodes: dict[str, Inode] = {}
    for path in sorted(folder.rglob("*")):
        found = path.lstat()
        mode, name = stat.S_IMODE(found.st_mode), path.relative_to(folder).as_posix()
        if path.is_symlink():
            nodes[name] = Inode(EntryKind.SYMLINK, 0o777, target=str(path.readlink()))
        elif path.is_dir():
            nodes[name] = folder_inode(mode)
        else:
            nodes[name] = Inode(EntryKind.FILE, mode, content=content_of(path.read_bytes()))
    return Filesystem(nodes)


def run_natively(script: str, files: Filesystem, folder: Path, user: str = "") -> None:
    world = World(files, Contents(Context(folder), folder), user)
    for action in read_script(script, {"HOME": "/root"}, "/").actions:
        assert not isinstance(action, InstallWheels | InstallPackages)
        perform(action, world)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "real"
    found.mkdir()
    run_really(BEFORE, found)
    return found


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_changes_an_image_as_it_changes_a_folder(folder: Path, script: str) -> None:
    files = image_of(folder)
    run_natively(script, files, folder)
    run_really(script, folder)
    assert files.nodes == image_of(folder).nodes


@pytest.mark.parametrize(
    "script",
    [
        "mkdir a", "mkdir x/y", "mkdir d/three", "mkdir -p d/three/x", "rm nothing", "rm a", "rmdir a", "ln -s x a/one",
        "cp a x", "cp nothing x", "cp a/one d/three x", "cp -r a a/b", "cp a/one x/y", "mv a a/b", "mv nothing x",
        "mv d/three a/b/two/x", "chmod 755 nothing", "chmod 999 a", "chmod u+q a", "cat nothing > x", "echo a > x/y",
        "echo a > a", "touch x/y", "cp -r a d/three", "mv a d/three", "install a x", "mv d/three x/",
        "cd nothing", "cd d/three",
    ],
)  # fmt: skip
def test_what_would_fail_is_not_native(folder: Path, script: str) -> None:
    files = image_of(folder)
    with pytest.raises(subprocess.CalledProcessError):
        run_really(script, folder)
    with pytest.raises(NotNative):
        run_natively(script, files, folder)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("a | b", "`a` must be run"),
        ("cat /etc/none", "a `cat` that only prints must be run"),
        ("echo a | tee b", r"the shell's '\|' must be run"),
        ("echo a &", "the shell's '&' must be run"),
        ("(cd a)", r"the shell's '\(' must be run"),
        ("if true; then mkdir x; fi", "the shell's `if` must be run"),
        ("for x in a b; do mkdir $x; done", "the shell's `for` must be run"),
        ("true || { mkdir x; }", r"the shell's `\{` must be run"),
        ("echo $(date)", "a command inside a command must be run"),
        ("echo `date`", "a command inside a command must be run"),
        ('echo "$(date)"', "a command inside a command must be run"),
        ("echo $?", r"the shell's \$\? is known only where it runs"),
        ("echo $1", r"the shell's \$1"),
        ("echo ${X:=1}", r"the shell's \$\{X:=1\} must be run"),
        ("set -u; echo $NOPE", r"\$NOPE is not set"),
        ("cp a{b,c} d", "what braces give depends on the shell"),
        ("echo 'a", "the shell would wait for another '"),
        ("echo ${X", "the shell would wait for another }"),
        ("echo a\\\\tb > f", "what `echo` makes of a backslash depends on the shell"),
        ("echo -e a > f", "depends on the shell"),
        ("printf %d 1 > f", "`printf` with %d must be run"),
        ("cat > f <<X\na\nX\n", "the here-document X has no end"),
        ("cat < f > g", "`cat` with these redirections must be run"),
        ("mkdir a > log", "what `mkdir` says can't be sent to a file"),
        ("make > log", "what `make` says can't be sent to a file"),
        ("make 'a b'", "`make 'a b'` must be run"),
        ("ln a b", "a hard link is one file of two names"),
        ("cp -rL a b", "cp -rL must be run"),
        ("cp --sparse=always a b", "cp's option --sparse is not understood"),
        ("chmod -w a", "chmod with a mode that begins with -"),
        ("chown", "chown names too few files"),
        ("mkdir", "mkdir names too few files"),
        ("mkdir ''", "a command is given an empty path"),
        ("source x.sh", "the shell's `source x.sh` must be run"),
        ("set -- a", "the shell's `set --` must be run"),
        ("cd", "the shell's `cd` without a plain folder"),
        ("rm -rf /proc/x", "/proc/x is mounted while a command runs"),
        ("echo x > /etc/hosts", "/etc/hosts is mounted while a command runs"),
        ("touch /x && cat /x > /x", "/x can't be sent to itself"),
        ("rm -rf /", "the root can't be removed"),
        ("sed -i s/a/b/ /etc/x", "must be run"),
        ("adduser app", "adduser asks for a password"),
        ("adduser --disabled-password app", "adduser's option --disabled-password is not understood"),
        ("useradd 'a:b'", "is no name of an account"),
        ("usermod -s /bin/sh a", "usermod's option -s is not understood"),
        ("apt-get install -y ./x.deb", "is no plain name of a package"),
        ("apt-get install -y a=1", "is no plain name of a package"),
        ("apt-get remove x", "`apt-get remove` must be run"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, script: str, message: str) -> None:
    with pytest.raises(NotNative, match=message):
        run_natively(script, Filesystem({"etc": folder_inode()}), tmp_path)


def test_a_file_of_another_user_is_not_changed_by_one_who_may_not(tmp_path: Path) -> None:
    files = Filesystem({"mine": folder_inode(0o755, 5, 5), "tmp": folder_inode(0o1777)})
    run_natively("touch /mine/x && mkdir -p /mine/a/b && rm -r /mine/a", files, tmp_path, "5:6")
    assert (files.nodes["mine/x"].uid, files.nodes["mine/x"].gid) == (5, 6)
    run_natively("touch /tmp/foreign", files, tmp_path, "7")
    run_natively("mkdir /tmp/own && rmdir /tmp/own", files, tmp_path, "5:6")
    refused = ("touch /x", "rm -rf /mine", "chmod 700 /tmp", "chown 5 /mine/x", "useradd a", "rm /tmp/foreign")
    for script in refused:
        with pytest.raises(NotNative):
            run_natively(script, files, tmp_path, "5:6")


def test_a_directory_gives_its_group_to_what_is_made_in_it(tmp_path: Path) -> None:
    files = Filesystem({"shared": folder_inode(0o2775, 0, 50)})
    run_natively("mkdir -p /shared/a/b && touch /shared/f", files, tmp_path)
    assert files.nodes["shared/a/b"] == folder_inode(0o2755, 0, 50)
    assert files.nodes["shared/f"].gid == 50


def test_owners_are_changed_for_all_below_and_links_themselves(tmp_path: Path) -> None:
    passwd = content_of(b"root:x:0:0::/root:/bin/sh\nweb:x:33:34::/:/bin/sh\n")
    files = Filesystem(
        {
            "etc": folder_inode(),
            "etc/passwd": Inode(EntryKind.FILE, content=passwd),
            "etc/group": Inode(EntryKind.FILE, content=content_of(b"staff:x:50:\n")),
            "a": folder_inode(0o6755),
            "a/run": Inode(EntryKind.FILE, 0o6755, content=content_of(b"")),
            "a/link": Inode(EntryKind.SYMLINK, 0o777, target="/etc/passwd"),
        }
    )
    run_natively("chown -R web:staff /a", files, tmp_path)
    owners = {path: (inode.mode, inode.uid, inode.gid) for path, inode in files.nodes.items()}
    assert owners["a"] == (0o6755, 33, 50)
    assert owners["a/run"] == (0o755, 33, 50)
    assert owners["a/link"] == (0o777, 33, 50)
    assert owners["etc/passwd"] == (0o644, 0, 0)
    run_natively("chown web: /a/link && chgrp 7 /a", files, tmp_path)
    assert (files.nodes["etc/passwd"].uid, files.nodes["etc/passwd"].gid) == (33, 34)
    assert files.nodes["a"].gid == 7


@given(st.text(alphabet="ab '\"\\$&|;#<>-.={}()*?[]~\n/", max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read_script(text, {"HOME": "/root", "a": "b c"}, "/")
    except NotNative:
        return
