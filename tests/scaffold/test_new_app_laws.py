"""Laws on random repositories: what is added has no error, replaces nothing, changes no other line, and is complete."""

from hypothesis import event, given, settings
from hypothesis import strategies as st
from tests.scaffold.worlds import FLUX, SYNC, after, example

from tidegate.base.errors import TidegateError
from tidegate.base.files import MemoryFiles
from tidegate.scaffold.new_app import plan_app
from tidegate.scaffold.wish import Wish

OWN = "clusters/my-cluster/flux-system/kustomization.yaml"
LISTS = {
    "apps/kustomization.yaml":
        ("", "resources:\n- smartbiz-api", "resources: [./smartbiz-api]\n", "resources: []\n", "a: b\n"),
    OWN:
        ("", "resources:\n  - gotk-sync.yaml\n  - image-automation.yaml\n", "resources: [image-automation.yaml] # x\n"),
}  # fmt: skip
ROOTS = ("./apps/smartbiz-api", "./apps", "apps/", "./", "'./apps'")
PATHS = ("./apps/smartbiz-api", "./apps/smartbiz-api/ # x", '"apps/smartbiz-api"', "./", "./apps")
FILTERS = ("", "paths: ['**']", "paths: [apps/**]", "paths-ignore: [docs/**]", "paths:\n      - apps/web/main.py")
IMAGES = (
    "image: ghcr.io/seadavdic/web:1.0.0",
    "image: 'ghcr.io/seadavdic/web'",
    "{name: x, image: ghcr.io/seadavdic/web}",
    "image: ghcr.io/seadavdic/web:1 # x",
)
TAGS = ("1.0.${{ github.run_number }}", "${{ github.run_number }}", "${{ vars.TAG }}", "latest")


@st.composite
def repositories(draw: st.DrawFn) -> dict[str, bytes]:
    """The guide's repository in other hands: other lists and paths, perhaps with parts of the application."""
    files = example()
    for path, texts in LISTS.items():
        text = draw(st.sampled_from(texts))
        files |= {path: text.encode()} if text else {}
    root, path = draw(st.sampled_from(ROOTS)), draw(st.sampled_from(PATHS))
    files[SYNC] = files[SYNC].replace(b"path: ./apps/smartbiz-api", f"path: {root}".encode())
    files[FLUX] = files[FLUX].replace(b"path: ./apps/smartbiz-api", f"path: {path}".encode())
    if draw(st.booleans()):
        image = draw(st.sampled_from(IMAGES))
        item = image if image.startswith("{") else f"name: web\n          {image}"
        files["apps/web/deployment.yaml"] = (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: x}\nspec:\n  template:\n"
            f"    spec:\n      containers:\n        - {item}\n"
        ).encode()
    if draw(st.booleans()):
        paths, tag = draw(st.sampled_from(FILTERS)), draw(st.sampled_from(TAGS))
        files[".github/workflows/web-ci.yaml"] = (
            f"on:\n  push:\n    branches: [main]\n    {paths}\npermissions: {{packages: write}}\njobs:\n  build:\n"
            "    runs-on: x\n    steps:\n      - uses: docker/build-push-action@v6\n        with:\n"
            f"          push: true\n          tags: ghcr.io/seadavdic/web:{tag}\n"
        ).encode()
    if draw(st.booleans()):
        files = {path: text.replace(b"\n", b"\r\n") for path, text in files.items()}
    return files


def inserted(old: bytes, new: bytes) -> bool:
    """Whether new is old with one text put in."""
    added = len(new) - len(old)
    return any(old == new[:place] + new[place + added :] for place in range(len(old) + 1))


@settings(max_examples=60, deadline=None)
@given(repositories(), st.booleans())
def test_what_is_added_is_right_or_nothing_is(files, own):
    before = dict(files)
    try:
        plan, result = after(files, Wish("web", own_automation=own))
    except TidegateError:
        event("refused")
        return
    event("added")
    assert files == before
    assert plan_app(MemoryFiles(result), Wish("web", own_automation=own)).files == {}
    for path in plan.files.keys() - plan.created:
        old, new = files[path], result[path]
        if path == FLUX:
            line = next(line for line in old.splitlines() if line.startswith(b"    path: "))
            assert inserted(old.replace(line, b""), new.replace(line, b"")) or old.count(b"\n") == new.count(b"\n")
        else:
            assert inserted(old, new), (path, old, new)
        assert old.count(b"\r\n") == old.count(b"\n") or b"\r" not in new
