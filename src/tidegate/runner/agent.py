"""Runs inside a job's place: starts the programs that the server asks for, passes signals on, and tells how they ended.

Started with `python -I -S`, so it imports the standard library only. It runs as the job's own user and holds nothing
that the job may not have: a job that kills it ends itself. The server treats what it says as a stranger's word.
"""

# Importing pathlib costs milliseconds at every start; so do json and typing, and signal and socket for their enums, of
# which the compiled parts do as well. What the server asks comes in the form of marshal; what is answered is JSON.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import _socket
import array
import marshal
import os
import resource
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, NoReturn
else:
    import _signal as signal

MESSAGE_LIMIT = 4096
CANNOT_EXECUTE, NOT_FOUND = 126, 127
PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36
END_PATIENCE = 5.0
PASSED = (signal.SIGINT, signal.SIGTERM)


def receive(connection: _socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """One request and the descriptors that came with it; None where the server is gone."""
    descriptors = array.array("i")
    data, ancillary, _, _ = connection.recvmsg(MESSAGE_LIMIT, _socket.CMSG_SPACE(2 * descriptors.itemsize))
    for level, kind, content in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    return (marshal.loads(data) if data else None), list(descriptors)  # noqa: S302 - the server's own words


def read_all(descriptor: int) -> bytes:
    """The content of a file from its beginning."""
    parts, offset = [], 0
    while chunk := os.pread(descriptor, 1 << 20, offset):
        parts.append(chunk)
        offset += len(chunk)
    return b"".join(parts)


def become(program: dict[str, Any], output: int) -> NoReturn:
    """What the forked process does: its own session, the limits, the folder, then the program."""
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for number in (*PASSED, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED)
        for name, value in program["limits"].items():
            limit(name, value)
        os.umask(0o022)
        os.chdir(program["cwd"])
    except OSError as error:
        fail(CANNOT_EXECUTE, f"{error.filename or 'the program'}: {error.strerror}")
    execute(program["argv"], program["env"])


def limit(name: str, value: int) -> None:
    """Lower one resource limit; none is ever raised."""
    number = getattr(resource, f"RLIMIT_{name.upper()}")
    _, hard = resource.getrlimit(number)
    bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(number, (bounded, bounded))


def execute(argv: list[str], environment: dict[str, str]) -> NoReturn:
    """execve by the PATH of the program's own environment."""
    name, code, why = argv[0], NOT_FOUND, "no such program"
    folders = [""] if "/" in name else environment.get("PATH", os.defpath).split(":")
    for folder in folders:
        try:
            os.execve(f"{folder}/{name}" if folder else name, argv, environment)  # noqa: S606 - never a shell
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            code, why = CANNOT_EXECUTE, str(error)
    fail(code, f"can't start {name!r}: {why}")


def fail(code: int, message: str) -> NoReturn:
    os.write(2, f"{message}\n".encode(errors="replace"))
    os._exit(code)


class Agent:
    """Serves one connection until the other side closes it."""

    def __init__(self, connection: _socket.socket, *, on_host: bool):
        self.connection = connection
        self.on_host = on_host
        self.running: dict[int, int] = {}  # pid → the request's id

    def serve(self) -> None:
        wake, wakened = os.pipe()
        os.set_blocking(wakened, False)
        signal.set_wakeup_fd(wakened, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.answer('{"ready": true}')
        seclude(on_host=self.on_host)
        while True:
            readable = select.select([wake, self.connection.fileno()], [], [])[0]
            if wake in readable:
                os.read(wake, 256)
            if self.connection.fileno() in readable and not self.handle():
                return
            self.reap()

    def handle(self) -> bool:
        request, descriptors = receive(self.connection)
        if request is None:
            return False
        if "start" in request:
            self.start(request["start"], *descriptors)
        else:
            self.pass_on(request["id"], request["signal"])
        return True

    def start(self, identity: int, plan: int, output: int) -> None:
        program = marshal.loads(read_all(plan))  # noqa: S302 - the server's own words
        os.close(plan)
        # A signal that comes before the program has its own session waits until nothing of this one handles it.
        signal.pthread_sigmask(signal.SIG_BLOCK, PASSED)
        pid = os.fork()
        if pid == 0:
            become(program, output)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED)
        os.close(output)
        self.running[pid] = identity

    def pass_on(self, identity: int, number: int) -> None:
        for pid in [pid for pid, owner in self.running.items() if owner == identity]:
            for target, send in ((pid, os.killpg), (pid, os.kill)):  # until it has its own session, there is no group
                try:
                    send(target, number)
                except (ProcessLookupError, PermissionError):
                    continue
                break

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid in self.running:
                self.answer(f'{{"id": {self.running.pop(pid)}, "exit": {code if code >= 0 else 128 - code}}}')

    def answer(self, message: str) -> None:
        try:
            self.connection.send(message.encode())
        except OSError:
            return


def seclude(*, on_host: bool) -> None:
    """Keep the job's own programs from reaching into this one; on the host, be the parent of all that they orphan."""
    try:
        import ctypes  # noqa: PLC0415 - costs milliseconds for which nobody is to wait, and may lack its library

        libc = ctypes.CDLL(None)
    except (ImportError, OSError):
        return
    if on_host:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def end_descendants() -> None:
    """Kill all that the job left. Whatever was orphaned has become a child of this process, so this finds all of it."""
    deadline = time.monotonic() + END_PATIENCE
    while time.monotonic() < deadline:
        children = own_children()
        if not children:
            return
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        for pid in children:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                continue


def own_children() -> list[int]:
    mine, found = os.getpid(), []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == mine:
                found.append(int(name))
    return found


def main() -> None:
    """The arguments: the descriptor of the connection, and `host` where no namespace ends what the job leaves."""
    connection = _socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(connection.fileno(), False)
    on_host = sys.argv[2:] == ["host"]
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")  # a machine without memory ends a job before it ends the server
    except OSError:
        pass
    Agent(connection, on_host=on_host).serve()
    if on_host:
        end_descendants()


if __name__ == "__main__":
    main()
