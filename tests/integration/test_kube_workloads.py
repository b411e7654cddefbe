"""KubeWorkloads keeps the Workloads port's contract, and Flux's rules where a real API server has more to say."""

import copy
import json

import pytest
from tests.contracts.store import config_map
from tests.contracts.workloads import FLUX, SETTINGS, WorkloadsContract, web
from tests.integration.kube_homes import api_server, definition, our_door

from tidegate.base.errors import InvalidInput, NotFound, TidegateError, Unavailable
from tidegate.kinds.objects import key_of
from tidegate.kube.store import KubeStore
from tidegate.kube.workloads import KubeWorkloads

pytestmark = pytest.mark.integration


class KubeWorkloadsContract(WorkloadsContract):
    @pytest.fixture
    def workloads(self, client):
        return KubeWorkloads(client)

    @pytest.fixture
    def others(self, client):
        return KubeStore(client)

    async def test_what_stands_costs_one_read_each_and_no_write(self, client, workloads):
        objects = [config_map({"a": "1"}), web()]
        for obj in objects:
            await workloads.apply(obj, manager=FLUX)
        client.methods.clear()
        for obj in objects:
            await workloads.apply(obj, manager=FLUX)
        assert client.methods == ["GET", "GET"]

    async def test_after_a_restart_what_stands_is_known_by_what_the_api_says_of_it(self, client, workloads):
        await workloads.apply(config_map({"a": "1"}, labels={"x": "y"}), manager=FLUX)
        client.methods.clear()
        await KubeWorkloads(client, discovery=workloads._discovery).apply(
            config_map({"a": "1"}, labels={"x": "y"}), manager=FLUX
        )
        assert client.methods == ["GET"]


class TestAtOurDoor(KubeWorkloadsContract):
    @pytest.fixture
    async def client(self, tmp_path):
        async with our_door(tmp_path) as client:
            yield client


@pytest.fixture
async def at_server(cluster):
    async with api_server(cluster) as client:
        yield client


class TestAtTheApiServer(KubeWorkloadsContract):
    @pytest.fixture
    def client(self, at_server):
        return at_server


class TestFluxRules:
    @pytest.fixture
    def workloads(self, at_server):
        return KubeWorkloads(at_server)

    async def test_a_fixed_field_is_an_error_that_says_what_to_do(self, workloads):
        await workloads.apply(web(), manager=FLUX)
        with pytest.raises(InvalidInput) as error:
            await workloads.apply(selecting("other"), manager=FLUX)
        assert error.value.code == "Immutable"
        assert "spec.force" in error.value.remedy

    async def test_with_force_an_object_with_a_changed_fixed_field_is_made_anew(self, workloads):
        first = await workloads.apply(web(), manager=FLUX)
        applied = await workloads.apply(selecting("other"), manager=FLUX, force=True)
        assert (applied.created, applied.changed) == (True, True)
        assert applied.object["metadata"]["uid"] != first.object["metadata"]["uid"]

    async def test_the_annotation_forces_as_the_spec_does(self, workloads):
        await workloads.apply(web(), manager=FLUX)
        wanted = selecting("other")
        wanted["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/force": "enabled"}
        assert (await workloads.apply(wanted, manager=FLUX)).created

    async def test_a_definition_can_be_used_at_once(self, cluster, workloads):
        plural = cluster.unique("gates").replace("-", "")
        crd = definition("Gate", plural, ("v1alpha1",), f"{plural}.example.com")
        gate = {
            "apiVersion": f"{plural}.example.com/v1alpha1",
            "kind": "Gate",
            "metadata": {"name": "one", "namespace": "web"},
            "spec": {"open": True, "sides": [1, 2], "of": {"a": "b"}},
        }
        with pytest.raises(NotFound, match="serves no kind Gate"):
            await workloads.apply(gate, manager=FLUX)
        assert (await workloads.apply(crd, manager=FLUX)).created
        assert (await workloads.apply(gate, manager=FLUX)).created
        assert not (await workloads.apply(gate, manager=FLUX)).changed
        assert (await workloads.get(key_of(gate)))["spec"]["open"] is True

    async def test_what_kubectl_added_is_undone(self, cluster, workloads):
        await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        await cluster.kubectl("annotate", "configmap/settings", "-n", "web", "by=hand")
        applied = await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        assert applied.changed
        assert not applied.object["metadata"].get("annotations")
        assert not (await workloads.apply(config_map({"a": "1"}), manager=FLUX)).changed

    async def test_what_kubectl_added_stays_where_the_object_says_merge(self, cluster, workloads):
        wanted = config_map({"a": "1"}, annotations={"kustomize.toolkit.fluxcd.io/ssa": "Merge"})
        await workloads.apply(wanted, manager=FLUX)
        await cluster.kubectl("annotate", "configmap/settings", "-n", "web", "by=hand")
        applied = await workloads.apply(wanted, manager=FLUX)
        assert not applied.changed
        assert applied.object["metadata"]["annotations"]["by"] == "hand"

    async def test_what_kubectl_applied_before_becomes_ours(self, cluster, workloads):
        await cluster.kubectl("apply", "-f", "-", stdin=json.dumps(config_map({"a": "0", "old": "x"})))
        applied = await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        assert applied.object["data"] == {"a": "1"}

    @pytest.mark.parametrize("wish", ["IfNotPresent", "Ignore"])
    async def test_an_object_that_is_there_is_left_alone_where_it_says_so(self, workloads, wish):
        wanted = config_map({"a": "1"}, annotations={"kustomize.toolkit.fluxcd.io/ssa": wish})
        await workloads.apply(wanted, manager=FLUX)
        applied = await workloads.apply(wanted | {"data": {"a": "2"}}, manager=FLUX)
        assert not applied.changed
        assert (await workloads.get(SETTINGS))["data"] == {"a": "1"}

    async def test_a_secrets_texts_are_written_once(self, at_server, workloads):
        secret = config_map({}, name="key") | {"kind": "Secret", "stringData": {"word": "open"}}
        del secret["data"]
        first = await workloads.apply(secret, manager=FLUX)
        assert first.object["data"] == {"word": "b3Blbg=="}
        at_server.methods.clear()
        assert not (await KubeWorkloads(at_server, discovery=workloads._discovery).apply(secret, manager=FLUX)).changed
        assert at_server.methods == ["GET"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"data": ["HIDDEN-1"]},
            {"data": {"word": {"deep": "HIDDEN-1"}}},
            {"data": {"word": "HIDDEN-1"}},
            {"data": {"word": 4711}, "immutable": "HIDDEN-1"},
            {"stringData": {"bad key!": "HIDDEN-1"}},
            {"stringData": {"word": ["HIDDEN-1"]}},
            {"data": {".dockerconfigjson": "HIDDEN-1"}, "type": "kubernetes.io/dockerconfigjson"},
        ],
    )
    async def test_a_secret_that_is_refused_is_not_told(self, workloads, fields):
        secret = config_map({}, name="key") | {"kind": "Secret"}
        del secret["data"]
        with pytest.raises(TidegateError) as error:
            await workloads.apply(secret | fields, manager=FLUX)
        assert "HIDDEN" not in error.value.explain() + repr(error.value)
        assert "4711" not in error.value.explain()

    async def test_an_object_that_is_being_deleted_waits(self, cluster, workloads):
        await workloads.apply(config_map({"a": "1"}, finalizers=["example.com/hold"]), manager=FLUX)
        await workloads.delete(SETTINGS)
        with pytest.raises(Unavailable, match="being deleted"):
            await workloads.apply(config_map({"a": "1"}), manager=FLUX)
        await cluster.merge("/api/v1/namespaces/web/configmaps/settings", {"metadata": {"finalizers": None}})

    async def test_a_namespaced_object_needs_a_namespace(self, workloads):
        wanted = config_map({"a": "1"})
        del wanted["metadata"]["namespace"]
        with pytest.raises(InvalidInput, match="needs a namespace") as error:
            await workloads.apply(wanted, manager=FLUX)
        assert error.value.where.field == "metadata.namespace"

    async def test_a_cluster_scoped_object_loses_its_namespace(self, cluster, workloads):
        name = cluster.unique("viewer")
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name, "namespace": "web"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        }
        assert (await workloads.apply(role, manager=FLUX)).created
        assert (await workloads.get(key_of(role)))["metadata"]["name"] == name
        await workloads.delete(key_of(role))


def selecting(app):
    wanted = copy.deepcopy(web())
    wanted["spec"]["selector"]["matchLabels"] = {"app": app}
    wanted["spec"]["template"]["metadata"]["labels"] = {"app": app}
    return wanted
