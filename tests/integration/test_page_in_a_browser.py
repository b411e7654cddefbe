"""The page in a real browser, as wide as a phone and as a desk: everything is in view, and it asks again by itself."""

import html
import re
import subprocess

import httpx2
import pytest
from starlette.applications import Starlette
from tests.integration.needed import need

from tidegate.base.errors import NotFound
from tidegate.engine.clock import SystemClock
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kinds.objects import key_of
from tidegate.serve.page import Page

pytestmark = pytest.mark.integration

IMAGE = "ghcr.io/a-company-with-a-name/an-application-with-a-long-name"
WRAPPER = """<!doctype html><body style="margin:0">
<iframe id="page" width="{width}" height="2000" style="border:0" srcdoc="{page}"></iframe>
<script>
onload = () => {{
  const shown = document.getElementById("page").contentDocument;
  const beyond = [...shown.querySelectorAll("h1, h2, a, code, time, td")]
    .filter(one => one.getBoundingClientRect().right > {width} + 1).map(one => one.textContent.trim().slice(0, 40));
  document.title = JSON.stringify([shown.documentElement.scrollWidth, beyond]);
}};
</script>"""


def an_object(api_version, kind, name, namespace="flux-system", **rest):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **rest}


def a_run(number):
    spec = {"repository": "me/web", "workflow": ".github/workflows/smartbiz-ci.yaml", "ref": "refs/heads/main"}
    spec |= {"commit": "c" * 40, "runNumber": number}
    run = an_object("tidegate.dev/v1alpha1", "WorkflowRun", f"me-web-smartbiz-ci-{number}", spec=spec)
    run["metadata"]["annotations"] = {"tidegate.dev/title": "Say a <word> that is rather long for a title"}
    return run, {"status": "completed", "conclusion": "failure", "startedAt": "2026-01-15T12:00:00Z"}


@pytest.fixture
async def answer(tmp_path):
    """The page of an application that does not come up, and of two runs."""
    store = SqliteStore(tmp_path / "store.db", SystemClock())
    image = "image.toolkit.fluxcd.io/v1"
    repository = an_object(image, "ImageRepository", "web", spec={"image": IMAGE, "interval": "1m"})
    denied = {"type": "Ready", "status": "False", "message": f"{IMAGE}: 401 Unauthorized, " * 3}
    reference = {"imageRepositoryRef": {"name": "web"}}
    policy = an_object(image, "ImagePolicy", "a-policy-with-a-rather-long-name", spec=reference)
    selected = {"latestRef": {"name": IMAGE, "tag": "1.0.123-rc.4"}}
    for obj, status in ((repository, {"conditions": [denied]}), (policy, selected), a_run(1), a_run(2)):
        await store.create(obj, manager="test")
        await store.patch_status(key_of(obj), status, manager="test")

    async def no_log(name):
        raise NotFound(name)
        yield ""

    transport = httpx2.ASGITransport(Starlette(routes=Page(store, no_log).routes()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield await http.get("/")
    store.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_beyond_the_edge(tmp_path, answer, width):
    chromium = need("chromium")
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(WRAPPER.format(width=width, page=html.escape(answer.text)))
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1600,2200", "--virtual-time-budget=2000", "--dump-dom", wrapper.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r"<title>(.*?)</title>", done.stdout)
    assert found, done.stderr[-2000:]
    assert html.unescape(found[1]) == f"[{width},[]]"


def test_the_page_says_the_same_as_status_and_asks_again_by_itself(answer):
    page = answer.text
    assert '<meta http-equiv="refresh" content="5">' in page
    assert "script" not in page
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "the run me-web-smartbiz-ci-2 (#2 Say a &lt;word&gt; that is rather long" in page
    assert "401 Unauthorized" in page
    assert "#2 me-web-smartbiz-ci-2</a>" in page
    assert '<td data-label="Status" class="failure">failure</td>' in page
