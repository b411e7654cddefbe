"""The guide's workflow, from a push to a run: the real Git, store, sandbox and steps; only the builder is a fake."""

import json
import sys
from importlib import resources
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import RunnerHome, git

from tidegate.runner.feed import PushKey

pytestmark = pytest.mark.integration
GUIDE = (resources.files("tidegate.demo") / "example/.github/workflows/smartbiz-ci.yaml").read_text()
FILES = {
    ".github/workflows/smartbiz-ci.yaml": GUIDE,
    "apps/smartbiz-api/main.py": "print('hello')\n",
    "apps/smartbiz-api/Dockerfile": "FROM python:3.11-slim\nCOPY main.py /app/main.py\n",
    "apps/smartbiz-api/requirements.txt": "fastapi\n",
    "apps/smartbiz-api/deployment.yaml": "image: x\n",
}


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up()
    return home


async def test_a_push_builds_the_version_of_its_commit_count(home):
    home.commit(FILES, "First")
    commit = home.commit({"apps/smartbiz-api/main.py": "print('again')\n"}, "Second")
    async with home.running():
        home.push()
        (run,) = await home.finished()
    assert run["status"]["conclusion"] == "success", json.dumps(run, indent=1) + home.log(run)
    (build,) = home.build.requests
    request, settings, files = build
    assert [str(tag) for tag in request.tags] == ["ghcr.io/seadavdic/smartbiz-api:1.0.2"]
    assert [str(platform) for platform in request.platforms] == ["linux/arm/v7", "linux/arm64", "linux/amd64"]
    assert files == ["Dockerfile", "deployment.yaml", "main.py", "requirements.txt"]
    assert request.labels["org.opencontainers.image.revision"] == commit
    assert settings.logins["ghcr.io"].password == "tgr_secret_token_0"
    assert run["status"]["images"] == [
        {
            "reference": "ghcr.io/seadavdic/smartbiz-api:1.0.2",
            "digest": "sha256:" + "ab" * 32,
            "platforms": ["linux/arm/v7", "linux/arm64", "linux/amd64"],
        }
    ]
    (job,) = run["status"]["jobs"]
    assert [step["name"] for step in job["steps"]] == [
        "Set up job",
        "Checkout repository",
        "Calculate version",
        "Set up QEMU",
        "Set up Docker Buildx",
        "Log in to GitHub Container Registry",
        "Build and push",
        "Build summary",
        "Complete job",
    ]
    assert {step["conclusion"] for step in job["steps"]} == {"success"}
    assert home.tokens.issued == [
        (f"run:{run['metadata']['name']}", ["repo:acme/shop:read", "packages:acme:write"]),
    ]
    assert home.tokens.live == {}
    assert "tgr_secret_token" not in home.log(run)
    assert "1.0.2" in home.logs.summary(run["metadata"]["name"], 1, "build")


async def test_a_commit_outside_the_paths_starts_nothing(home):
    home.commit(FILES, "First")
    async with home.running():
        home.push()
        await home.finished()
        commit = home.commit({"apps/smartbiz-api/deployment.yaml": "image: y\n"}, "Update SmartBiz API image")
        told = home.feed.push(PushKey("acme/shop", "refs/heads/main", commit))
        home.push()
        lines = [entry.text async for entry in told]
    assert lines == [".github/workflows/smartbiz-ci.yaml does not run: no changed file matches"]
    assert len(await home.all_runs()) == 1


async def test_the_push_is_told_of_its_run_until_its_end(home):
    commit = home.commit(FILES, "First")
    async with home.running():
        told = home.feed.push(PushKey("acme/shop", "refs/heads/main", commit))
        home.push()
        lines = [entry.text async for entry in told]
    assert lines[0].startswith("smartbiz-ci.yaml #1 (First): run acme-shop-smartbiz-ci-")
    assert "build: linux/arm/v7: built" in lines
    assert "build: pushed ghcr.io/seadavdic/smartbiz-api:1.0.1" in lines
    assert any(line.startswith("build: Calculate version (") for line in lines)
    assert lines[-1].startswith("smartbiz-ci.yaml #1 (First): success after")


async def test_a_checkout_leaves_no_token(home):
    steps = GUIDE.split("      - name: Calculate version", 1)[0]
    home.commit(
        {**FILES, ".github/workflows/smartbiz-ci.yaml": steps + "      - run: cat .git/config; git log --oneline\n"}
    )
    async with home.running():
        home.push()
        (run,) = await home.finished()
    text = home.log(run)
    assert "[remote" in text
    assert "***" not in text.split("cat .git/config; git log", 1)[1]
    assert git(home.folder, "rev-parse", "--short=7", "HEAD") in text
