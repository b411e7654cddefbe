"""Runs inside fresh namespaces: builds the root, gives up every privilege, starts the command, and stays as its init.

Started with `python -I -S`, so it imports the standard library only, and all of it before the host's files are out of
sight. `sandbox.environment` holds its plan. Exit 125: the sandbox could not be set up; 126, 127: the command could not
be started; else the command's own code, or 128 + the signal that ended it.
"""

# Importing pathlib, json, typing, or signal and socket with their enums, would cost milliseconds at every start.
# ruff: noqa: PTH102, PTH110, PTH112, PTH114, PTH115, PTH211

from __future__ import annotations

import _socket
import ctypes
import errno
import fcntl
import marshal
import os
import resource
import select
import stat
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn

    Plan = dict[str, Any]
else:
    import _signal as signal

SETUP_FAILED, CANNOT_EXECUTE, NOT_FOUND = 125, 126, 127
ENV_PREFIX, PLAN_VARIABLE, CONTROL_VARIABLE = "TIDEGATE_ENV_", "TIDEGATE_PLAN", "TIDEGATE_CONTROL"
if TYPE_CHECKING or CONTROL_VARIABLE in os.environ:  # few sandboxes are spoken with
    import json
    import socket
MESSAGE_LIMIT = 65536

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 8, 32, 4096, 16384
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MS_RELATIME, ST_RELATIME = 1 << 21, 4096
SYS_MOUNT_SETATTR = 442  # the same number on every architecture
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
BINFMT_TABLE = "/proc/sys/fs/binfmt_misc"
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
CAPABILITY_VERSION_3 = 0x20080522
INIT_CAPABILITIES = [5, 6, 7, 8, 24]  # KILL, SETGID, SETUID, SETPCAP, SYS_RESOURCE: to signal, and to start a probe
LAST_CAPABILITY = 63
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
MASKED = ("kcore", "keys", "sched_debug", "sysrq-trigger", "timer_list")  # in /proc: of the host, not of the sandbox
DEVICE_LINKS = (
    ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx"),
)  # fmt: skip
RELAYED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
SYMLINK_LIMIT = 40

libc = ctypes.CDLL(None, use_errno=True)


class SetupError(Exception):
    """A step of the set-up failed; the text says which."""


def call(what: str, result: int) -> int:
    """The result of a libc call, or SetupError with its errno."""
    if result < 0:
        number = ctypes.get_errno()
        raise SetupError(f"{what}: {os.strerror(number)}")
    return result


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """mount(2)."""
    result = libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        os.fsencode(data),
    )
    call(f"mount {kind or 'bind'} {source} on {target}", result)


def set_mount_attributes(path: str, attributes: int) -> None:
    """Add attributes to a mount and everything below it; an old kernel (< 5.12) sets them on the top mount alone."""
    value = struct.pack("=QQQQ", attributes, 0, 0, 0)
    size = ctypes.c_size_t(len(value))
    if libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, os.fsencode(path), ctypes.c_uint(AT_RECURSIVE), value, size) == 0:
        return
    if ctypes.get_errno() != errno.ENOSYS:
        raise SetupError(f"mount_setattr {path}: {os.strerror(ctypes.get_errno())}")
    present = os.statvfs(path).f_flag
    kept = present & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC) | (MS_RELATIME if present & ST_RELATIME else 0)
    mount("none", path, None, MS_REMOUNT | MS_BIND | attributes | kept)


def open_inside(root: int, path: str, *, make: str, owner: int) -> int:
    """An O_PATH descriptor of `path` inside `root`; symlinks are followed inside it and can't leave it.

    What is missing is made and given to `owner`: a folder, or with `make="file"` an empty file at the end.
    """
    trail, parts, links = [os.dup(root)], path.split("/"), 0
    try:
        while parts:
            name = parts.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                if len(trail) > 1:
                    os.close(trail.pop())
                continue
            last = not any(part not in ("", ".") for part in parts)
            child = open_child(trail[-1], name, make if last else "folder", owner)
            if not stat.S_ISLNK(os.fstat(child).st_mode):
                trail.append(child)
                continue
            target = os.readlink("", dir_fd=child)
            os.close(child)
            links += 1
            if links > SYMLINK_LIMIT:
                raise SetupError(f"{path}: too many symlinks")
            parts = target.split("/") + parts
            if target.startswith("/"):
                while len(trail) > 1:
                    os.close(trail.pop())
        return os.dup(trail[-1])
    finally:
        for descriptor in trail:
            os.close(descriptor)


def open_child(folder: int, name: str, make: str, owner: int) -> int:
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        if make == "file":
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=folder))
        else:
            os.mkdir(name, 0o755, dir_fd=folder)
        if owner:
            os.chown(name, owner, owner, dir_fd=folder, follow_symlinks=False)
        return os.open(name, flags, dir_fd=folder)


def open_source(path: str) -> int:
    """An O_PATH descriptor of a host path that has no symlink in it: somebody may have put one there since the look."""
    here = os.open("/", os.O_PATH | os.O_DIRECTORY)
    for name in path.strip("/").split("/"):
        if not name:
            continue
        inner = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        os.close(here)
        here = inner
        if stat.S_ISLNK(os.fstat(here).st_mode):
            raise SetupError(f"{path} became a symlink")
    return here


def reopened(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


class Builder:
    """Builds the new root. Every host path is opened before the first mount can hide it."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.sources = [open_source(source) for source, _, _ in plan["binds"]]
        self.devices = [os.open(f"/dev/{name}", os.O_PATH | os.O_CLOEXEC) for name in DEVICES]
        self.owner = plan["users"][0] if plan["users"] else 0
        self.root = -1

    def build(self) -> None:
        """Mount everything, then make it the root and let go of the old one."""
        kind = self.plan["root"]["kind"]
        path = {"host": self.host_root, "folder": self.folder_root, "overlay": self.overlay_root}[kind]()
        self.root = os.open(path, os.O_PATH | os.O_DIRECTORY)
        self.mount_system()
        for target, size, mode in self.plan["tmpfs"]:
            self.tmpfs(target, f"size={size},mode={mode:o},uid={self.owner},gid={self.owner}")
        for descriptor, (_, target, read_only) in zip(self.sources, self.plan["binds"], strict=True):
            self.bind(
                descriptor, target, (MOUNT_ATTR_RDONLY if read_only else 0) | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV
            )
        self.make_workdir()
        if self.plan["root"].get("read_only"):
            mount("none", reopened(self.root), None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID)
        pivot(path)

    def host_root(self) -> str:
        """An empty root into which only the system's own folders are bound, read-only; all else does not exist."""
        root = self.plan["root"]
        opened = []
        for name in root["visible"]:
            path = f"/{name}"
            if os.path.islink(path):
                opened.append((name, os.readlink(path), -1))
            elif os.path.isdir(path):
                opened.append((name, "", os.open(path, os.O_PATH | os.O_CLOEXEC)))
        mount("root", root["staging"], "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=755")
        for name, link, descriptor in opened:
            target = f"{root['staging']}/{name}"
            if link:
                os.symlink(link, target)
                continue
            os.mkdir(target, 0o755)
            mount(reopened(descriptor), target, None, MS_BIND | MS_REC)
            set_mount_attributes(target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID)
        for path in root["hidden"]:
            hide(root["staging"] + path)
        return str(root["staging"])

    def folder_root(self) -> str:
        path = str(self.plan["root"]["path"])
        mount(path, path, None, MS_BIND | MS_REC)
        set_mount_attributes(path, MOUNT_ATTR_NOSUID)
        return path

    def overlay_root(self) -> str:
        """Relative names keep the option string short and free of characters that it gives a meaning to."""
        root = self.plan["root"]
        os.chdir(root["base"])
        options = f"lowerdir={':'.join(root['lower'])},upperdir={root['upper']},workdir={root['work']}"
        for extra in root["options"]:
            try:
                mount("overlay", root["target"], "overlay", MS_NOSUID | MS_NODEV, f"{options}{extra}")
            except SetupError:
                if extra == root["options"][-1]:
                    raise
            else:
                break
        return f"{root['base']}/{root['target']}"

    def mount_system(self) -> None:
        proc = self.target("/proc")
        mount("proc", reopened(proc), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        for name in MASKED:
            hide(f"{reopened(self.target('/proc'))}/{name}")
        self.tmpfs("/dev", "size=64k,mode=755")
        for name, descriptor in zip(DEVICES, self.devices, strict=True):
            self.bind(descriptor, f"/dev/{name}", MOUNT_ATTR_NOSUID)
        folder = os.open("dev", os.O_PATH | os.O_DIRECTORY, dir_fd=self.root)
        for name, target in DEVICE_LINKS:
            os.symlink(target, name, dir_fd=folder)
        mount("devpts", reopened(self.target("/dev/pts")), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666")
        self.tmpfs("/dev/shm", f"size={self.plan['shm']},mode=1777")  # noqa: S108 - the sandbox's own
        if self.plan["sys"]:
            mount("sysfs", reopened(self.target("/sys")), "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

    def target(self, path: str, make: str = "folder") -> int:
        try:
            return open_inside(self.root, path, make=make, owner=self.owner)
        except OSError as error:
            raise SetupError(f"{path} can't be made in the sandbox's root: {error.strerror}") from None

    def tmpfs(self, path: str, options: str) -> None:
        mount("tmpfs", reopened(self.target(path)), "tmpfs", MS_NOSUID | MS_NODEV, options)

    def bind(self, source: int, path: str, attributes: int) -> None:
        make = "folder" if stat.S_ISDIR(os.fstat(source).st_mode) else "file"
        mount(reopened(source), reopened(self.target(path, make)), None, MS_BIND | MS_REC)
        set_mount_attributes(reopened(self.target(path, make)), attributes)

    def make_workdir(self) -> None:
        os.close(self.target(self.plan["workdir"]))


def hide(path: str) -> None:
    if os.path.isdir(path):
        mount("hidden", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=555")
    elif os.path.exists(path):
        mount("/dev/null", path, None, MS_BIND)


def pivot(path: str) -> None:
    os.chdir(path)
    call("pivot_root", libc.pivot_root(b".", b"."))
    call("leave the old root", libc.umount2(b".", MNT_DETACH))
    os.chdir("/")


def network_up() -> None:
    """The loopback up, and every port open to an unprivileged user: the network is the sandbox's own."""
    control = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(control.fileno(), SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING))
    write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")


def write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def enter_user_namespace(base: int, count: int) -> None:
    """A user namespace whose ids 0… are the host's `base`…; a helper maps them from outside, as the kernel asks."""
    pid, (read_end, write_end) = os.getpid(), os.pipe()
    # An ordinary user's namespace has his own id as 0 and a range of others above: no line may span both.
    ids = f"0 {base} 1\n1 {base + 1} {count - 1}"
    helper = os.fork()
    if helper == 0:
        os.read(read_end, 1)
        try:
            write(f"/proc/{pid}/gid_map", ids)
            write(f"/proc/{pid}/uid_map", ids)
        except OSError:
            os._exit(1)
        os._exit(0)
    call("a user namespace", libc.unshare(CLONE_NEWUSER))
    os.write(write_end, b"x")
    if os.waitpid(helper, 0)[1] != 0:
        raise SetupError("the user namespace's ids could not be mapped")
    os.close(read_end)
    os.close(write_end)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def register_handlers(lines: list[str]) -> None:
    """A table of binary formats that counts in this user namespace alone, as long as it is mounted."""
    call("a mount namespace", libc.unshare(CLONE_NEWNS))
    mount("binfmt_misc", BINFMT_TABLE, "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for line in lines:
        write(f"{BINFMT_TABLE}/register", line)


def drop_bounding(kept: list[int]) -> None:
    """No later execve gives more than `kept`. Needs CAP_SETPCAP, so it comes before a change of uid."""
    for capability in range(LAST_CAPABILITY + 1):
        if capability not in kept:
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def set_capabilities(kept: list[int]) -> None:
    """No more than `kept`, permitted and effective; none inheritable, none ambient."""
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header, present = struct.pack("=Ii", CAPABILITY_VERSION_3, 0), ctypes.create_string_buffer(24)
    call("capget", libc.capget(header, present))
    permitted = struct.unpack("=6I", present.raw)
    bits = sum(1 << capability for capability in kept) & (permitted[1] | permitted[4] << 32)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    call("capset", libc.capset(header, struct.pack("=6I", low, low, 0, high, high, 0)))


def limit_resources(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        _, hard = resource.getrlimit(number)
        bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (bounded, bounded))


def become_workload(plan: Plan, sibling: int) -> None:
    """Give up everything but what the plan keeps, for good; `sibling` is the command that a probe belongs to, or 0."""
    limit_resources(plan["limits"])
    kept = [] if plan["uid"] else plan["capabilities"]
    other_ids = (plan["uid"], plan["gid"]) != (0, 0)
    if plan["single"] and other_ids:
        enter_single_user(plan["uid"], plan["gid"], sibling)
    elif plan["single"] or plan["users"] is not None:
        forbid_user_namespaces(0)
    drop_bounding(kept)
    if not plan["single"]:
        os.setgroups(plan["groups"])
        os.setresgid(plan["gid"], plan["gid"], plan["gid"])
        os.setresuid(plan["uid"], plan["uid"], plan["uid"])
    set_capabilities(kept)
    call("no_new_privs", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    os.umask(0o022)


def forbid_user_namespaces(but: int) -> None:
    """No user namespace inside this one: they open much of the kernel to whoever is inside."""
    write("/proc/sys/user/max_user_namespaces", str(but))


def enter_single_user(uid: int, gid: int, sibling: int) -> None:
    """One more user namespace, in which the only user there is carries the number that the image asks for."""
    if sibling:
        namespace = os.open(f"/proc/{sibling}/ns/user", os.O_RDONLY)
        call("the command's user namespace", libc.setns(namespace, CLONE_NEWUSER))
        os.close(namespace)
        return
    forbid_user_namespaces(1)
    call("a user namespace", libc.unshare(CLONE_NEWUSER))
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self/uid_map belongs to the machine's root
    write("/proc/self/uid_map", f"{uid} 0 1")
    write("/proc/self/gid_map", f"{gid} 0 1")


def start(plan: Plan, argv: list[str], environment: dict[str, str], *, sibling: int = 0) -> int:
    """Fork and execute a command as the plan's user; its pid. With `sibling`, as a silent probe of that command."""
    pid = os.fork()
    if pid == 0:
        become_command(plan, argv, environment, sibling)
    return pid


def become_command(plan: Plan, argv: list[str], environment: dict[str, str], sibling: int) -> NoReturn:
    """What the forked process does."""
    try:
        os.setsid()
        for number in (*RELAYED, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        become_workload(plan, sibling)
        os.chdir(plan["workdir"])
    except (SetupError, OSError, ValueError) as error:
        fail(SETUP_FAILED, str(error))
    execute(argv, environment)


def execute(argv: list[str], environment: dict[str, str]) -> NoReturn:
    """execve by the PATH of the command's own environment."""
    name, code, why = argv[0], NOT_FOUND, "no such file or directory"
    folders = [""] if "/" in name else environment.get("PATH", os.defpath).split(":")
    for folder in folders:
        path = f"{folder}/{name}" if folder else name
        try:
            os.execve(path, argv, environment)  # noqa: S606 - never a shell
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            code, why = CANNOT_EXECUTE, str(error.strerror)
    fail(code, f"can't start {name!r}: {why}")


def fail(code: int, message: str) -> NoReturn:
    os.write(2, f"tidegate: {message}\n".encode(errors="replace"))
    os._exit(code)


class Init:
    """Process 1: reaps, passes signals on, and opens connections and runs probes for whoever holds the control end."""

    def __init__(self, plan: Plan, environment: dict[str, str]):
        self.plan = plan
        self.environment = environment
        self.control: socket.socket | None = None
        self.main = 0
        self.status = 0
        self.ending = False
        self.probes: dict[int, tuple[int, float]] = {}

    def run(self, argv: list[str]) -> int:
        """Start `argv` and serve until it ends; its exit code."""
        wake, wakened = os.pipe()
        os.set_blocking(wakened, False)
        signal.set_wakeup_fd(wakened, warn_on_full_buffer=False)
        for number in (*RELAYED, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        if self.plan["control"] is not None:
            os.set_inheritable(self.plan["control"], False)
            self.control = socket.socket(fileno=self.plan["control"])
        self.main = start(self.plan, argv, self.environment)
        set_capabilities(INIT_CAPABILITIES + self.plan["capabilities"])
        release_standard_streams()
        watched = [wake, self.control.fileno()] if self.control else [wake]
        while True:
            readable = select.select(watched, [], [], self.patience())[0]
            if wake in readable:
                for received in os.read(wake, 256):
                    if received != signal.SIGCHLD:
                        self.pass_on(received)
            if readable not in ([], [wake]) and not self.serve():
                return 128 + signal.SIGKILL
            self.end_late_probes()
            if self.reap():
                return self.status

    def patience(self) -> float | None:
        deadlines = [deadline for _, deadline in self.probes.values()]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def pass_on(self, number: int) -> None:
        self.ending = self.ending or number in (signal.SIGTERM, signal.SIGINT)
        for target, kill in ((self.main, os.killpg), (self.main, os.kill)):
            try:
                kill(target, number)
            except (ProcessLookupError, PermissionError):
                continue
            return

    def reap(self) -> bool:
        """Whether it is over: the command has ended and, where it was asked to, so has all that it left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            code = os.waitstatus_to_exitcode(status)
            code = code if code >= 0 else 128 - code
            if pid in self.probes:
                self.answer({"id": self.probes.pop(pid)[0], "exit": code})
            elif pid == self.main:
                self.status = code
                if not self.ending:
                    return True

    def end_late_probes(self) -> None:
        for pid, (_, deadline) in list(self.probes.items()):
            if time.monotonic() >= deadline:
                self.probes[pid] = (self.probes[pid][0], deadline + 5)
                os.killpg(pid, signal.SIGKILL)

    def serve(self) -> bool:
        """One request; False where the other side is gone."""
        assert self.control is not None
        data = self.control.recv(MESSAGE_LIMIT)
        if not data:
            return False
        request = json.loads(data)
        if "dial" in request:
            self.dial(request["id"], request["dial"])
        elif "signal" in request:
            self.pass_on(request["signal"])
        elif "exec" in request:
            pid = start(self.plan, request["exec"], self.environment, sibling=self.main)
            self.probes[pid] = (request["id"], time.monotonic() + request["timeout"])
        return True

    def dial(self, identity: int, port: int) -> None:
        """A socket of this network, connected or connecting, handed over to the other side."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            number = connection.connect_ex(("127.0.0.1", port))
            if number in (0, errno.EINPROGRESS):
                self.answer({"id": identity, "ok": True}, [connection.fileno()])
            else:
                self.answer({"id": identity, "error": os.strerror(number)})

    def answer(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        assert self.control is not None
        socket.send_fds(self.control, [json.dumps(message).encode()], descriptors or [])


def release_standard_streams() -> None:
    """The command alone holds the log's pipe, so that its end is seen when the command ends."""
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def give_streams(owner: int) -> None:
    """The pipes behind stdout and stderr to the command's user, who may want to open /dev/stdout."""
    for descriptor in (0, 1, 2):
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.fchown(descriptor, owner, -1)


def join_groups(plan: Plan) -> None:
    """Into the control groups that were made for the sandbox, while their files are still in sight."""
    for path in plan["cgroups"]:
        write(path, "0")
    os.nice(plan["nice"])


def pass_gate(gate: int) -> None:
    """Wait until the server has given this namespace its network."""
    os.write(gate, b"\n")
    if not os.read(gate, 1):
        raise SetupError("it was given no network")
    os.close(gate)


def set_up(plan: Plan) -> None:
    """Everything between the fresh namespaces and the command."""
    if plan["gate"] is not None:
        pass_gate(plan["gate"])
    Builder(plan).build()
    if plan["hostname"]:
        _socket.sethostname(plan["hostname"])
    if plan["network"] == "none":
        network_up()
    if not plan["single"]:
        give_streams(plan["uid"] + (plan["users"][0] if plan["users"] else 0))
        os.setgroups([])
    if plan["users"] is not None:
        enter_user_namespace(*plan["users"])
        if plan["handlers"]:
            register_handlers(plan["handlers"])
    # A change of ids clears the death signal that unshare set: whoever is process 1 dies with its parent.
    call("prctl", libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    call("prctl", libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))


def main() -> NoReturn:
    """The arguments are the command, the plan is in the environment, where nobody else can read it."""
    plan: Plan = marshal.loads(bytes.fromhex(os.environ[PLAN_VARIABLE]))  # noqa: S302 - the server's own words
    environment = {name[len(ENV_PREFIX) :]: value for name, value in os.environ.items() if name.startswith(ENV_PREFIX)}
    try:
        join_groups(plan)
        set_up(plan)
    except (SetupError, OSError) as error:
        fail(SETUP_FAILED, f"the sandbox could not be set up: {error}")
    os._exit(Init(plan, environment).run(sys.argv[2:]))
