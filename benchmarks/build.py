"""Builds for three platforms side by side with `buildah build` under qemu: the example's image cold, one changed file,
and two stages with a compiler. All of it runs here, in one run; bases and wheels are there before the clock starts.

Two stages need a base that has apt and is configured, for each platform: TIDEGATE_BENCH_DEBIAN names one that can be
pulled (debian:bookworm-slim); without it that figure is left out, and a line says so.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tidegate.build.request import BuildRequest, RegistrySettings
from tidegate.build.spawn import build_image
from tidegate.kinds.platform import Platform
from tidegate.oci.auth import Endpoint

PLATFORMS = tuple(map(Platform.parse, ("linux/arm/v7", "linux/arm64", "linux/amd64")))
DEBIAN = "TIDEGATE_BENCH_DEBIAN"
BASES = {"python:3.11-slim": "debian:bookworm,python3,python3-pip"}
COLD_GOAL, CHANGE_GOAL, STAGES_GOAL = 10.0, 1.0, 3.0
APP = """\
FROM python:3.11-slim
ENV PIP_BREAK_SYSTEM_PACKAGES=1
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY main.py .
CMD ["uvicorn", "main:app"]
"""
REQUIREMENTS = "fastapi>=0.110\nuvicorn>=0.29\npydantic>=2\nprometheus-client>=0.20\n"
STAGES = """\
FROM {base} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libpq-dev python3-pip \\
  && rm -rf /var/lib/apt/lists/*
RUN pip install --user --no-cache-dir --break-system-packages fastapi pydantic
FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends python3 libpq5 && rm -rf /var/lib/apt/lists/*
COPY --from=build /root/.local /root/.local
COPY main.py /app/
CMD ["python3", "/app/main.py"]
"""


def measure() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as place:
        folder = Path(place)
        yield from _app(folder)
        if base := os.environ.get(DEBIAN):
            yield from _stages(folder, base)
        else:
            yield f"two stages   not measured: {DEBIAN} names no base"


def _app(folder: Path) -> Iterator[str]:
    request = _request(folder / "app", APP, folder / "cache")
    _build(request)  # fetches packages and wheels
    shutil.rmtree(request.cache / "layers")
    cold = _build(request)
    yield f"example, cold, three platforms   {cold:.2f} s"
    (request.context / "main.py").write_text("app = 2\n")
    change = _build(replace(request, output=f"oci:{folder / 'out'}"))
    yield f"main.py changed, index written   {change:.2f} s  (the goal is {CHANGE_GOAL:g} s)"
    buildah = replace(request, builder="buildah")
    _build(replace(_request(folder / "base", "FROM python:3.11-slim\n", request.cache), builder="buildah"))
    emulated = _build(buildah)
    yield f"example, buildah under qemu      {emulated:.2f} s, {emulated / cold:.1f} times as long"
    yield f"the goal is {COLD_GOAL:g} times"


def _stages(folder: Path, base: str) -> Iterator[str]:
    host = base.partition("/")[0]
    registry = RegistrySettings({host: Endpoint(f"http://{host}")} if host.startswith("127.0.0.1:") else {})
    cache = folder / "stages-cache"
    ground = _request(folder / "stages-base", f"FROM {base}\n", cache)
    _build(ground, registry)
    request = _request(folder / "stages", STAGES.format(base=base), cache)
    ours = _build(request, registry)
    yield f"two stages with gcc, three platforms   {ours:.2f} s"
    _build(replace(ground, builder="buildah"), registry)
    theirs = _build(replace(request, builder="buildah"), registry)
    yield f"two stages, buildah under qemu         {theirs:.2f} s, {theirs / ours:.1f} times as long"
    yield f"the goal is {STAGES_GOAL:g} times"


def _request(context: Path, dockerfile: str, cache: Path) -> BuildRequest:
    context.mkdir(parents=True, exist_ok=True)
    (context / "Dockerfile").write_text(dockerfile)
    (context / "requirements.txt").write_text(REQUIREMENTS)
    (context / "main.py").write_text("app = 1\n")
    return BuildRequest(context, PLATFORMS, (), cache, 1_700_000_000, bases=BASES)


def _build(request: BuildRequest, registry: RegistrySettings | None = None) -> float:
    started = time.perf_counter()
    asyncio.run(build_image(request, registry or RegistrySettings(), lambda line: None))
    return time.perf_counter() - started
