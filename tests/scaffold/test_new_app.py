"""The five steps on repositories that are there: by their own ways, only what is missing, and lint is content."""

import pytest
from tests.scaffold.worlds import FLUX, NEW, SYNC, added, after, example

from tidegate.base.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from tidegate.base.files import MemoryFiles
from tidegate.base.yaml import load_documents
from tidegate.scaffold.new_app import plan_app
from tidegate.scaffold.wish import Wish

WORKFLOW = ".github/workflows/web-ci.yaml"
DEPLOYMENT = "apps/web/deployment.yaml"
OLD_WORKFLOW = """\
name: Web
on:
  push:
    branches: [main]
    paths:
      - 'apps/web/**'
      - '.github/workflows/web-ci.yaml'
permissions: {contents: read, packages: write}
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: docker/build-push-action@v5
        with:
          push: true
          tags: ghcr.io/seadavdic/web:TAG
"""
OLD_DEPLOYMENT = """\
# mine
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
    selector: {matchLabels: {app: web}}
    template:
        metadata: {labels: {app: web}}
        spec:
            containers:
            -   name: web
                image:   "ghcr.io/seadavdic/web:0.9"
                ports: [{containerPort: 80}]
            -   {name: side, image: busybox}
"""

APPLIED = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: NAME, namespace: flux-system}
spec:
  interval: 10m
  path: PATH
  prune: true
  sourceRef: {kind: GitRepository, name: flux-system}
"""


def objects(content: bytes) -> list[dict]:
    return [document.value for document in load_documents(content, file="")]


def there(deployment: str = OLD_DEPLOYMENT, tag: str = "1.0.${{ github.run_number }}") -> dict[str, bytes]:
    """The example, and an application that nothing updates yet."""
    more = {DEPLOYMENT: deployment, "apps/web/Dockerfile": "FROM scratch\n", WORKFLOW: OLD_WORKFLOW.replace("TAG", tag)}
    return example() | {path: text.encode() for path, text in more.items()}


def test_an_application_is_added_by_the_ways_of_the_repository():
    files = example()
    plan, result = after(files, Wish("web"))
    assert sorted(plan.files) == [
        WORKFLOW, "apps/web/Dockerfile", DEPLOYMENT, "apps/web/kustomization.yaml", "apps/web/main.py",
        "apps/web/namespace.yaml", "apps/web/service.yaml", FLUX, NEW,
    ]  # fmt: skip
    assert result[FLUX] == files[FLUX].replace(b"./apps/smartbiz-api\n", b"./apps\n")
    repository, policy, applied = objects(result[NEW])
    assert repository["apiVersion"] == policy["apiVersion"] == "image.toolkit.fluxcd.io/v1beta2"
    assert repository["spec"]["image"] == "ghcr.io/seadavdic/web"
    assert policy["spec"] == {"imageRepositoryRef": {"name": "web"}, "policy": {"semver": {"range": ">=1.0.0"}}}
    assert applied["spec"]["path"] == "./apps/web"
    assert b'image: ghcr.io/seadavdic/web:1.0.0 # {"$imagepolicy": "flux-system:web"}\n' in result[DEPLOYMENT]
    workflow = result[WORKFLOW].decode()
    assert "docker/build-push-action@v5\n" in workflow
    assert "platforms: linux/arm/v7,linux/arm64,linux/amd64\n" in workflow
    assert [finding.rule.id for finding in plan.warnings] == ["removed-version"] * 2


def test_what_an_automation_writes_does_not_start_the_new_workflow():
    _, result = after(example(), Wish("web"))
    (workflow,) = objects(result[WORKFLOW].replace(b"on:", b"event:"))
    paths = workflow["event"]["push"]["paths"]
    assert paths[0] == "apps/web/**"
    assert "!apps/web/deployment.yaml" in paths
    assert paths[-1] == WORKFLOW


def test_a_second_time_nothing_is_left_to_do():
    _, result = after(example(), Wish("web"))
    assert plan_app(MemoryFiles(result), Wish("web")).files == {}


def test_an_automation_of_its_own_commits_as_the_others_do():
    files = example()
    plan, result = after(files, Wish("web", own_automation=True))
    assert FLUX not in plan.files
    automation = objects(result[NEW])[2]
    (other,) = [one for one in objects(files[FLUX]) if one["kind"] == "ImageUpdateAutomation"]
    assert automation["spec"]["update"]["path"] == "./apps/web"
    assert automation["spec"]["git"]["push"] == other["spec"]["git"]["push"]
    assert automation["spec"]["git"]["commit"]["author"] == other["spec"]["git"]["commit"]["author"]


def test_where_an_automation_writes_it_already_none_is_added_and_that_is_told():
    files = example()
    files[FLUX] = files[FLUX].replace(b"./apps/smartbiz-api\n", b"./apps\n")
    plan, result = after(files, Wish("web", own_automation=True))
    assert "ImageUpdateAutomation" not in [one["kind"] for one in objects(result[NEW])]
    assert plan.notes == ["an automation writes apps/web/deployment.yaml already, so none of its own is added"]


def test_a_path_is_not_widened_over_what_another_automation_writes():
    _, result = after(example(), Wish("web", own_automation=True))
    plan, result = after(result, Wish("third"))
    assert FLUX not in plan.files
    assert NEW not in plan.files
    assert "ImageUpdateAutomation" in [one["kind"] for one in objects(result[NEW.replace("web", "third")])]


def test_of_an_application_that_is_there_only_the_marker_and_the_loop_change():
    files = there()
    plan, result = after(files, Wish("web"))
    assert plan.created == {NEW}
    assert plan.files.keys() == {NEW, FLUX, DEPLOYMENT, WORKFLOW}
    line = b'image:   "ghcr.io/seadavdic/web:0.9"'
    assert result[DEPLOYMENT] == files[DEPLOYMENT].replace(line, line + b' # {"$imagepolicy": "flux-system:web"}')
    assert added(files[WORKFLOW], result[WORKFLOW]) == ["      - '!apps/web/deployment.yaml'\n"]


@pytest.mark.parametrize(
    ("tag", "rule"),
    [
        ("1.0.${{ github.run_number }}", {"policy": {"semver": {"range": ">=1.0.0"}}}),
        ("v0.3.${{ github.run_number }}", {"policy": {"semver": {"range": ">=0.0.0"}}}),
        (
            "${{ github.run_number }}",
            {"filterTags": {"pattern": "^[0-9]+$"}, "policy": {"numerical": {"order": "asc"}}},
        ),
        (
            "main-${{ github.sha }}-${{ github.run_number }}",
            {
                "filterTags": {"pattern": "^.+-[0-9a-f]{7,40}-(?P<number>[0-9]+)$", "extract": "$number"},
                "policy": {"numerical": {"order": "asc"}},
            },
        ),
    ],
)
def test_the_policy_may_select_what_the_workflow_that_is_there_makes(tag, rule):
    _, result = after(there(tag=tag), Wish("web"))
    spec = objects(result[NEW])[1]["spec"]
    assert spec == {"imageRepositoryRef": {"name": "web"}, **rule}


def test_tags_that_no_policy_can_order_are_refused_with_lints_finding():
    with pytest.raises(InvalidInput, match=r"(?s)nothing is written.*latest is no semantic version.*never-matches"):
        plan_app(MemoryFiles(there(tag="latest")), Wish("web"))


def test_a_marker_that_is_there_says_the_policys_name():
    marked = OLD_DEPLOYMENT.replace('0.9"', '0.9" # {"$imagepolicy": "flux-system:shop-web"}')
    files = there(marked)
    plan, result = after(files, Wish("web"))
    assert DEPLOYMENT not in plan.files
    assert objects(result[NEW])[1]["metadata"]["name"] == "shop-web"


@pytest.mark.parametrize(
    "image", ['"ghcr.io/seadavdic/web:0.9" # pinned', "ghcr.io/seadavdic/web:0.9 # x"], ids=["quoted", "plain"]
)
def test_a_comment_behind_the_image_is_not_touched_but_told(image):
    with pytest.raises(InvalidInput, match=r"apps/web/deployment.yaml:12:26: something stands behind this image"):
        plan_app(MemoryFiles(there(OLD_DEPLOYMENT.replace('"ghcr.io/seadavdic/web:0.9"', image))), Wish("web"))


def test_several_images_need_a_word_which_one_is_meant():
    two = OLD_DEPLOYMENT.replace("web:0.9", "front:1").replace("busybox", "ghcr.io/seadavdic/back:1")
    with pytest.raises(InvalidInput, match=r"can't be told: .*front:1 .*back:1 .*"):
        plan_app(MemoryFiles(there(two)), Wish("web"))
    with pytest.raises(InvalidInput, match=r"runs .*, not ghcr.io/x/y"):
        plan_app(MemoryFiles(there(two)), Wish("web", "ghcr.io/x/y"))
    with pytest.raises(AlreadyExists, match="says that it pushes ghcr"):
        plan_app(MemoryFiles(there(two)), Wish("web", "ghcr.io/seadavdic/front"))
    files = there(two)
    del files[WORKFLOW]
    _, result = after(files, Wish("web", "ghcr.io/seadavdic/front"))
    assert b'front:1" # {"$imagepolicy"' in result[DEPLOYMENT]


def test_a_source_elsewhere_in_the_repository_is_built_where_it_is():
    files = example() | {"services/web/app.py": b"", "services/web/requirements.txt": b"flask\n"}
    plan, result = after(files, Wish("web", source="services/web", port=5000))
    assert "services/web/Dockerfile" in plan.created
    assert "apps/web/main.py" not in result
    dockerfile = result["services/web/Dockerfile"].decode()
    assert "pip install --no-cache-dir -r requirements.txt\nCOPY . .\n" in dockerfile
    assert 'EXPOSE 5000\nUSER 1000:1000\nCMD ["python3", "app.py"]\n' in dockerfile
    assert b"containerPort: 5000\n" in result[DEPLOYMENT]
    assert b"      - 'services/web/**'\n      - '.github" in result[WORKFLOW]
    assert b"context: ./services/web\n" in result[WORKFLOW]


def test_the_root_as_source_leaves_out_what_automations_write():
    files = example() | {"Dockerfile": b"FROM scratch\nEXPOSE 9000/tcp\n"}
    _, result = after(files, Wish("web", source=""))
    assert b"- '**'\n      - '!apps/**'\n      - '!clusters/**'\n      - '!.github/**'\n" in result[WORKFLOW]
    assert b"containerPort: 9000\n" in result[DEPLOYMENT]
    assert b"context: ./\n" in result[WORKFLOW]


def test_files_that_are_brought_are_written_and_none_is_replaced():
    brought = {"main.py": b"print()\n", "run.sh": b"#!/bin/sh\n"}
    plan, result = after(example(), Wish("web", brought=brought, executable=frozenset({"run.sh"})))
    assert result["apps/web/main.py"] == b"print()\n"
    assert plan.executable == {"apps/web/run.sh"}
    files = example() | {"apps/web/main.py": b"mine\n"}
    with pytest.raises(AlreadyExists, match=r"main.py is there already"):
        plan_app(MemoryFiles(files), Wish("web", brought=brought))


def test_a_source_that_can_not_be_built_is_told():
    files = example() | {"apps/web/main.rs": b"fn main() {}\n"}
    with pytest.raises(InvalidInput, match="apps/web has no Dockerfile"):
        plan_app(MemoryFiles(files), Wish("web"))


def test_entries_come_into_the_kustomizations_that_name_the_neighbours():
    listed = b"resources:\r\n- ../smartbiz-ns.yaml # first\r\n- smartbiz-api # the api\r\n# the end\r\n"
    flux = b"resources: [gotk-sync.yaml, image-automation.yaml]"
    own = "clusters/my-cluster/flux-system/kustomization.yaml"
    files = example() | {"apps/kustomization.yaml": listed, own: flux}
    files[SYNC] = files[SYNC].replace(b"./apps/smartbiz-api", b"./apps")
    _, result = after(files, Wish("web"))
    assert result["apps/kustomization.yaml"] == listed.replace(b"api # the api\r\n", b"api # the api\r\n- web\r\n")
    assert result[own] == flux.replace(b"]", b", web.yaml]")
    assert [one["kind"] for one in objects(result[NEW])] == ["ImageRepository", "ImagePolicy"]


def test_a_neighbours_namespace_by_kustomization_is_the_new_ones_too():
    files = example()
    files[SYNC] = files[SYNC].replace(b"./apps/smartbiz-api", b"./apps\n  targetNamespace: shop")
    _, result = after(files, Wish("web"))
    assert "apps/web/namespace.yaml" not in result
    assert objects(result[DEPLOYMENT])[0]["metadata"]["namespace"] == "shop"


def test_a_policy_gets_the_labels_that_the_automation_selects_by():
    files = example()
    selector = b"  update:\n    path: ./apps\n  policySelector: {matchLabels: {team: 'one'}}\n"
    files[FLUX] = files[FLUX].replace(b"  update:\n    path: ./apps/smartbiz-api\n    strategy: Setters\n", selector)
    plan, result = after(files, Wish("web"))
    assert FLUX not in plan.files
    assert objects(result[NEW])[1]["metadata"]["labels"] == {"team": "one"}


def test_another_registry_needs_credentials_of_its_own():
    _, result = after(example(), Wish("web", "registry.example.com:5000/team/web"))
    workflow = result[WORKFLOW].decode()
    assert "REGISTRY: 'registry.example.com:5000'\n  IMAGE_NAME: team/web\n" in workflow
    assert "${{ secrets.REGISTRY_PASSWORD }}" in workflow
    assert "GITHUB_TOKEN" not in workflow


def test_several_clusters_need_a_word_which_one_is_meant():
    files = example()
    files |= {path.replace("my-cluster", "other"): text for path, text in files.items() if path.startswith("clusters/")}
    with pytest.raises(InvalidInput, match="clusters/my-cluster, clusters/other"):
        plan_app(MemoryFiles(files), Wish("web"))
    plan, _ = after(files, Wish("web", cluster="clusters/other"))
    assert not [path for path in plan.files if path.startswith("clusters/my-cluster/")]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("web", ".github/workflows/web-ci.yaml"),
        ("web", "apps/web/kustomization.yaml"),
        ("web", "apps/web/service.yaml"),
    ],
)
def test_a_persons_file_is_never_replaced(name, path):
    files = example() | {path: b"kind: Mine\n" if "workflows" not in path else b"on: push\njobs: {}\n"}
    try:
        plan = plan_app(MemoryFiles(files), Wish(name))
    except (AlreadyExists, InvalidInput):
        return
    assert path not in plan.created
    assert plan.files[path].startswith(b"kind: Mine\n")


def test_objects_of_that_name_which_are_others_are_a_conflict():
    files = example()
    files[FLUX] += b"---\n" + files[FLUX].split(b"---\n")[0].replace(b"smartbiz-api", b"web", 1)
    with pytest.raises(Conflict, match="ImageRepository flux-system/web already"):
        plan_app(MemoryFiles(files), Wish("web"))


def test_a_workload_of_another_name_in_the_folder_is_the_applications():
    files = there(OLD_DEPLOYMENT.replace("name: web, namespace", "name: front, namespace"))
    plan, result = after(files, Wish("web"))
    assert plan.files.keys() == {NEW, FLUX, DEPLOYMENT, WORKFLOW}
    assert b'web:0.9" # {"$imagepolicy": "flux-system:web"}\n' in result[DEPLOYMENT]


def test_a_tag_that_a_kustomization_sets_gets_the_marker():
    path = "apps/web/kustomization.yaml"
    listed = b"resources: [deployment.yaml]\nimages:\n- name: ghcr.io/seadavdic/web\n  newTag: '1.0.7'\n"
    files = there() | {path: listed}
    plan, result = after(files, Wish("web"))
    assert DEPLOYMENT not in plan.files
    assert result[path] == listed[:-1] + b' # {"$imagepolicy": "flux-system:web:tag"}\n'
    overlays = {f"apps/{name}/kustomization.yaml": listed for name in ("staging", "production")}
    with pytest.raises(InvalidInput, match=r"several kustomizations set the tag"):
        plan_app(MemoryFiles(files | overlays), Wish("web"))


def test_a_repository_of_flux_bootstrap_alone_gets_all_it_needs():
    folder = "clusters/pi/flux-system"
    sync = example()[SYNC].split(b"---\n")[0].replace(b"https://github.com/seadavdic", b"ssh://git@github.com/Ada")
    root = APPLIED.replace("NAME", "flux-system").replace("PATH", "./clusters/pi").encode()
    listed = b"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- gotk-sync.yaml\n"
    files = {f"{folder}/gotk-sync.yaml": sync + b"---\n" + root, f"{folder}/kustomization.yaml": listed}
    plan, result = after(files, Wish("web"))
    assert result[f"{folder}/kustomization.yaml"] == listed + b"- web.yaml\n"
    made = objects(result[f"{folder}/web.yaml"])
    assert [one["apiVersion"] for one in made[:3]] == ["image.toolkit.fluxcd.io/v1"] * 3
    assert [one["kind"] for one in made[2:]] == ["ImageUpdateAutomation", "Kustomization"]
    assert made[0]["spec"]["image"] == "ghcr.io/ada/web"
    assert made[2]["spec"]["git"]["checkout"] == {"ref": {"branch": "main"}}
    assert plan.warnings == []


def test_overlays_name_a_new_base_as_they_name_the_others():
    files = {path.replace("apps/smartbiz-api", "apps/base/smartbiz-api"): text for path, text in example().items()}
    files = {path: text.replace(b"apps/smartbiz-api", b"apps/base/smartbiz-api") for path, text in files.items()}
    overlays = [f"apps/{name}/kustomization.yaml" for name in ("production", "staging")]
    files |= dict.fromkeys(overlays, b"resources:\n  - ../base/smartbiz-api\n")
    files[SYNC] = files[SYNC].replace(b"path: ./apps/base/smartbiz-api", b"path: ./apps/staging")
    plan, result = after(files, Wish("web"))
    assert "apps/base/web/deployment.yaml" in plan.created
    for path in overlays:
        assert result[path] == files[path] + b"  - ../base/web\n"
    assert "Kustomization" not in [one["kind"] for one in objects(result[NEW])]


def test_what_lies_beside_fluxs_objects_is_applied_as_they_are():
    files = {path: text for path, text in there().items() if not path.startswith("apps/web/deployment")}
    files["clusters/my-cluster/web/deployment.yaml"] = OLD_DEPLOYMENT.encode()
    _, result = after(files, Wish("web"))
    assert "Kustomization" not in [one["kind"] for one in objects(result[NEW])]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ghcr.io/seadavdic/", b"'!x.io/seadavdic/"),
        (b"ghcr.io/seadavdic/", b"${registry}/seadavdic/"),
        (b"namespace: flux-system", b"namespace: ${where}"),
        (b"namespace: flux-system", b"namespace: '#x'"),
    ],
)
def test_what_would_mean_something_else_in_a_new_file_is_refused(old, new):
    files = example()
    quote = b"'" if new.startswith(b"'!") else b""
    files[FLUX] = files[FLUX].replace(
        old + (b"smartbiz-api" if quote else b""), new + (b"smartbiz-api'" if quote else b"")
    )
    with pytest.raises(InvalidInput):
        plan_app(MemoryFiles(files), Wish("web"))


def test_a_folder_that_would_be_an_expression_is_refused():
    files = {path.replace("apps/", "apps ${{ x }}/"): text for path, text in example().items()}
    with pytest.raises(InvalidInput, match=r"can't be written|has errors already"):
        plan_app(MemoryFiles(files), Wish("web"))


def test_a_repository_that_has_errors_is_not_added_to():
    files = example()
    workflow = ".github/workflows/smartbiz-ci.yaml"
    files[workflow] = files[workflow].replace(b"          fetch-depth: 0\n", b"          fetch-depth: 1\n")
    with pytest.raises(InvalidInput, match=r"(?s)has errors already.*shallow-count"):
        plan_app(MemoryFiles(files), Wish("web"))


def test_a_repository_without_flux_is_told_about_init():
    with pytest.raises(NotFound) as raised:
        plan_app(MemoryFiles({"README.md": b""}), Wish("web"))
    assert "tidegate init" in str(raised.value.remedy)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Web",
        "-web",
        "web-",
        "1web",
        "../web",
        "web/x",
        "we b",
        "wéb",
        "web\n",
        "a" * 64,
        "flux-system",
        "kube-x",
        "default",
    ],
)
def test_a_name_that_can_not_be_one_is_refused(name):
    with pytest.raises(InvalidInput, match="name"):
        plan_app(MemoryFiles(example()), Wish(name))


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (Wish("web", "ghcr.io/me/web:1"), "has a tag"),
        (Wish("web", "ghcr.io/Me/web"), "no image reference"),
        (Wish("web", "ghcr.io/me/web@sha256:" + "0" * 64), "has a tag"),
        (Wish("web", port=0), "no port"),
        (Wish("web", port=65536), "no port"),
        (Wish("web", source="../elsewhere"), "can't be written"),
        (Wish("web", source="a\nb"), "can't be written"),
        (Wish("web", source="nowhere"), "no file is in that folder"),
        (Wish("web", cluster="clusters/[a]"), "can't be written"),
    ],
)
def test_a_wish_that_no_repository_can_fulfil_is_refused(wish, told):
    with pytest.raises(InvalidInput, match=told):
        plan_app(MemoryFiles(example()), wish)
