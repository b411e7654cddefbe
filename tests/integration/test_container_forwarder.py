"""The forwarder of services' ports, as a real process between real sockets."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tidegate.runner.containers import forwarder

pytestmark = pytest.mark.integration
LOCAL = "127.0.0.1"
PATIENCE = 60.0


@contextlib.contextmanager
def forwarding(*forwards):
    argv = [sys.executable, "-I", "-S", "-c", Path(forwarder.__file__).read_text(), json.dumps(forwards)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()


def bound(kind):
    found = socket.socket(socket.AF_INET, kind)
    found.settimeout(PATIENCE)
    found.bind((LOCAL, 0))
    return found


def free_port(kind):
    with bound(kind) as found:
        return found.getsockname()[1]


def test_a_connection_goes_both_ways_and_its_end_is_passed_on():
    with bound(socket.SOCK_STREAM) as service:
        service.listen()

        def answer():
            connection, _ = service.accept()
            with connection:
                connection.settimeout(PATIENCE)
                data = b""
                while chunk := connection.recv(65536):
                    data += chunk
                connection.sendall(data[::-1])

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        port = free_port(socket.SOCK_STREAM)
        with forwarding([port, LOCAL, service.getsockname()[1], "tcp"]):
            with socket.create_connection((LOCAL, port), timeout=PATIENCE) as client:
                sent = b"abc" * 100_000
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                received = b""
                while chunk := client.recv(65536):
                    received += chunk
            assert received == sent[::-1]
        thread.join(PATIENCE)


def test_datagrams_are_answered_to_who_sent_them():
    with bound(socket.SOCK_DGRAM) as service, bound(socket.SOCK_DGRAM) as one, bound(socket.SOCK_DGRAM) as two:
        port = free_port(socket.SOCK_DGRAM)
        with forwarding([port, LOCAL, service.getsockname()[1], "udp"]):
            for client, word in ((one, b"first"), (two, b"second"), (one, b"third")):
                client.sendto(word, (LOCAL, port))
                data, sender = service.recvfrom(100)
                service.sendto(data.upper(), sender)
                assert client.recv(100) == word.upper()


def test_a_service_that_is_not_there_ends_the_connection():
    port = free_port(socket.SOCK_STREAM)
    with (
        forwarding([port, LOCAL, free_port(socket.SOCK_STREAM), "tcp"]),
        socket.create_connection((LOCAL, port), timeout=PATIENCE) as client,
        contextlib.suppress(ConnectionResetError),
    ):
        assert client.recv(1) == b""
