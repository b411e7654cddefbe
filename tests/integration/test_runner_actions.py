"""The built-in actions in real jobs; only the builder is a fake."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from needed import need
from runner_home import RunnerHome, git, workflow

pytestmark = pytest.mark.integration


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up()
    return home


async def run_steps(home, steps, *refs):
    home.commit(workflow(steps), "Last")
    async with home.running():
        home.push(*refs)
        (run,) = await home.finished()
    return run, home.log(run)


def version_of_node():
    argv = [need("node", "nodejs"), "--version"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def conclusions(run):
    return {step["name"]: step["conclusion"] for step in run["status"]["jobs"][0]["steps"]}


@pytest.mark.parametrize(("depth", "count"), [("1", 1), ("2", 2), ("0", 4)])
async def test_a_checkout_is_as_deep_as_asked(home, depth, count):
    for number in range(3):
        home.commit({"file": str(number)}, f"Commit {number}")
    steps = f"""
- uses: actions/checkout@v4
  with: {{fetch-depth: {depth}}}
- run: |
    if git status --porcelain | grep .; then echo dirty; fi
    echo "$(git rev-list --count HEAD) commits on $(git branch --show-current)"
"""
    _, log = await run_steps(home, steps)
    assert f"{count} commits on main\n" in log
    assert "\ndirty" not in log


async def test_a_checkout_of_another_ref_in_a_folder_of_its_own(home):
    home.commit({"old": "yes"}, "Old")
    git(home.folder, "tag", "v1")
    home.commit({"new": "yes"}, "New")
    git(home.folder, "push", "--quiet", str(home.bare), "v1")
    steps = """
- uses: actions/checkout@v4
- id: old
  uses: actions/checkout@v4
  with: {ref: v1, path: before}
- run: ls new old before; test ! -e before/new; echo "at ${{ steps.old.outputs.ref }}"
- name: missing
  uses: actions/checkout@v4
  with: {ref: nowhere}
"""
    run, log = await run_steps(home, steps)
    runs = [run] if run["spec"]["ref"] == "refs/heads/main" else await home.all_runs()
    assert runs
    assert "at refs/tags/v1" in log
    assert "the ref 'nowhere' is not in the repository" in log
    assert conclusions(run)["missing"] == "failure"


async def test_a_second_checkout_cleans_the_workspace(home):
    steps = """
- run: touch left-over .hidden
- uses: actions/checkout@v4
- run: ls -A
"""
    _, log = await run_steps(home, steps)
    assert "left-over" not in log.split("ls -A")[-1]
    assert ".github" in log.split("ls -A")[-1]


async def test_another_repository_is_out_of_reach_without_a_token_that_reads_it(home):
    other = home.root / "home/git/acme/secret.git"
    git(home.root, "clone", "--quiet", "--bare", str(home.folder), str(other))
    steps = """
- uses: actions/checkout@v4
  with: {repository: acme/secret, token: "%s", path: in}
- run: git -C in log --format=%%s | head -n 1; git -C in branch --show-current; git -C in remote -v | grep fetch
"""
    home.commit({"file": "1"}, "Shown")
    git(home.folder, "push", "--quiet", "--force", str(other), "HEAD:refs/heads/main")
    run, log = await run_steps(home, steps % "${{ github.token }}")
    assert run["status"]["conclusion"] == "failure"
    assert "acme/secret can't be checked out: the token of this run reads only its own repository acme/shop" in log
    home.commit(workflow(steps % "tgr_reads_all"))
    async with home.running():
        home.push()
        await home.finished(2)
    (run,) = [one for one in await home.all_runs() if one["spec"]["runNumber"] == 2]
    log = home.log(run)
    assert run["status"]["conclusion"] == "success", log
    assert "Shown\nmain\norigin\thttps://github.com/acme/secret (fetch)" in log
    assert "tgr_reads_all" not in log


async def test_a_repository_that_is_not_here_is_named(home):
    steps = "- uses: actions/checkout@v4\n  with: {repository: acme/none, token: tgr_reads_all}"
    _, log = await run_steps(home, steps)
    assert "acme/none can't be checked out: it is not hosted here" in log


async def test_tags_come_along_where_they_are_asked_for(home):
    home.commit({"file": "1"})
    git(home.folder, "tag", "v1")
    git(home.folder, "push", "--quiet", str(home.bare), "v1")
    steps = """
- uses: actions/checkout@v4
- run: echo "<$(git tag)>"
- uses: actions/checkout@v4
  with: {fetch-tags: true}
- run: echo "<$(git tag)> $(git rev-list --count HEAD)"
"""
    _, log = await run_steps(home, steps)
    assert "\n<>\n" in log
    assert "\n<v1> 1\n" in log


def gitlink(folder, path, url, commit):
    """Make a commit that has a submodule."""
    (folder / path).mkdir(parents=True)
    with (folder / ".gitmodules").open("a") as file:
        file.write(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
    git(folder, "add", ".gitmodules")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    git(folder, "commit", "--quiet", "--message", f"Add {path}")
    return git(folder, "rev-parse", "HEAD")


def repository(home, name, files):
    """A further hosted repository, and a clone of it."""
    clone, bare = home.root / name.replace("/", "-"), home.root / f"home/git/{name}.git"
    git(home.root, "init", "--quiet", "--bare", str(bare))
    git(home.root, "init", "--quiet", "--initial-branch=main", str(clone))
    for path, text in files.items():
        (clone / path).write_text(text)
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", name)
    return clone, bare


async def test_submodules_that_are_hosted_here_come_along(home):
    inner, bare_of_inner = repository(home, "acme/inner", {"deep": "deep"})
    git(inner, "push", "--quiet", str(bare_of_inner), "main")
    outer, bare_of_outer = repository(home, "acme/outer", {"text": "outer"})
    git(outer, "submodule", "--quiet", "init")
    pinned = gitlink(outer, "in", "../inner", git(inner, "rev-parse", "HEAD"))
    git(outer, "push", "--quiet", str(bare_of_outer), "main")
    steps = """
- uses: actions/checkout@v4
  with: {submodules: %s, token: "%s"}
- run: |
    cat deps/outer/text; test -e deps/outer/in/deep && echo deep || echo shallow
    git submodule status deps/outer; git status --porcelain; git -C deps/outer remote get-url origin
"""
    home.commit(workflow(steps % ("true", "tgr_reads_all")))
    gitlink(home.folder, "deps/outer", "https://github.com/acme/outer.git", pinned)
    async with home.running():
        home.push()
        (run,) = await home.finished()
    log = home.log(run)
    assert run["status"]["conclusion"] == "success", log
    said = log.partition(f"outershallow\n {pinned} deps/outer (")[2].splitlines()
    assert said[1] == "https://github.com/acme/outer", log
    for number, (given, words) in enumerate(
        [
            (("recursive", "tgr_reads_all"), "outerdeep\n"),
            (("true", ""), "the submodule 'deps/outer' is acme/outer, which the token of this run does not read"),
            (("maybe", ""), "submodules is 'maybe', not true, false or recursive"),
        ],
        2,
    ):
        for path, text in workflow(steps % given).items():
            (home.folder / path).write_text(text)
        git(home.folder, "commit", "--quiet", "--all", "--message", "Next")
        async with home.running():
            home.push()
            await home.finished(number)
        (run,) = [one for one in await home.all_runs() if one["spec"]["runNumber"] == number]
        assert words in home.log(run)


async def test_a_submodule_of_another_host_is_named(home):
    home.commit(workflow("- uses: actions/checkout@v4\n  with: {submodules: true, token: tgr_reads_all}"))
    gitlink(home.folder, "far", "https://example.com/acme/far.git", "ab" * 20)
    async with home.running():
        home.push()
        (run,) = await home.finished()
    assert "the submodule 'far' is at https://example.com/acme/far.git, which is not hosted here" in home.log(run)


async def test_the_machines_python_is_used_where_it_fits(home):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    steps = f"""
- id: python
  uses: actions/setup-python@v5
  with: {{python-version: "{version}"}}
- run: python --version; echo "is ${{{{ steps.python.outputs.python-version }}}}"
- name: too new
  uses: actions/setup-python@v5
  with: {{python-version: "3.99"}}
"""
    run, log = await run_steps(home, steps)
    assert f"is {version}" in log
    assert "this machine has no Python 3.99" in log
    assert conclusions(run)["too new"] == "failure"


async def test_the_machines_node_is_used_where_it_fits(home):
    version = version_of_node()
    major = version[1:].partition(".")[0]
    home.commit({"package.json": f'{{"engines": {{"node": ">={major}"}}}}', "package-lock.json": "{}"})
    steps = f"""
- uses: actions/checkout@v4
- id: node
  uses: actions/setup-node@v4
  with: {{node-version: "{major}.x"}}
- uses: actions/setup-node@v4
  with: {{node-version-file: package.json, cache: npm}}
- run: echo "is ${{{{ steps.node.outputs.node-version }}}} $(node --version)"; mkdir -p ~/.npm; echo kept > ~/.npm/file
- name: too new
  if: github.run_number == 2
  uses: actions/setup-node@v4
  with: {{node-version: "99"}}
"""
    run, log = await run_steps(home, steps)
    assert run["status"]["conclusion"] == "success", log
    assert f"is {version} {version}" in log
    assert "Cache saved with key: node-cache-Linux-" in log
    home.commit(workflow(steps.replace("; mkdir -p ~/.npm; echo kept >", "; cat")))
    async with home.running():
        home.push()
        await home.finished(2)
    runs = {one["spec"]["runNumber"]: one for one in await home.all_runs()}
    log = home.log(runs[2])
    assert "\nkept\n" in log
    assert f"this machine has Node.js {version}, not 99" in log
    assert conclusions(runs[2])["too new"] == "failure"


async def test_without_a_context_the_commit_itself_is_built(home):
    home.commit({"Dockerfile": "FROM scratch\n", "deploy/Dockerfile": "FROM scratch\n", "deploy/x": "1"})
    steps = """
- run: echo dirty > dirty-file
- uses: docker/build-push-action@v6
  with:
    push: true
    tags: ghcr.io/acme/a:1,ghcr.io/acme/a:latest
    labels: |
      a=b
      org.opencontainers.image.version=mine
- uses: docker/build-push-action@v6
  with: {context: "{{defaultContext}}:deploy", tags: ghcr.io/acme/b:1}
- name: remote
  uses: docker/build-push-action@v6
  with: {context: "https://example.com/x.git"}
"""
    run, log = await run_steps(home, steps)
    first, second = home.build.requests
    assert first[2] == [".github/workflows/ci.yaml", "Dockerfile", "deploy/Dockerfile", "deploy/x"]
    assert [str(tag) for tag in first[0].tags] == ["ghcr.io/acme/a:1", "ghcr.io/acme/a:latest"]
    assert first[0].labels["a"] == "b"
    assert first[0].labels["org.opencontainers.image.version"] == "mine"
    assert second[2] == ["Dockerfile", "x"]
    assert second[0].tags == (), "without push nothing goes anywhere"
    assert len(run["status"]["images"]) == 2
    assert "is remote" in log
    assert conclusions(run)["remote"] == "failure"


async def test_a_dockerfile_may_lie_beside_its_context(home):
    home.commit({"docker/web.Dockerfile": "FROM scratch\n", "web/file": "1"})
    steps = """
- uses: actions/checkout@v4
- uses: docker/build-push-action@v6
  with: {context: web, file: docker/web.Dockerfile, build-args: "A=1\\nB=x=y"}
"""
    _, log = await run_steps(home, steps)
    ((request, _, files),) = home.build.requests
    assert files == ["file"], log
    assert Path(request.dockerfile).is_absolute()
    assert request.build_args == {"A": "1", "B": "x=y"}


async def test_what_setup_actions_give_can_be_used(home):
    steps = """
- id: qemu
  uses: docker/setup-qemu-action@v3
  with: {platforms: "arm64,arm"}
- id: buildx
  uses: docker/setup-buildx-action@v3
- run: echo "${{ steps.qemu.outputs.platforms }} ${{ steps.buildx.outputs.driver }}"
"""
    _, log = await run_steps(home, steps)
    assert "\narm64,arm tidegate\n" in log


async def test_outputs_that_would_fill_the_server_are_refused(home):
    steps = "\n".join(
        f"- {{id: s{number}, run: 'printf \"big=%01000000d\\n\" 7 >> $GITHUB_OUTPUT'}}" for number in range(4)
    )
    run, log = await run_steps(home, steps)
    assert run["status"]["conclusion"] == "failure"
    assert "outputs and variables come to more than" in log


async def test_the_metadata_of_an_image_goes_to_the_build_and_to_later_steps(home):
    steps = """
- id: meta
  uses: docker/metadata-action@v5
  env: {DOCKER_METADATA_SHORT_SHA_LENGTH: 10}
  with:
    images: ghcr.io/Acme/Shop
    tags: |
      type=raw,value=1.2.3
      type=sha
      type=ref,event=branch
- uses: actions/checkout@v4
- uses: docker/build-push-action@v6
  with: {context: ., push: true, tags: "${{ steps.meta.outputs.tags }}", labels: "${{ steps.meta.outputs.labels }}"}
- run: |
    echo "version ${{ steps.meta.outputs.version }}, $DOCKER_METADATA_OUTPUT_VERSION"
    cat "${{ steps.meta.outputs.bake-file }}"
"""
    run, log = await run_steps(home, steps)
    assert "version main, main" in log
    assert '"docker-metadata-action"' in log
    ((request, _, _),) = home.build.requests
    short = run["spec"]["commit"][:10]
    assert [str(tag) for tag in request.tags] == [
        "ghcr.io/acme/shop:main", "ghcr.io/acme/shop:1.2.3", f"ghcr.io/acme/shop:sha-{short}",
    ]  # fmt: skip
    assert request.labels["org.opencontainers.image.version"] == "main"


async def test_an_entry_that_the_metadata_action_does_not_know_fails_its_step(home):
    steps = """
- name: meta
  uses: docker/metadata-action@v5
  with: {images: ghcr.io/acme/shop, tags: "type=nonsense"}
"""
    run, log = await run_steps(home, steps)
    assert conclusions(run)["meta"] == "failure"
    assert "nonsense" in log
