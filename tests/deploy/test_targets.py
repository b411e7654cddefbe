"""Which fields a home does, and where a Kustomization says that it is applied."""

import httpx2
import pytest
from tests.kube.conftest import Server, ok, status

from tidegate.base.errors import Denied, InvalidInput, NotFound
from tidegate.deploy.cluster_targets import KEPT, ClusterTargets
from tidegate.deploy.controller import KustomizationController
from tidegate.deploy.fields import ELSEWHERE, SUPPORTED, unsupported
from tidegate.deploy.target import AccountGone, KubeConfigSecret, Target, target_of
from tidegate.engine.events import EventRecorder
from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.outcome import Context, Stalled
from tidegate.engine.sqlite_store import SqliteStore
from tidegate.kube.access import plain
from tidegate.kube.client import KubeClient
from tidegate.kube.discovery import Discovery
from tidegate.kube.pacing import Limits
from tidegate.runtime.local import LocalWorkloads

SECRET = KubeConfigSecret("edge")
CONFIG = """
clusters: [{name: c, cluster: {server: "http://edge.test:6443"}}]
users: [{name: u, user: {token: t, as: somebody, as-groups: [g]}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


def an_object(**spec):
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "team"},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"path": "./x", "wait": True, "dependsOn": [{"name": "a"}]}, []),
        ({"serviceAccountName": "deployer", "kubeConfig": {}}, ["kubeConfig", "serviceAccountName"]),
        ({"decryption": {}, "healthCheckExprs": [], "ignore": "x"}, ["decryption", "healthCheckExprs", "ignore"]),
        ({"dependsOn": [{"name": "a"}, {"name": "b", "readyExpr": "true"}]}, ["dependsOn[1].readyExpr"]),
    ],
)
def test_a_machine_names_what_it_does_not_do(spec, named):
    assert unsupported(spec, SUPPORTED) == named


async def test_on_one_machine_nothing_is_applied_where_an_account_is_asked_for(tmp_path):
    store, clock = SqliteStore(tmp_path / "store.db", ManualClock()), ManualClock()
    controller = KustomizationController(None, LocalWorkloads(store))
    source = {"kind": "GitRepository", "name": "fleet"}
    wanted = an_object(interval="1m", prune=True, sourceRef=source, serviceAccountName="deployer")
    outcome = await controller.reconcile(wanted, Context(store, clock, EventRecorder(store, clock, controller.name)))
    store.close()
    assert outcome == Stalled("UnsupportedField", "not supported yet: spec.serviceAccountName")


def test_a_cluster_does_accounts_and_kubeconfigs_of_secrets_but_none_of_config_maps():
    fields = SUPPORTED | ELSEWHERE
    assert unsupported({"serviceAccountName": "a", "kubeConfig": {"secretRef": {"name": "b"}}}, fields) == []
    assert unsupported({"kubeConfig": {"configMapRef": {"name": "b"}}}, fields) == ["kubeConfig.configMapRef"]


def test_a_target_is_an_account_another_cluster_or_both():
    assert target_of(an_object()) is None
    assert target_of(an_object(serviceAccountName="")) is None
    account = target_of(an_object(serviceAccountName="deployer"))
    assert account.user == "system:serviceaccount:team:deployer"
    both = an_object(serviceAccountName="deployer", kubeConfig={"secretRef": {"name": "edge", "key": "admin"}})
    assert target_of(both) == Target("team", "deployer", KubeConfigSecret("edge", "admin"))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"kubeConfig": {}}, "spec.kubeConfig.secretRef"),
        ({"kubeConfig": {"secretRef": {}}}, "spec.kubeConfig.secretRef.name"),
        ({"serviceAccountName": "a:b"}, "spec.serviceAccountName"),
        ({"serviceAccountName": "a\r\nImpersonate-Group: system:masters"}, "spec.serviceAccountName"),
    ],
)
def test_a_wrong_target_names_its_field(spec, field):
    with pytest.raises(InvalidInput) as error:
        target_of(an_object(**spec))
    assert error.value.where.field == field


class Place:
    """A store, and targets whose clients all speak to `server`."""

    def __init__(self, folder):
        clock = ManualClock()
        self.store = SqliteStore(folder / "store.db", clock)
        self.server = Server(
            rest=lambda _: ok(
                {"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": []}
            )
        )
        self.made = []
        transport = httpx2.MockTransport(self.server)

        def client_of(connection):
            client = KubeClient(connection, clock=clock, transport=transport, limits=Limits(attempts=1))
            self.made.append(client)
            return client

        own = client_of(plain("http://own.test", "mine"))
        self.targets = ClusterTargets(own, Discovery(own), client_of)

    async def account(self, name):
        await self.put("ServiceAccount", name)

    async def put(self, kind, name, **fields):
        metadata = {"name": name, "namespace": "team"}
        await self.store.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}, manager="test")

    async def read(self, target):
        async with self.targets.open(target, self.store) as workloads:
            await workloads.pods("shop")
        return self.server.requests[-1]


@pytest.fixture
async def place(tmp_path):
    found = Place(tmp_path)
    async with found.targets:
        yield found
    found.store.close()


async def test_an_account_is_impersonated_by_the_controllers_credential(place):
    await place.account("deployer")
    request = await place.read(Target("team", "deployer"))
    assert request.headers["authorization"] == "Bearer mine"
    assert request.headers["impersonate-user"] == "system:serviceaccount:team:deployer"


async def test_an_account_that_is_not_there_is_said_and_nothing_is_asked(place):
    with pytest.raises(AccountGone, match="team/deployer does not exist"):
        await place.read(Target("team", "deployer"))
    assert not place.server.requests


async def test_another_cluster_is_asked_as_its_kubeconfig_says(place):
    await place.put("Secret", "edge", stringData={"value.yaml": CONFIG})
    request = await place.read(Target("team", None, SECRET))
    assert request.url.host == "edge.test"
    assert request.headers["authorization"] == "Bearer t"
    assert request.headers["impersonate-user"] == "somebody"


async def test_an_account_of_another_cluster_takes_the_place_of_whom_its_kubeconfig_acts_as(place):
    await place.put("Secret", "edge", stringData={"value": CONFIG})
    request = await place.read(Target("team", "deployer", SECRET))
    assert request.url.host == "edge.test"
    assert request.headers["impersonate-user"] == "system:serviceaccount:team:deployer"
    assert "impersonate-group" not in request.headers


async def test_the_entry_that_is_named_counts_alone(place):
    await place.put("Secret", "edge", stringData={"value": CONFIG})
    with pytest.raises(InvalidInput, match="team/edge has no kubeconfig: no entry admin"):
        await place.read(Target("team", None, KubeConfigSecret("edge", "admin")))
    with pytest.raises(NotFound, match="the Secret team/none does not exist"):
        await place.read(Target("team", None, KubeConfigSecret("none")))


async def test_a_kubeconfig_that_would_start_a_program_is_refused_by_its_field(place):
    config = CONFIG.replace("token: t", "exec: {command: touch, apiVersion: client.authentication.k8s.io/v1}")
    await place.put("Secret", "edge", stringData={"value": config})
    with pytest.raises(InvalidInput, match="exec is not taken from a kubeconfig of a Secret") as error:
        await place.read(Target("team", None, SECRET))
    assert str(error.value.where).startswith("the Secret team/edge:")
    assert error.value.where.field == "users[0].user.exec"


async def test_a_missing_right_of_an_account_is_told_with_what_to_do(place):
    await place.account("deployer")
    words = 'pods is forbidden: User "system:serviceaccount:team:deployer" cannot list resource "pods"'
    place.server.rest = status(403, "Forbidden", words)
    with pytest.raises(Denied, match="cannot list resource") as error:
        await place.read(Target("team", "deployer"))
    assert "ServiceAccount team/deployer that right" in error.value.remedy


async def test_few_clients_are_kept_and_none_that_is_used_is_closed(place):
    names = [f"account-{number}" for number in range(KEPT + 3)]
    for name in names:
        await place.account(name)
    async with place.targets.open(Target("team", names[0]), place.store) as first:
        for name in names[1:]:
            await place.read(Target("team", name))
        await first.pods("shop")
    made = len(place.made)
    await place.read(Target("team", names[0]))
    await place.read(Target("team", names[-1]))
    assert len(place.made) == made
    await place.read(Target("team", names[1]))
    assert len(place.made) == made + 1
