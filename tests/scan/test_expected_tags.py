"""A commit or a run makes the images of its repository be scanned soon, by what is stored and through the triggers."""

import pytest

from tidegate.engine.manual_clock import ManualClock
from tidegate.kinds.conditions import find
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.objects import ObjectKey
from tidegate.scan.expectations import Expectations
from tidegate.scan.signals import Signals

IMAGE = "ghcr.io/me/web"
KEY = ObjectKey("image.toolkit.fluxcd.io", "ImageRepository", "flux-system", "web")
FLUX = "toolkit.fluxcd.io"
COMMIT = "c" * 40


def obj(api_version, kind, name, spec, status=None):
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "flux-system", "creationTimestamp": "2026-01-15T12:00:00Z"},
        "spec": spec,
        "status": status or {},
    }


def repository(name="web", image=IMAGE, interval="10m"):
    return obj(f"image.{FLUX}/v1", "ImageRepository", name, {"image": image, "interval": interval})


def policy(name="web", of="web"):
    spec = {"imageRepositoryRef": {"name": of}, "policy": {"alphabetical": {"order": "asc"}}}
    return obj(f"image.{FLUX}/v1", "ImagePolicy", name, spec)


def automation(status=None, source="app"):
    return obj(f"image.{FLUX}/v1", "ImageUpdateAutomation", "all", {"sourceRef": {"name": source}}, status)


def source(commit=COMMIT, since="2026-01-15T12:00:00Z", builds=None):
    status = {"artifact": {"revision": f"main@sha1:{commit}", "lastUpdateTime": since}}
    if builds is not None:
        status["artifact"]["metadata"] = {"tidegate.dev/builds": builds}
    return obj(f"source.{FLUX}/v1", "GitRepository", "app", {"url": "https://github.com/Me/App.git"}, status)


def run(status, name="run-1", of="me/app"):
    return obj("tidegate.dev/v1alpha1", "WorkflowRun", name, {"repository": of}, status)


class Announced:
    """Changes come as the engine brings them: to the trigger of their kind, with all ImageRepositories."""

    def __init__(self, told=()):
        self.signals = Signals(told)
        self.repositories = [repository(), repository("other", "ghcr.io/me/other")]
        for one in (policy(), policy("other", "other"), automation({"observedPolicies": {"web": {}}})):
            self.change(one)

    def change(self, changed):
        """Which images are woken by a change."""
        woken = []
        for trigger in self.signals.triggers():
            if trigger.kind == changed["kind"]:
                trigger.relevant(changed)
                woken += [key.name for key in trigger.wakes(changed, self.repositories)]
        return woken

    def delete(self, gone):
        self.change({name: gone[name] for name in ("apiVersion", "kind", "metadata")})

    def announced(self, image=IMAGE):
        return [(signal.reason, signal.words) for signal in self.signals.of(KEY, image)]


@pytest.fixture
def way():
    return Announced()


@pytest.fixture
def clock():
    return ManualClock()


def test_a_commit_of_the_policy_s_source_announces_a_tag(way):
    assert way.announced() == []
    assert way.change(source()) == ["web"]
    assert way.announced() == [("NewCommit", f"GitRepository/flux-system/app has the commit {COMMIT[:12]}")]


def test_a_commit_of_the_automation_announces_none(way):
    way.change(source())
    way.change(automation({"lastPushCommit": COMMIT}))
    assert way.announced() == []


def test_a_commit_of_an_automation_of_another_source_announces_none_until_it_pushes_again(way):
    """Several sources may name one repository, each with an automation of its own."""
    other = automation({"lastPushCommit": COMMIT, "observedPolicies": {"other": {}}}, source="same-repository")
    other["metadata"]["name"] = "other"
    way.change(other)
    way.change(source())
    assert way.announced() == []
    way.change(other | {"status": other["status"] | {"lastPushCommit": "d" * 40}})
    assert way.announced() == [("NewCommit", f"GitRepository/flux-system/app has the commit {COMMIT[:12]}")]


def test_a_commit_that_starts_no_build_announces_none_and_ends_no_expectation(way):
    assert way.change(source(builds="nothing")) == []
    assert way.announced() == []
    assert way.change(source(builds=".github/workflows/ci.yaml")) == ["web"]
    words = f"GitRepository/flux-system/app has the commit {COMMIT[:12]}, which starts .github/workflows/ci.yaml"
    assert way.announced() == [("NewCommit", words)]
    assert way.change(source(commit="d" * 40, builds="nothing")) == []
    assert way.announced() == [("NewCommit", words)]


def test_a_commit_of_another_source_announces_none(way):
    way.change(automation(source="elsewhere"))
    assert way.change(source()) == []
    assert way.announced() == []


def test_without_a_look_of_the_automation_all_images_of_its_namespace_are_its_own(way):
    way.change(automation())
    assert way.change(source()) == ["web", "other"]


def test_a_run_of_the_source_s_repository_announces_a_tag_while_it_goes_on_and_when_it_has_ended_well(way):
    way.change(source(since=None))
    assert way.change(run({"status": "queued"})) == ["web"]
    assert way.announced() == [("RunUnderWay", "WorkflowRun/flux-system/run-1 is under way")]
    ended = {"status": "completed", "startedAt": "2026-01-15T12:00:00Z", "completedAt": "2026-01-15T12:05:00Z"}
    way.change(run(ended | {"conclusion": "success"}))
    assert way.announced() == [("RunEnded", "WorkflowRun/flux-system/run-1 has ended")]
    way.change(run(ended | {"conclusion": "failure"}))
    assert way.announced() == []


@pytest.mark.parametrize("of", ["me/another-app", "someone/app", "pp"])
def test_a_run_of_another_repository_announces_none(way, of):
    way.change(source(since=None))
    assert way.change(run({"status": "in_progress"}, of=of)) == []
    assert way.announced() == []


def test_what_was_deleted_announces_nothing_more(way):
    way.change(source(since=None))
    way.change(run({"status": "in_progress"}))
    way.delete(run({}))
    assert way.announced() == []
    way.change(source())
    way.delete(policy())
    assert way.announced() == []


def test_where_the_registry_tells_by_itself_nothing_is_expected():
    way = Announced(told=["ghcr.io"])
    assert way.change(source()) == []
    assert way.announced() == []


def test_malformed_objects_keep_no_other_from_being_found(way):
    way.change(automation() | {"spec": {"sourceRef": "x"}, "metadata": {"name": "odd", "namespace": "flux-system"}})
    way.change(source(commit="d" * 40, since="yesterday") | {"spec": {"url": 1}})
    assert way.announced() == []
    assert way.change(source()) == ["web"]


def test_the_scan_says_what_it_expects_and_until_when(way, clock):
    way.change(source())
    spec, expectations = ImageRepository.from_object(repository()), Expectations(way.signals)
    following = expectations.next_scan(spec, "1", "1", clock.now())
    assert following.delay == 5
    expecting = following.conditions[0]
    assert (expecting.type, expecting.status, expecting.reason) == ("Expecting", "True", "NewCommit")
    assert "a tag is expected until 2026-01-15T12:15:00Z" in expecting.message
    assert "GitRepository/flux-system/app has the commit" in expecting.message


async def test_once_the_tag_has_come_and_settled_the_interval_holds_again(way, clock):
    way.change(source())
    spec, expectations = ImageRepository.from_object(repository()), Expectations(way.signals)
    assert expectations.next_scan(spec, "1", "1", clock.now()).delay == 5
    await clock.advance(10)
    assert expectations.next_scan(spec, "1", "2", clock.now()).delay == 5
    await clock.advance(29)
    assert expectations.next_scan(spec, "2", "2", clock.now()).delay == 5
    await clock.advance(1)
    following = expectations.next_scan(spec, "2", "2", clock.now())
    assert (following.delay, following.conditions) == (600, ())


async def test_images_of_one_host_share_what_it_is_asked(way, clock):
    way.change(automation())
    way.change(source())
    expectations = Expectations(way.signals)
    delays = []
    for number in range(20):
        way.repositories.append(repository(f"web-{number}"))
        way.change(policy(f"web-{number}", f"web-{number}"))
        spec = ImageRepository.from_object(way.repositories[-1])
        delays.append(expectations.next_scan(spec, "1", "1", clock.now()).delay)
    assert delays == [*([5] * 5), *range(6, 21)]


async def test_a_scan_that_finds_nothing_yet_comes_again_soon(world):
    await world.create(interval="1h")
    signals = world.controller.triggers
    for changed in (policy(), automation(), source(since="2026-01-15T12:00:30Z")):
        for trigger in signals:
            if trigger.kind == changed["kind"]:
                trigger.wakes(changed, [])
    outcome = await world.scan("1.0.0")
    assert outcome.requeue_after == 5
    assert find((await world.status())["conditions"], "Expecting")["status"] == "True"
