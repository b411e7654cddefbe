"""Run as a program, in a network namespace of its own: gives the socket of a proxy inside to whoever started it.

    unshare --net … python3 fenced_command.py DESCRIPTOR PORT COMMAND…

The socket listens in here and is accepted by the process outside that gets it over DESCRIPTOR, so it is the only way
out. Standard library only.
"""

import errno
import fcntl
import os
import socket
import struct
import sys

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
ELSEWHERE = ("192.0.2.1", 443)  # an address of no one (RFC 5737)


def main() -> None:
    descriptor, port, *command = sys.argv[1:]
    bring_up_loopback()
    if socket.socket().connect_ex(ELSEWHERE) != errno.ENETUNREACH:
        sys.exit("this network is not fenced: a way leads out of it")
    with socket.socket(fileno=int(descriptor)) as outside, socket.socket() as listening:
        listening.bind(("127.0.0.1", int(port)))
        listening.listen(128)
        socket.send_fds(outside, [b"."], [listening.fileno()])
    os.execvp(command[0], command)


def bring_up_loopback() -> None:
    with socket.socket() as any_socket:
        flags = struct.unpack("16sH22x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sH22x", b"lo", 0)))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | IFF_UP))


if __name__ == "__main__":
    main()
