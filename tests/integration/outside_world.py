"""A machine of its own for tests of the network outside: a namespace stands for it, another for all that is outside.

    [ outside ]── up0 192.0.2.1 ────── eth0 192.0.2.2 ──[ the machine ]
      198.51.100.7   web, says who asked                  203.0.113.9, 2001:db8:1::2   its other addresses
      198.51.100.53  names                                LOCAL_PORT    a server on all of them; names on loopback
      169.254.169.254  metadata

Run as a program it serves what is outside. Whoever is in `entered` is on the machine, with all that it starts.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import os
import re
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

WEB, METADATA, NAMES = "198.51.100.7", "169.254.169.254", "198.51.100.53"
WEB6 = "2001:db8:7::7"
NAME = "web.outside.example"
HOST = "192.0.2.2"
HOST_ADDRESSES = (HOST, "203.0.113.9")
ROUTER = "10.77.0.1"
"""The machine's address on the network of its neighbour."""
HOST6 = "2001:db8:1::2"
LOCAL_PORT = 8099
PORT = 80
CLONE_NEWNET = 0x40000000
_PATIENCE = 20.0


def _ip(lines: str, pid: int | None = None) -> None:
    within = ["nsenter", f"--target={pid}", "--net"] if pid else []
    subprocess.run([*within, "ip", "-batch", "-"], input=lines, text=True, check=True, timeout=_PATIENCE)


@contextlib.contextmanager
def entered() -> Iterator[int]:
    """Be on the machine: this thread, and whatever it starts; gives a process that is outside. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    # A new namespace begins with what the machine has, where something else may forward.
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0\n")
    outside = subprocess.Popen(
        ["unshare", "--net", sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    local = names = None
    try:
        assert outside.stdout.readline() == b"begun\n"
        _ip("link set lo up\nlink add eth0 type veth peer name up0\n" + f"link set up0 netns {outside.pid}\n")
        _ip(
            "link set lo up\naddress add 192.0.2.1/24 dev up0\n"
            + "".join(f"address add {one}/32 dev lo\n" for one in (WEB, METADATA, NAMES))
            + f"address add {WEB6}/128 dev lo\naddress add 2001:db8:1::1/64 dev up0 nodad\nlink set up0 up\n",
            outside.pid,
        )
        _ip(
            f"address add {HOST}/24 dev eth0\naddress add {HOST_ADDRESSES[1]}/32 dev lo\n"
            f"address add {HOST6}/64 dev eth0 nodad\nlink set eth0 up\n"
            "route add default via 192.0.2.1\nroute add default via 2001:db8:1::1\n"
        )
        outside.stdin.write(b"serve\n")
        outside.stdin.flush()
        assert outside.stdout.readline() == b"serving\n"
        local = _Server(("::", LOCAL_PORT), lambda _: b"the machine itself")
        names = _NameServer("127.0.0.1")
        _until(lambda: _answers(WEB))
        yield outside.pid
    finally:
        for server in (local, names):
            if server is not None:
                server.shutdown()
                server.server_close()
        outside.kill()
        outside.wait()
        outside.stdin.close()
        outside.stdout.close()
        assert libc.setns(before, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        os.close(before)


@contextlib.contextmanager
def namespace() -> Iterator[int]:
    """A process in a network namespace of its own."""
    process = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    try:
        here = Path("/proc/thread-self/ns/net").readlink()
        _until(lambda: Path(f"/proc/{process.pid}/ns/net").readlink() != here)
        _ip("link set lo up\n", process.pid)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def reaches(pid: int, address: str, port: int) -> bool:
    """Whether an address is reached from the namespace of a process."""
    within = ["nsenter", f"--target={pid}", "--net"]
    argv = [*within, sys.executable, "-c", LOOK, f"it={address}:{port}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return told(done.stdout)["it"].startswith("reached")


def add_address(address: str) -> None:
    """Give the machine one more address."""
    _ip(f"address add {address}/32 dev lo\n")


@contextlib.contextmanager
def neighbour(outside: int) -> Iterator[int]:
    """A process on another network of this machine (10.77.0.2), which takes it for its router."""
    with namespace() as pid:
        _ip(f"link add eth1 type veth peer name up1\nlink set up1 netns {pid}\n")
        _ip(f"address add {ROUTER}/24 dev eth1\nlink set eth1 up\n")
        _ip(f"address add 10.77.0.2/24 dev up1\nlink set up1 up\nroute add default via {ROUTER}\n", pid)
        route(outside, "10.77.0.0/24")
        yield pid


def route(pid: int, network: str) -> None:
    """Have whoever is outside find a network by this machine."""
    _ip(f"route add {network} via {HOST}\n", pid)


def other_end(name: str) -> str:
    """The address at the other end of an interface's /30."""
    argv = ["ip", "-oneline", "-4", "address", "show", "dev", name]
    line = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=_PATIENCE).stdout
    ends = ipaddress.IPv4Interface(line.split()[3])
    return str(next(one for one in ends.network.hosts() if one != ends.ip))


@contextlib.contextmanager
def serving(pid: int, port: int) -> Iterator[None]:
    """A server in the namespace of a process."""
    argv = ["nsenter", f"--target={pid}", "--net", sys.executable, "-m", "http.server", str(port)]
    process = subprocess.Popen([*argv, "--directory", "/nonexistent"], stderr=subprocess.DEVNULL)
    try:
        _until(lambda: reaches(pid, "127.0.0.1", port))
        yield
    finally:
        process.kill()
        process.wait()


def with_files(folder: Path, command: list[str], server: str = NAMES) -> list[str]:
    """The argv of a command that finds a name server in /etc/resolv.conf, and a /dev/net/tun that is open to all, as
    udev makes it.
    """
    names, tun = folder / "resolv.conf", folder / "tun"
    names.write_text(f"nameserver {server}\n")
    names.chmod(0o644)
    script = (
        f"mount -t tmpfs -o mode=755 tun {tun} && mknod -m 666 {tun}/tun c 10 200 && "
        f"mount --bind {tun}/tun /dev/net/tun && mount --bind {names} /etc/resolv.conf && exec "
    )
    tun.mkdir(exist_ok=True)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script + '"$@"', "sh", *command]


def interfaces() -> set[str]:
    """The names of the machine's interfaces."""
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    return {line.partition(":")[0].strip() for line in lines}


def tables() -> str:
    """nftables' tables, as `nft` prints them."""
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def kept_routes() -> str:
    """The routes that keep blocks of addresses."""
    argv = ["ip", "route", "show", "type", "unreachable"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, PORT), 1):
        return True
    return False


def _until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# What a job or a workload runs to tell what it reaches: argv is `WORD=ADDRESS:PORT` or `WORD=NAME:PORT` each.
LOOK = r'''
import concurrent.futures, socket, sys, urllib.request

def bound(family, address, port, device):
    """As a program does that binds itself to an interface, to go round the routes."""
    with socket.socket(family, socket.SOCK_STREAM) as asking:
        asking.settimeout(4)
        if device:
            asking.setsockopt(socket.SOL_SOCKET, 25, device.encode())
        asking.connect((address, port))
        asking.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = b""
        while part := asking.recv(4096):
            said += part
        return said.rpartition(b"\r\n")[2].decode()

def look(wish):
    word, _, place = wish.partition("=")
    address, _, port = place.rpartition(":")
    for device in ("", "eth0"):
        try:
            family, _, _, _, (address, *_) = socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM)[0]
            return f"{word}: reached, it says {bound(family, address, int(port), device)}"
        except OSError as error:
            said = f"{word}: refused ({error})"
    return said

with concurrent.futures.ThreadPoolExecutor(32) as pool:
    print(*pool.map(look, sys.argv[1:]), sep="\n", flush=True)
'''


def wishes(*others: str) -> dict[str, str]:
    """What is looked for, by the words under which it is told; `others` are further places."""
    refused = {
        "loopback": f"127.0.0.1:{LOCAL_PORT}",
        "loopback6": f"::1:{LOCAL_PORT}",
        "host6": f"{HOST6}:{LOCAL_PORT}",
        "web6": f"{WEB6}:{PORT}",
        "metadata": f"{METADATA}:{PORT}",
        **{f"host{number}": f"{one}:{LOCAL_PORT}" for number, one in enumerate(HOST_ADDRESSES)},
        **{f"other{number}": place for number, place in enumerate(others)},
    }
    return {"address": f"{WEB}:{PORT}", "name": f"{NAME}:{PORT}", **refused}


def told(text: str) -> dict[str, str]:
    """By their words, what was said of the wishes."""
    return dict(re.findall(r"^(\w+): ((?:reached|refused).*)$", text, re.MULTILINE))


def assert_only_outside(text: str, wanted: dict[str, str], by: str = HOST) -> None:
    """The outside was reached, by its address and its name, and nothing of the machine."""
    said = told(text)
    assert said.keys() >= wanted.keys(), text
    assert said.pop("address") == said.pop("name") == f"reached, it says you are {by}", text
    assert all(said[word].startswith("refused") for word in said), text


class _Server(socketserver.ThreadingTCPServer):
    """Answers every HTTP request with a line."""

    allow_reuse_address = True
    daemon_threads = True
    address_family = socket.AF_INET6

    def __init__(self, place: tuple[str, int], answer: Callable[[str], bytes]):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.rfile.readline()
                body = answer(self.client_address[0].removeprefix("::ffff:"))
                self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)

        super().__init__(place, Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class _Names(socketserver.BaseRequestHandler):
    """A name server that knows one name."""

    def handle(self) -> None:
        question, answering = self.request
        end = question.index(b"\0", 12) + 5
        wanted = b"".join(bytes([len(part)]) + part.encode() for part in NAME.split(".")) + b"\0"
        known = question[12 : end - 4] == wanted
        found = known and question[end - 4 : end - 2] == b"\0\1"
        head = struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, int(found), 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(WEB) if found else b""
        answering.sendto(question[:2] + head + question[12:end] + record, self.client_address)


class _NameServer(socketserver.ThreadingUDPServer):
    def __init__(self, address: str):
        super().__init__((address, 53), _Names)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


def main() -> None:
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    sys.stdin.readline()
    _Server(("::", PORT), lambda client: f"you are {client}".encode())
    _NameServer(NAMES)
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
