import pytest

from tidegate.base.files import MemoryFiles
from tidegate.serve.bootstrap import bootstrap, names_root_source, runner_name

PATHS = ["README.md", "clusters/my-cluster/flux-system/image-automation.yaml", "clusters/README.md", "apps/a.yaml"]


TAKEN = "https://github.com/acme/other"


def made(paths, **more):
    return bootstrap("acme", "shop", url="https://github.com/acme/shop", branch="main", paths=paths, **more)


def kinds(found):
    return [(obj["kind"], obj["metadata"]["name"]) for obj in found.objects]


def test_a_repository_with_one_cluster_is_deployed_from_it():
    found = made(PATHS)
    assert kinds(found) == [
        ("Runner", "acme-shop"),
        ("GitRepository", "flux-system"),
        ("Kustomization", "flux-system"),
    ]
    assert found.objects[1]["spec"]["url"] == "https://github.com/acme/shop"
    assert found.objects[2]["spec"]["path"] == "./clusters/my-cluster"


def test_with_several_clusters_nothing_is_deployed_and_the_pusher_is_asked():
    found = made([*PATHS, "clusters/other/a.yaml"])
    assert kinds(found) == [("Runner", "acme-shop"), ("GitRepository", "flux-system")]
    assert "--path" in found.lines[0]
    marks = found.objects[0]["metadata"]["annotations"]
    assert marks["tidegate.dev/not-deployed"].startswith("SeveralPaths: which of clusters/my-cluster, clusters/other?")
    assert "clusters/my-cluster, clusters/other" in found.lines[0]


def test_without_a_cluster_only_workflows_run_and_the_pusher_hears_what_to_do():
    found = made(["README.md"])
    assert kinds(found) == [("Runner", "acme-shop")]
    assert "--path FOLDER, or create a Kustomization" in found.lines[0]
    assert found.objects[0]["metadata"]["annotations"]["tidegate.dev/not-deployed"].startswith("NoFolder: ")


def test_where_a_source_is_fetched_from_and_what_is_applied_is_kept_against_what_git_says():
    _, source, sync = made(PATHS).objects
    assert source["metadata"]["annotations"]["tidegate.dev/keep"] == "url+secretRef+proxySecretRef+provider,ref"
    assert sync["metadata"]["annotations"]["tidegate.dev/keep"] == "path,sourceRef"


def test_a_second_repository_is_deployed_under_a_name_of_its_own():
    found = made(PATHS, taken_by=TAKEN)
    assert kinds(found) == [("Runner", "acme-shop"), ("GitRepository", "acme-shop"), ("Kustomization", "acme-shop")]
    assert found.objects[2]["spec"]["sourceRef"]["name"] == "acme-shop"
    assert found.lines == ("deploying clusters/my-cluster from main by the Kustomization acme-shop",)


def test_a_second_repository_that_means_itself_by_the_first_ones_name_is_not_deployed_and_told_why():
    found = made(PATHS, taken_by=TAKEN, names_root=lambda: True)
    assert kinds(found) == [("Runner", "acme-shop")]
    assert f"the GitRepository flux-system as its source, which is {TAKEN} here" in found.lines[0]
    assert found.objects[0]["metadata"]["annotations"]["tidegate.dev/not-deployed"].startswith("NameTaken: ")


def test_a_path_said_for_the_first_repository_means_no_folder_of_the_second():
    found = made(PATHS, taken_by=TAKEN, path="deploy/prod")
    assert found.objects[2]["spec"]["path"] == "./clusters/my-cluster"


SOURCE = b"apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: flux-system}\n"
SYNC = b"kind: Kustomization\nspec: {sourceRef: {kind: GitRepository, name: flux-system}}\n"
OTHER = b"kind: GitRepository\nmetadata: {name: shop, namespace: flux-system}\n"


@pytest.mark.parametrize(
    ("manifest", "answer"), [(SOURCE, True), (SYNC, True), (OTHER, False), (b"flux-system: [GitRepository", False)]
)
def test_manifests_that_name_the_root_source_are_known(manifest, answer):
    assert names_root_source(MemoryFiles({"clusters/a/x.yaml": manifest})) is answer


def test_a_runner_has_a_name_that_kubernetes_allows():
    assert runner_name("Acme_Inc", "My.Shop") == "acme-inc-my-shop"
