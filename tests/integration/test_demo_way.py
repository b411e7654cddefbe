"""The whole way, and the guide's own commands against it."""

import json
import re
import sys
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from demo_world import rows, start, stop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1500)]
PLATFORMS = ["linux/amd64", "linux/arm/v7", "linux/arm64"]
CYCLE = {
    "commit", "version", "image", "digest", "platforms", "automation_commit", "applied_revision", "served_version",
    "served_word", "stations", "total_seconds",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    process, found = start(tmp_path_factory.mktemp("demo") / "way")
    yield found
    stop(process)


def test_the_document_tells_both_cycles(world):
    report = world.report
    assert list(report) == ["ok", "url", "service_url", "home", "loops", "suspended", "cycles"]
    assert (report["ok"], report["loops"], report["suspended"], len(report["cycles"])) == (True, 0, False, 2)
    for cycle in report["cycles"]:
        assert set(cycle) == CYCLE
        assert re.fullmatch(r"[0-9a-f]{40}", cycle["commit"])
        assert cycle["image"] == f"ghcr.io/seadavdic/smartbiz-api:{cycle['version']}"
        assert sorted(cycle["platforms"]) == PLATFORMS
        assert cycle["applied_revision"] == f"main@sha1:{cycle['automation_commit']}"
        assert cycle["served_version"] == cycle["version"]
        assert [station["name"] for station in cycle["stations"]] == [
            "push", "run", "scan", "select", "update", "deploy", "answer",
        ]  # fmt: skip
    assert report["cycles"][0]["served_word"] != report["cycles"][1]["served_word"]


def test_the_service_answers_what_was_committed_last(world):
    last = world.report["cycles"][-1]
    with urllib.request.urlopen(f"{world.report['service_url']}/api/version", timeout=10) as answer:
        assert json.load(answer) == {"version": last["version"], "word": last["served_word"]}


def test_the_automation_s_commits_are_the_guide_s(world):
    world.git("fetch", "--quiet")
    for cycle in world.report["cycles"]:
        shown = world.git("show", "--format=%an <%ae>%n%B", "--numstat", cycle["automation_commit"]).split("\n")
        assert shown[0] == "Flux Image Automation <flux@raspberrypi-cluster.local>"
        assert shown[1] == f"Update SmartBiz API image to {cycle['image']}"
        assert [line for line in shown[2:] if line] == ["1\t1\tapps/smartbiz-api/deployment.yaml"]


def test_the_registry_has_the_index(world):
    last = world.report["cycles"][-1]
    path = f"/v2/seadavdic/smartbiz-api/manifests/{last['version']}"
    status, text = world.fetch(path, Accept="application/vnd.oci.image.index.v1+json")
    assert status == 200
    import hashlib

    assert f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" == last["digest"]


def test_the_guide_s_tables(world):
    last = world.report["cycles"][-1]
    header, row = rows(world.kubectl("get", "imagerepository", "-n", "flux-system"))
    assert header == ["NAME", "LAST SCAN", "TAGS"]
    assert (row[0], row[2]) == ("smartbiz-api", "2")
    assert rows(world.kubectl("get", "imagepolicy", "-n", "flux-system")) == [
        ["NAME", "LATESTIMAGE"],
        ["smartbiz-api", last["image"]],
    ]
    header, row = rows(world.kubectl("get", "imageupdateautomation", "-n", "flux-system"))
    assert header == ["NAME", "LAST RUN", "SUSPENDED"]
    assert (row[0], row[2]) == ("smartbiz-api", "False")


@pytest.mark.parametrize("kind", ["imagerepository", "imagepolicy", "imageupdateautomation"])
def test_describe_shows_status_and_events(world, kind):
    text = world.kubectl("describe", kind, "smartbiz-api", "-n", "flux-system")
    assert "Status:" in text
    assert re.search(r"Normal +Succeeded", text)


def test_the_controller_s_log_shows_the_push(world):
    text = world.kubectl("logs", "-n", "flux-system", "deployment/image-automation-controller")
    assert world.report["cycles"][-1]["automation_commit"][:7] in text


def test_the_deployment_and_its_pods(world):
    header, row = rows(world.kubectl("get", "deployment", "smartbiz-api", "-n", "smartbiz"))
    assert header == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row[:2] == ["smartbiz-api", "1/1"]
    assert "Available" in world.kubectl("describe", "deployment", "smartbiz-api", "-n", "smartbiz")
    pod = world.kubectl("get", "pods", "-n", "smartbiz", "-o", "name", "-l", "app=smartbiz-api").split()[0]
    assert "/health" in world.kubectl("logs", pod, "-n", "smartbiz")


def test_annotate_requests_a_reconciliation(world):
    world.kubectl(
        "annotate", "imagerepository", "smartbiz-api", "-n", "flux-system", "--overwrite",
        "reconcile.fluxcd.io/requestedAt=guide-1",
    )  # fmt: skip
    world.kubectl(
        "wait", "imagerepository/smartbiz-api", "-n", "flux-system", "--timeout=20s",
        "--for=jsonpath={.status.lastHandledReconcileAt}=guide-1",
    )  # fmt: skip


@pytest.mark.parametrize("side", [[], ["--server-side"]])
def test_apply_twice_changes_nothing_the_second_time(world, side, tmp_path):
    manifest = tmp_path / "object.yaml"
    name = "server" if side else "client"
    manifest.write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: default\ndata:\n  a: b\n"
    )
    world.kubectl("apply", *side, "-f", str(manifest))
    before = world.kubectl("get", "configmap", name, "-o", "jsonpath={.metadata.resourceVersion}")
    world.kubectl("apply", *side, "-f", str(manifest))
    assert world.kubectl("get", "configmap", name, "-o", "jsonpath={.metadata.resourceVersion}") == before


def test_the_guide_s_secret(world):
    made = world.kubectl(
        "create", "secret", "generic", "deploy-key", "--from-literal=known_hosts=x", "-n", "flux-system",
        "--dry-run=client", "-o", "yaml",
    )  # fmt: skip
    assert "deploy-key created" in world.kubectl("apply", "-f", "-", stdin=made)


def test_without_a_credential_nothing_is_written_and_no_secret_read(world):
    assert world.fetch("/api/v1/namespaces/default/configmaps", "POST")[0] == 401
    assert world.fetch("/api/v1/namespaces/flux-system/secrets")[0] in (401, 403)
    assert world.fetch("/v2/acme/web/blobs/uploads/", "POST")[0] == 401
    assert world.fetch("/git/acme/web.git/info/refs?service=git-receive-pack")[0] == 401


def test_a_page_of_another_site_and_another_host_name_are_refused(world):
    assert world.fetch("/api/v1/namespaces/default/configmaps", "POST", Origin="https://evil.example")[0] == 403
    assert world.fetch("/", Host="evil.example")[0] in (400, 403, 421)


def test_our_own_commands(world):
    last = world.report["cycles"][-1]
    assert last["automation_commit"][:12] in world.tidegate("status")
    (row,) = json.loads(world.tidegate("status", "-o", "json"))
    assert (row["version"], row["selected"], row["commit"], row["waits_on"]) == (
        last["version"], last["version"], last["commit"], "",
    )  # fmt: skip
    assert last["image"] in world.tidegate("get", "imagepolicy")
    assert "Succeeded" in world.tidegate("describe", "imagepolicy", "smartbiz-api")
    assert "pushed commit" in world.tidegate("events", "--for", "imageupdateautomation/smartbiz-api")
    runs = rows(world.tidegate("runs", "--workflow", "smartbiz-ci.yaml"))
    assert [row[0] for row in runs] == ["STATUS", "success", "success"]
    assert "docker/build-push-action" in world.tidegate("logs", runs[1][1])
    assert "Applied revision" in world.tidegate("reconcile", "kustomization", "apps", "--with-source")
    world.tidegate("suspend", "imagerepository", "smartbiz-api")
    assert "resumed" in world.tidegate("resume", "imagerepository", "smartbiz-api")


def test_the_page_shows_the_application_and_its_runs(world):
    status, text = world.fetch("/")
    assert status == 200
    assert "flux-system/smartbiz-api" in text
    link = re.search(r'href="(/runs/[^"]+)"', text)
    assert link is not None
    assert "docker/build-push-action" in world.fetch(link[1])[1]


def test_a_broken_workflow_is_told_to_the_pusher_and_harms_nothing_else(world):
    workflow = world.folder / "smartbiz/.github/workflows/broken.yaml"
    world.git("pull", "--quiet", "--rebase")
    workflow.write_text("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - {run: ls, uses: b}\n")
    world.git("add", ".")
    world.git("commit", "--quiet", "-m", "Break a workflow")
    said = world.git("push", "origin", "main")
    assert "broken.yaml:6" in said
    workflow.unlink()
    world.git("add", ".")
    world.git("commit", "--quiet", "-m", "Take it back")
    world.git("push", "--quiet", "origin", "main")
    test_the_service_answers_what_was_committed_last(world)


def test_a_broken_manifest_is_named_in_the_condition_with_its_line(world):
    world.git("pull", "--quiet", "--rebase")
    service = world.folder / "smartbiz/apps/smartbiz-api/service.yaml"
    good = service.read_text()
    service.write_text("apiVersion: v1\nkind: Service\n  metadata: {\n")
    world.git("commit", "--quiet", "-am", "Break a manifest")
    world.git("push", "--quiet", "origin", "main")
    told = world.tidegate("reconcile", "kustomization", "apps", "--with-source", code=1)
    assert "service.yaml:3" in told
    service.write_text(good)
    world.git("commit", "--quiet", "-am", "Mend it")
    world.git("push", "--quiet", "origin", "main")
    assert "Applied revision" in world.tidegate("reconcile", "kustomization", "apps", "--with-source")
