"""A remote over smart HTTP, the objects that update it, the controller, and a person who pushes to it too."""

import base64

from tests.integration.git_host import PASSWORD, USER

from tidegate.engine.events import EventRecorder
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Ready, Stalled
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.engine.status import status_patch
from tidegate.git.mirror import Mirrors
from tidegate.git.origins import Origins
from tidegate.kinds.objects import ObjectKey
from tidegate.update.controller import ImageUpdateAutomationController

SPACE = "flux-system"
IMAGE = "image.toolkit.fluxcd.io"
SOURCE = "source.toolkit.fluxcd.io"
AUTOMATION = ObjectKey(IMAGE, "ImageUpdateAutomation", SPACE, "auto")


class UpdateWorld:
    """One automation, `auto`, of all files of the branch `main`; policies are selected by hand."""

    def __init__(self, host, folder, store=None, start=None):
        self.host, self.folder = host, folder
        self.clock = ManualClock(start) if start else ManualClock()
        self.store = store or SqliteStore(folder / "objects.db", self.clock)
        self.context = Context(self.store, self.clock, EventRecorder(self.store, self.clock, "test"))
        self.restart()

    def restart(self):
        """A controller that knows nothing but what is stored."""
        origins = Origins(Mirrors(self.folder / "mirrors"), lambda _: None, None)
        self.updates = ImageUpdateAutomationController(origins, no_revision)

    async def make(self, files, annotations=None, push=None, **spec):
        self.host.commit("Begin", files)
        given = {"username": USER, "password": PASSWORD}
        data = {name: base64.b64encode(value.encode()).decode() for name, value in given.items()}
        await self.create("v1", "Secret", "push", None, data=data)
        source = {"url": self.host.url, "interval": "10m", "ref": {"branch": "main"}, "secretRef": {"name": "push"}}
        await self.create(f"{SOURCE}/v1", "GitRepository", "cluster", source)
        git = {"commit": {"author": {"name": "Gate", "email": "gate@example.com"}}} | ({"push": push} if push else {})
        spec = {"interval": "10m", "sourceRef": {"kind": "GitRepository", "name": "cluster"}, "git": git} | spec
        await self.create(f"{IMAGE}/v1", "ImageUpdateAutomation", "auto", spec, annotations=annotations)

    async def create(self, api_version, kind, name, spec, *, namespace=SPACE, annotations=None, **rest):
        metadata = {"name": name, "namespace": namespace} | ({"annotations": annotations} if annotations else {})
        obj = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
        await self.store.create(obj | ({"spec": spec} if spec else {}), manager="test")

    async def select(self, name, tag, namespace=SPACE, annotations=None):
        """Have the policy select a tag of its image; made where it is not there."""
        key = ObjectKey(IMAGE, "ImagePolicy", namespace, name)
        if all(obj["metadata"]["name"] != name for obj in (await self.policies(namespace))):
            spec = {"imageRepositoryRef": {"name": name}, "policy": {"semver": {"range": ">=1.0.0"}}}
            await self.create(f"{IMAGE}/v1", "ImagePolicy", name, spec, namespace=namespace, annotations=annotations)
        latest = {"latestRef": {"name": f"registry.test/{name}", "tag": tag}}
        await self.store.patch_status(key, latest, manager="test")

    async def policies(self, namespace):
        return (await self.store.list(IMAGE, "ImagePolicy", namespace=namespace)).items

    async def annotate(self, **annotations):
        """Annotations under `tidegate.dev/` of the automation (`respect_rollback` → respect-rollback)."""
        named = {f"tidegate.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
        await self.store.patch(AUTOMATION, {"metadata": {"annotations": named}}, manager="test")

    async def ask(self, moment):
        """What `tidegate reconcile` does."""
        patch = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": moment}}}
        await self.store.patch(AUTOMATION, patch, manager="test")

    async def reconcile(self):
        """Once, as the manager does it, with the status written."""
        obj = await self.store.get(AUTOMATION)
        outcome = await self.updates.reconcile(obj, self.context)
        if isinstance(outcome, Ready | Stalled):
            now = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            await self.store.patch_status(AUTOMATION, status_patch(obj, outcome, now), manager="test")
        return outcome

    async def condition(self, kind):
        """A condition of the automation as it is stored; None where it has none."""
        conditions = (await self.store.get(AUTOMATION))["status"]["conditions"]
        return next((one for one in conditions if one["type"] == kind), None)

    async def events(self, reason):
        """The messages of the automation's events of a reason."""
        events = (await self.store.list("", "Event")).items
        return [event["message"] for event in events if event["reason"] == reason]

    def show(self, path, ref="main"):
        return self.host.git("show", f"{ref}:{path}")

    def commits(self):
        """The authors of the branch's commits, newest first."""
        return self.host.git("log", "--format=%an", "main").splitlines()


def marked(name, tag, part="", namespace=SPACE):
    """A manifest's line with a marker; `part` as in `:tag`."""
    value = tag if part == ":tag" else f"registry.test/{name}:{tag}"
    return f'image: {value} # {{"$imagepolicy": "{namespace}:{name}{part}"}}\n'


async def no_revision(_access, _image):
    return None
