"""Users and groups of an image: what useradd, groupadd, usermod and busybox's programs write to /etc. Blocks.

Follows shadow 4.13 (its defaults, its search for a free number, the copies that it leaves) and busybox 1.36. The date
of a password's last change is the one that all files of a layer have, so that the same line gives the same layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain

from tidegate.build.actions import AddGroup, AddToGroups, AddUser
from tidegate.build.filesystem import owned
from tidegate.build.native import NotNative
from tidegate.build.world import World

LAST_CHANGE = 3653
"""Days since the epoch: those of the layers' time."""
_BUSYBOX_SYSTEM = (100, 999)
_BUSYBOX_USERS = (1000, 59_999)


class _Lists:
    """The lists of accounts in /etc: each is read once, and written back where it was changed, the old one kept."""

    def __init__(self, world: World):
        self.world = world
        self._rows: dict[str, list[list[str]]] = {}
        self._before: dict[str, list[list[str]]] = {}
        if world.uid:
            raise NotNative("only root can change accounts")

    def has(self, name: str) -> bool:
        return self.world.at(f"etc/{name}") is not None

    def rows(self, name: str) -> list[list[str]]:
        if name not in self._rows:
            text = self.world.contents.text(self.world.files, f"etc/{name}")
            self._rows[name] = [line.split(":") for line in text.splitlines() if line]
            self._before[name] = [list(row) for row in self._rows[name]]
        return self._rows[name]

    def find(self, name: str, key: str) -> list[str] | None:
        return next((row for row in self.rows(name) if row[0] == key), None)

    def numbers(self, name: str) -> set[int]:
        return {int(row[2]) for row in self.rows(name) if len(row) > 2 and row[2].isdigit()}

    def add(self, name: str, *row: str) -> None:
        """Add a row, where there is such a list."""
        if self.has(name) or name in ("passwd", "group"):
            self.rows(name).append(list(row))

    def save(self) -> None:
        for name, rows in self._rows.items():
            if rows == self._before[name]:
                continue
            place = f"etc/{name}"
            there = self.world.at(place)
            if there is not None:
                self.world.put(f"{place}-", there)
            self.world.write(place, "".join(f"{':'.join(row)}\n" for row in rows).encode("utf-8", "surrogateescape"))


def _settings(world: World, path: str) -> Mapping[str, str]:
    """`NAME value` or `NAME=value`, line by line; comments are left out."""
    lines = world.contents.text(world.files, path).splitlines()
    pairs = (line.replace("=", " ", 1).split(None, 1) for line in lines if line.strip() and line[0] != "#")
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}


def _whole(settings: Mapping[str, str], name: str, otherwise: int, base: int = 10) -> int:
    text = settings.get(name, "")
    return (
        int(text, base) if text.isascii() and text.isdigit() and (base != 8 or not set(text) & set("89")) else otherwise
    )


def _free(settings: Mapping[str, str], kind: str, used: set[int], preferred: int | None, *, system: bool) -> int:
    """The number that shadow takes: for people the one above the highest, for systems the one below the lowest."""
    first = _whole(settings, f"{kind}_MIN", 1000)
    last = _whole(settings, f"{kind}_MAX", 60_000)
    if system:
        last = _whole(settings, f"SYS_{kind}_MAX", first - 1)
        first = _whole(settings, f"SYS_{kind}_MIN", 101)
    if preferred is not None and first <= preferred <= last and preferred not in used:
        return preferred
    taken = [number for number in used if first <= number <= last]
    ahead: range = range(first, last + 1) if not taken else range(max(taken) + 1, last + 1)
    if system:
        ahead = range(last, first - 1, -1) if not taken else range(min(taken) - 1, first - 1, -1)
    rest = range(last, first - 1, -1) if system else range(first, last + 1)
    for number in chain(ahead, rest):
        if number not in used:
            return number
    raise NotNative(f"no {kind} is free")


def _first_free(bounds: tuple[int, int], used: set[int]) -> int:
    for number in range(bounds[0], bounds[1] + 1):
        if number not in used:
            return number
    raise NotNative("no number is free for an account")


def add_group(action: AddGroup, world: World) -> None:
    """`groupadd`, busybox's `addgroup`."""
    lists = _Lists(world)
    if lists.find("group", action.name) is not None:
        if action.lenient:
            return
        raise NotNative(f"the group {action.name} is there already")
    used = lists.numbers("group")
    if action.gid is not None and action.gid in used:
        raise NotNative(f"the group's number {action.gid} is taken")
    if action.busybox:
        gid = _first_free(_BUSYBOX_SYSTEM if action.system else _BUSYBOX_USERS, used)
    else:
        gid = _free(_settings(world, "etc/login.defs"), "GID", used, None, system=action.system)
    _append_group(lists, action.name, gid if action.gid is None else action.gid)
    lists.save()


def _append_group(lists: _Lists, name: str, gid: int) -> None:
    lists.add("group", name, "x", str(gid), "")
    lists.add("gshadow", name, "!", "", "")


def _join(lists: _Lists, user: str, group: str) -> None:
    row = lists.find("group", group)
    if row is None or len(row) < 4:
        raise NotNative(f"there is no group {group}")
    for found in (row, lists.find("gshadow", group)):
        if found is not None and len(found) > 3:
            members = [member for member in found[3].split(",") if member]
            found[3] = ",".join(members if user in members else [*members, user])


def add_to_groups(action: AddToGroups, world: World) -> None:
    """`usermod -aG`."""
    lists = _Lists(world)
    if lists.find("passwd", action.name) is None:
        raise NotNative(f"there is no user {action.name}")
    for group in action.groups:
        _join(lists, action.name, _group_name(lists, group))
    lists.save()


def _group_name(lists: _Lists, text: str) -> str:
    by_number = next((row[0] for row in lists.rows("group") if len(row) > 2 and row[2] == text), text)
    return text if lists.find("group", text) is not None else by_number


def add_user(action: AddUser, world: World) -> None:
    """`useradd`, busybox's `adduser`."""
    lists = _Lists(world)
    if lists.find("passwd", action.name) is not None:
        raise NotNative(f"the user {action.name} is there already")
    if action.uid is not None and action.uid in lists.numbers("passwd") and not action.duplicate:
        raise NotNative(f"the user's number {action.uid} is taken")
    (_busybox_user if action.busybox else _shadow_user)(action, lists, world)


def _gid_of(lists: _Lists, text: str) -> int:
    row = lists.find("group", _group_name(lists, text))
    if row is None:
        raise NotNative(f"there is no group {text}")
    return int(row[2])


def _shadow_user(action: AddUser, lists: _Lists, world: World) -> None:
    settings = _settings(world, "etc/login.defs")
    defaults = _settings(world, "etc/default/useradd")
    uid = action.uid
    if uid is None:
        uid = _free(settings, "UID", lists.numbers("passwd"), None, system=action.system)
    own = action.own_group
    if own is None:
        own = not action.group and settings.get("USERGROUPS_ENAB", "yes") == "yes"
    if action.group:
        gid = _gid_of(lists, action.group)
    elif own:
        if lists.find("group", action.name) is not None:
            raise NotNative(f"the group {action.name} is there already; say -g {action.name}")
        gid = _free(settings, "GID", lists.numbers("group"), uid, system=action.system)
        _append_group(lists, action.name, gid)
    else:
        gid = _whole(defaults, "GROUP", 100)
    home = action.home or f"{defaults.get('HOME', '/home')}/{action.name}"
    shell = action.shell or defaults.get("SHELL", "")
    password = "x" if lists.has("shadow") else "!"
    lists.add("passwd", action.name, password, str(uid), str(gid), action.comment, home, shell)
    aging = ["", "", "", "", "", ""] if action.system else _aging(settings)
    lists.add("shadow", action.name, "!", str(LAST_CHANGE), *aging)
    for group in action.groups:
        _join(lists, action.name, _group_name(lists, group))
    first, last = _whole(settings, "UID_MIN", 1000), _whole(settings, "UID_MAX", 60_000)
    if not action.system and (not action.uid or first <= uid <= last):
        for kind in ("UID", "GID"):
            _subordinate(lists, action.name, kind, settings)
    lists.save()
    wanted = action.create_home
    if wanted is None:
        wanted = not action.system and settings.get("CREATE_HOME", "no").lower() == "yes"
    if wanted:
        mode = _whole(settings, "HOME_MODE", 0o777 & ~_whole(settings, "UMASK", 0o022, 8), 8)
        _make_home(world, home, uid, gid, mode)


def _aging(settings: Mapping[str, str]) -> list[str]:
    names = (("PASS_MIN_DAYS", "0"), ("PASS_MAX_DAYS", "99999"), ("PASS_WARN_AGE", "7"))
    return [*(settings.get(name, otherwise) for name, otherwise in names), "", "", ""]


def _subordinate(lists: _Lists, user: str, kind: str, settings: Mapping[str, str]) -> None:
    """The first range of numbers that is free for the user's own namespaces."""
    name = f"sub{kind.lower()}"
    count = _whole(settings, f"SUB_{kind}_COUNT", 65_536)
    if not lists.has(name) or not count or lists.find(name, user) is not None:
        return
    low = _whole(settings, f"SUB_{kind}_MIN", 100_000)
    ranges = sorted((int(row[1]), int(row[2])) for row in lists.rows(name) if len(row) == 3 and row[1].isdigit())
    for start, length in ranges:
        if start - low >= count:
            break
        low = max(low, start + length)
    lists.add(name, user, str(low), str(count))


def _make_home(world: World, home: str, uid: int, gid: int, mode: int) -> None:
    """A home that is there is left as it is; a new one gets what /etc/skel has."""
    place = world.followed(home.lstrip("/"))
    if world.at(place) is not None:
        return
    world.files.make_directories(place, mode, 0, 0)
    world.change(place, replace(world.existing(place), uid=uid, gid=gid))
    skeleton = world.followed("etc/skel")
    for path in world.files.under(skeleton) if world.at(skeleton) is not None else ():
        world.put(f"{place}{path[len(skeleton) :]}", owned(world.existing(path), uid, gid))


def _busybox_user(action: AddUser, lists: _Lists, world: World) -> None:
    group = action.group or ("nogroup" if action.system else "")
    used = lists.numbers("passwd")
    if not group:
        used |= lists.numbers("group")
        if lists.find("group", action.name) is not None:
            raise NotNative(f"the group {action.name} is there already; say -G {action.name}")
    uid = action.uid
    if uid is None:
        uid = _first_free(_BUSYBOX_SYSTEM if action.system else _BUSYBOX_USERS, used)
    gid = _gid_of(lists, group) if group else uid
    home = action.home or f"/home/{action.name}"
    root = lists.find("passwd", "root")
    usual = root[6] if root is not None and len(root) > 6 else "/bin/sh"
    shell = action.shell or ("/bin/false" if action.system else usual)
    comment = action.comment or "Linux User,,,"
    lists.add("passwd", action.name, "x", str(uid), str(gid), comment, home, shell)
    lists.add("shadow", action.name, "!", str(LAST_CHANGE), "0", "99999", "7", "", "", "")
    if group:
        _join(lists, action.name, _group_name(lists, group))
    else:
        _append_group(lists, action.name, gid)
    lists.save()
    if action.create_home:
        _make_home(world, home, uid, gid, 0o2755)
        place = world.followed(home.lstrip("/"))
        world.change(place, replace(world.existing(place), uid=uid, gid=gid, mode=0o2755))
