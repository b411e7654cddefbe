"""What jobs and workloads reach, and what they don't, by the way that TIDEGATE_TEST_NETWORK names.

test_network_outside.py runs this file on a machine of its own, as root and as an ordinary user.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

import outside_world as world
from runner_home import RunnerHome, workflow
from runtime_world import BASE, PYTHON, StandIn, fetch, layer
from runtime_world import running as workloads

from tidegate.kinds.conditions import find
from tidegate.network.outside import Outside
from tidegate.oci.values import ContainerConfig

WAY = os.environ["TIDEGATE_TEST_NETWORK"]


@pytest.fixture
async def outside(tmp_path):
    found = Outside(tmp_path, WAY)
    await found.require()
    yield found
    await found.close()


def look(*others: str) -> tuple[str, dict[str, str]]:
    """Steps that tell what they reach."""
    wanted = world.wishes(*others)
    script = "\n".join(f"    {line}" for line in world.LOOK.splitlines())
    arguments = " ".join(f"{word}={place}" for word, place in wanted.items())
    return f"- run: |\n    cat >look.py <<'END'\n{script}\n    END\n    python3 look.py {arguments}\n", wanted


async def run_job(home: RunnerHome, steps: str, conclusion: str = "success") -> str:
    home.commit(workflow(steps))
    async with home.running():
        home.push()
        (run,) = await home.finished(timeout=60)
    log = home.log(run)
    assert run["status"]["conclusion"] == conclusion, log
    return log


async def test_a_job_reaches_the_outside_and_nothing_of_the_machine(outside, tmp_path):
    home = RunnerHome(tmp_path, outside=outside)
    await home.set_up()
    steps, wanted = look()
    log = await run_job(home, steps)
    world.assert_only_outside(log, wanted)


async def test_a_job_of_a_closed_runner_reaches_nothing(outside, tmp_path):
    home = RunnerHome(tmp_path, outside=outside)
    await home.set_up(network="none")
    steps, wanted = look()
    said = world.told(log := await run_job(home, steps))
    assert said.keys() == wanted.keys(), log
    assert all(words.startswith("refused") for words in said.values()), log
    assert "Network: nothing outside: spec.network of the Runner is none" in log


def deployment(name: str, annotations: dict[str, str] | None = None) -> dict:
    container = {
        "name": "web",
        "image": f"ghcr.io/acme/{name}:1.0.0",
        "ports": [{"containerPort": 8000}] if name == "web" else [],
        "volumeMounts": [{"name": "usr", "mountPath": "/usr", "readOnly": True}],
    }
    pod = {"containers": [container], "volumes": [{"name": "usr", "hostPath": {"path": "/usr"}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": annotations or {}},
                "spec": pod,
            },
        },
    }


def service() -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 8000}]},
    }


def images(wanted: dict[str, str]) -> StandIn:
    """A server, and a look at what is reached: its log is the answer."""
    registry = StandIn()
    script = world.LOOK + "\nimport time\nprint('looked', flush=True)\ntime.sleep(3600)\n"
    arguments = [f"{word}={place}" for word, place in wanted.items()]
    config = ContainerConfig(cmd=(PYTHON, "-u", "/app/look.py", *arguments))
    registry.push("ghcr.io/acme/look:1.0.0", BASE, layer({"app/look.py": script.encode()}), config=config)
    registry.push_word("1.0.0", "web")
    return registry


async def looked(running, name: str = "look") -> str:
    """What the workload has said when it has looked at everything."""
    pods: list = []

    async def done() -> bool:
        pods[:] = [pod for pod in await running.pods() if pod["metadata"]["name"].startswith(f"{name}-")]
        return any("looked" in running.runtime.logs.tail(pod, "web", 100) for pod in pods)

    await running.until(done, seconds=60)
    return "\n".join(running.runtime.logs.tail(pods[0], "web", 100))


def neighbours() -> list[str]:
    """Every address of a link that stands: the machine's end, and the one inside."""
    argv = ["ip", "-oneline", "-4", "address"]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout.splitlines()
    ours = [line.split()[3].partition("/")[0] for line in lines if " tide" in line]
    return [*ours, *(f"{one.rpartition('.')[0]}.{int(one.rpartition('.')[2]) + 1}" for one in ours)]


async def test_a_workload_reaches_the_outside_and_no_other_workload(outside, tmp_path):
    """Nor does a job reach one: a server that all of them have in their own namespace answers in none but that."""
    probe = images(world.wishes())
    async with workloads(tmp_path, probe, outside=outside) as running:
        await running.apply(deployment("web"), service())
        await running.rolled_out("web")
        assert (await fetch(await running.url()))["word"] == "web"  # so the server is there
        port = (await running.url()).rpartition(":")[2]
        places = [f"{one}:8000" for one in neighbours()] + [f"{one}:{port}" for one in ("127.0.0.1", world.HOST)]
        wanted = world.wishes(*places)
        probe.manifests |= images(wanted).manifests
        probe.blobs |= images(wanted).blobs
        await running.apply(deployment("look"))
        world.assert_only_outside(await looked(running), wanted)
        limited = find((await running.deployment("look"))["status"]["conditions"], "NetworkLimited")
        assert limited["reason"] == "OutsideOnly"
        assert limited["message"] == f"the replicas reach the outside by {WAY}; nothing of this machine"
        assert len(places) == (4 if WAY == "veth" else 2)
        home = RunnerHome(tmp_path / "runner", outside=outside)
        await home.set_up()
        steps, wanted = look(*places)
        world.assert_only_outside(await run_job(home, steps), wanted)


async def test_a_closed_workload_reaches_nothing(outside, tmp_path):
    wanted = world.wishes()
    async with workloads(tmp_path, images(wanted), outside=outside) as running:
        await running.apply(deployment("look", {"tidegate.dev/network": "none"}))
        said = world.told(await looked(running))
        assert said.keys() == wanted.keys()
        assert all(words.startswith("refused") for words in said.values()), said
        limited = find((await running.deployment("look"))["status"]["conditions"], "NetworkLimited")
        assert limited["reason"] == "NoWayOut"
