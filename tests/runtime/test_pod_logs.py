"""A container's log: lines, parts of lines, rotation, tails, times."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.base.errors import NotFound
from tidegate.runtime import logs
from tidegate.runtime.logs import PodLogs

POD: dict[str, Any] = {
    "metadata": {"namespace": "shop", "name": "web-1", "uid": "u"},
    "spec": {"containers": [{"name": "web"}]},
}


async def read(pod_logs: PodLogs, **options: Any) -> bytes:
    return b"".join([piece async for piece in pod_logs.read(POD, **options)])


async def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    pod_logs = PodLogs(tmp_path)
    writer = pod_logs.writer(POD, "web", 0)
    for piece in (b"one\ntw", b"o\n\nthr", b"ee"):
        writer.write(piece)
    assert await read(pod_logs) == b"one\ntwo\n\n"
    writer.close()
    assert await read(pod_logs) == b"one\ntwo\n\nthree\n"
    assert (tmp_path / "shop_web-1_u/web/0.log").exists()


async def test_a_long_line_is_kept_in_parts_and_read_as_one(tmp_path: Path) -> None:
    pod_logs = PodLogs(tmp_path)
    writer = pod_logs.writer(POD, "web", 0)
    line = bytes(range(32, 127)) * 500
    writer.write(line + b"\nnext\n")
    writer.close()
    assert await read(pod_logs) == line + b"\nnext\n"
    assert all(
        len(kept) < logs.LINE_LIMIT + 100 for kept in (tmp_path / "shop_web-1_u/web/0.log").read_bytes().splitlines()
    )


async def test_tail_limit_since_and_timestamps(tmp_path: Path) -> None:
    pod_logs = PodLogs(tmp_path)
    writer = pod_logs.writer(POD, "web", 0)
    writer.write(b"a\nb\nc\n")
    writer.close()
    assert await read(pod_logs, tail=2) == b"b\nc\n"
    assert await read(pod_logs, tail=0) == b""
    assert await read(pod_logs, limit=3) == b"a\nb"
    assert await read(pod_logs, since=datetime.now(UTC) - timedelta(minutes=1)) == b"a\nb\nc\n"
    assert await read(pod_logs, since=datetime.now(UTC) + timedelta(minutes=1)) == b""
    stamp, _, text = (await read(pod_logs, timestamps=True, tail=1)).partition(b" ")
    assert text == b"c\n"
    assert abs(datetime.fromisoformat(stamp.decode()[:26] + "+00:00") - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_log_has_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_LIMIT", 10_000)
    pod_logs = PodLogs(tmp_path)
    writer = pod_logs.writer(POD, "web", 0)
    for number in range(2000):
        writer.write(b"line %d\n" % number)
    writer.close()
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.log*")) < 21_000
    text = await read(pod_logs)
    assert text.endswith(b"line 1998\nline 1999\n")
    numbers = [int(line.split()[1]) for line in text.splitlines()]
    assert numbers == list(range(numbers[0], 2000))


async def test_following_goes_on_through_a_rotation_and_ends_with_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_LIMIT", 1000)
    monkeypatch.setattr(logs, "FOLLOW_POLL", 0)
    pod_logs = PodLogs(tmp_path)
    writer = pod_logs.writer(POD, "web", 0)
    writer.write(b"first\n")
    seen = []
    written = 0
    async for piece in pod_logs.read(POD, follow=True):
        seen.append(piece)
        if written < 40:
            writer.write(b"line %d\n" % written)
            written += 1
        else:
            writer.close()
    assert b"".join(seen) == b"first\n" + b"".join(b"line %d\n" % number for number in range(40))


async def test_the_previous_run_is_kept_and_older_ones_go(tmp_path: Path) -> None:
    pod_logs = PodLogs(tmp_path)
    for run in range(4):
        writer = pod_logs.writer(POD, "web", run)
        writer.write(b"run %d\n" % run)
        writer.close()
    assert await read(pod_logs) == b"run 3\n"
    assert await read(pod_logs, previous=True) == b"run 2\n"
    assert sorted(path.name for path in tmp_path.rglob("*.log")) == ["2.log", "3.log"]
    assert pod_logs.last_run(POD, "web") == 3
    pod_logs.remove(POD)
    with pytest.raises(NotFound):
        await read(pod_logs)


@pytest.mark.parametrize("container", ["../x", "..", "other", "a/b"])
async def test_a_container_that_is_not_there_is_not_found(tmp_path: Path, container: str) -> None:
    pod_logs = PodLogs(tmp_path)
    pod_logs.writer(POD, "web", 0).close()
    (tmp_path / "0.log").write_text("not yours")
    with pytest.raises(NotFound):
        await read(pod_logs, container=container)
