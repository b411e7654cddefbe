"""Random repositories, and a simulation of what happens in them: workflows, registry, policies and automations run by
rules written down here a second time, in the plainest way.
"""

import re
from dataclasses import dataclass, field

APPS = ("a", "b", "c")
PATTERNS = {
    "**": r".*",
    "apps/**": r"apps/.*",
    "apps/*": r"apps/[^/]*",
    "apps/a/**": r"apps/a/.*",
    "apps/*/deployment.yaml": r"apps/[^/]*/deployment\.yaml",
    "**/deployment.yaml": r"(.*/)?deployment\.yaml",
    "apps/b/deployment.yaml": r"apps/b/deployment\.yaml",
    "apps/*/src/**": r"apps/[^/]*/src/.*",
    "**.yaml": r".*\.yaml",
}
BRANCHES = (None, ("main",), ("release",), ("main", "updates"), ("!main",))
CONDITIONS = {
    "": lambda run: True,
    "github.event_name == 'push'": lambda run: True,
    "github.event_name == 'workflow_dispatch'": lambda run: False,
    "github.ref == 'refs/heads/main'": lambda run: run.branch == "main",
    "github.ref_name != 'main' || vars.FORCE == 'yes'": lambda run: run.branch != "main" or run.world.force,
    "github.event.head_commit.author.name != 'Flux'": lambda run: run.author != "Flux",
    "!contains(github.event.head_commit.message, 'Automatic')": lambda run: "automatic" not in run.message.lower(),
    "vars.FORCE == 'yes'": lambda run: run.world.force,
    "steps.decide.outputs.push != 'no'": lambda run: True,
}
TAGS = ("1.0.N", "0.9.N", "2.N.0", "latest", "main-N", "v1.N.3", "1.0.N-rc")
RANGES = (">=1.0.0", "1.x", ">=2.0.0", "<1.0.0", ">=1.0.0-0")
FILTERS = (None, (r"^main-(?P<n>[0-9]+)$", "1.0.$n"), (r"^v", ""))
MESSAGES = (None, "Automatic [skip ci]", "{{range .Changed.Changes}}{{.NewValue}} {{end}}[ci skip]", "Automatic update",
            "{{if .Values.none}}[skip ci]{{end}}Update")  # fmt: skip
STYLES = (
    "action",
    "push",
    "buildx",
    "variable",
    "env",
    "output",
    "matrix",
    "vars",
    "metadata",
    "repository",
    "branches",
)
PATHS = ("./", "./apps", "apps/a", "./apps/b")


@dataclass
class Flow:
    """A workflow."""

    name: str
    branches: tuple | None
    paths: tuple | None
    ignore: bool
    image: str
    tag: str
    style: str
    condition: str


@dataclass
class World:
    """A repository and everything around it. `force` is what the variable FORCE of the forge says."""

    flows: list
    policies: dict
    automations: list
    marks: dict
    force: bool
    branches: dict = field(default_factory=dict)
    bases: dict = field(default_factory=dict)
    registry: dict = field(default_factory=dict)
    count: int = 100

    def files(self):
        """The repository as texts."""
        found = {f".github/workflows/{flow.name}.yaml": text_of_flow(flow) for flow in self.flows}
        found["flux/objects.yaml"] = "---\n".join(
            [SOURCE, *(text_of_policy(app, *self.policies[app]) for app in self.policies)]
            + [text_of_automation(n, *automation) for n, automation in enumerate(self.automations)]
        )
        return found | {path: text_of_mark(*mark) for path, mark in self.marks.items()}


@dataclass
class Run:
    """One run of a workflow."""

    world: World
    branch: str
    author: str
    message: str


SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {interval: 1m, url: https://github.com/acme/fleet, ref: {branch: main}}
"""


FLUX = "apiVersion: image.toolkit.fluxcd.io/v1\n"


def text_of_policy(app, image, version_range, tag_filter):
    filters = f"  filterTags: {{pattern: '{tag_filter[0]}', extract: '{tag_filter[1]}'}}\n" if tag_filter else ""
    return (
        f"{FLUX}kind: ImageRepository\nmetadata: {{name: {app}, namespace: flux-system}}\n"
        f"spec: {{image: ghcr.io/acme/{image}, interval: 1m}}\n---\n"
        f"{FLUX}kind: ImagePolicy\nmetadata: {{name: {app}, namespace: flux-system}}\n"
        f"spec:\n  imageRepositoryRef: {{name: {app}}}\n{filters}  policy: {{semver: {{range: '{version_range}'}}}}\n"
    )


def text_of_automation(number, path, push, message):
    said = f", messageTemplate: '{message}'" if message else ""
    pushed = f"    push: {{branch: {push}}}\n" if push else ""
    return (
        f"{FLUX}kind: ImageUpdateAutomation\nmetadata: {{name: u{number}, namespace: flux-system}}\n"
        "spec:\n  interval: 1m\n  sourceRef: {kind: GitRepository, name: fleet}\n"
        f"  git:\n    commit: {{author: {{name: Flux, email: f@example.com}}{said}}}\n{pushed}"
        f"  update: {{path: {path}, strategy: Setters}}\n"
    )


def text_of_mark(app, image):
    return f'kind: Deployment\nspec:\n  image: ghcr.io/acme/{image}:0.0.1 # {{"$imagepolicy": "flux-system:{app}"}}\n'


def text_of_flow(flow):
    lines = [f"name: {flow.name}", "on:", "  push:"]
    if flow.branches:
        key = "branches-ignore" if flow.branches[0].startswith("!") else "branches"
        lines.append(f"    {key}: [{', '.join(name.lstrip('!') for name in flow.branches)}]")
    if flow.paths:
        lines.append(f"    paths{'-ignore' * flow.ignore}: [{', '.join(repr(pattern) for pattern in flow.paths)}]")
    lines += ["env: {REGISTRY: ghcr.io, NAME: " + flow.image + "}", "jobs:", "  build:", "    runs-on: ubuntu-latest"]
    if flow.style == "matrix":
        lines.append(f"    strategy: {{matrix: {{image: [other, {flow.image}]}}}}")
    lines += [
        "    steps:",
        "      - id: decide",
        "        run: |",
        '          if [ -n "$X" ]; then echo push=no >> $GITHUB_OUTPUT; fi',
    ]
    lines += [f"      {line}" for line in text_of_steps(flow)]
    return "\n".join(lines) + "\n"


def text_of_steps(flow):
    """The steps that push, in one of many ways to say the same."""
    tag, image = flow.tag.replace("N", "${{ github.run_number }}"), f"ghcr.io/acme/{flow.image}"
    counted = flow.tag.replace("N", "$(git rev-list --count HEAD)")
    before = {
        "output": ["- id: version", "  run: |", f'    V="{counted}"', '    echo "v=${V}" >> "$GITHUB_OUTPUT"'],
        "metadata": ["- id: meta", "  uses: docker/metadata-action@v5",
                     f"  with: {{images: '{image}', tags: 'type=raw,value={tag}'}}"],
    }  # fmt: skip
    build = "- uses: docker/build-push-action@v6"
    step = {
        "action": [build, f"  with: {{push: true, tags: '{image}:{tag}'}}"],
        "push": [f"- run: docker push {image}:{tag}"],
        "buildx": ["- run: |", "    docker buildx build --push \\", f"      -t {image}:{tag} ."],
        "variable": ["- run: |", f"    IMAGE={image}", f'    docker push "$IMAGE:{tag}"'],
        "branches": ["- run: |", f"    if true; then IMAGE={image}; fi", f'    docker push "$IMAGE:{tag}"'],
        "env": [f"- run: docker push ${{{{ env.REGISTRY }}}}/acme/$NAME:{tag}"],
        "output": [f"- run: docker push {image}:${{{{ steps.version.outputs.v }}}}"],
        "matrix": [f"- run: docker push ghcr.io/acme/${{{{ matrix.image }}}}:{tag}"],
        "vars": [f"- run: docker push ghcr.io/${{{{ vars.OWNER }}}}/{flow.image}:{tag}"],
        "repository": [f"- run: docker push ghcr.io/${{{{ github.repository_owner }}}}/{flow.image}:{tag}"],
        "metadata": [build, "  with: {push: true, tags: '${{ steps.meta.outputs.tags }}'}"],
    }[flow.style]
    if flow.condition:
        step = [f'- if: "{flow.condition}"', f"  {step[0].removeprefix('- ')}", *step[1:]]
    return [*before.get(flow.style, []), *step]


def _mostly(choose, usual, others):
    """The usual thing in two of three cases, else one of the others."""
    return usual if choose((True, True, False)) else choose(tuple(others))


def random_world(choose):
    """A world, most of which could loop; `choose` picks one of a sequence."""
    filters = (None, *((one,) for one in PATTERNS), ("apps/**", "!apps/b/deployment.yaml"), ("!apps/a/**", "apps/**"))
    flows = [
        Flow(
            f"flow{number}",
            _mostly(choose, ("main",), BRANCHES),
            _mostly(choose, None, filters),
            choose((False, False, True)),
            APPS[number],
            _mostly(choose, "1.0.N", TAGS),
            choose(STYLES),
            _mostly(choose, "", CONDITIONS),
        )
        for number in range(choose((1, 2, 3)))
    ]
    for flow in flows:
        if flow.ignore and flow.paths and any(pattern.startswith("!") for pattern in flow.paths):
            flow.ignore = False
    policies = {
        app: (_mostly(choose, app, APPS), _mostly(choose, ">=1.0.0", RANGES), _mostly(choose, None, FILTERS))
        for app in APPS[: choose((1, 2, 3))]
    }
    automations = [
        (_mostly(choose, "./", PATHS), _mostly(choose, None, ("main", "updates")), _mostly(choose, None, MESSAGES))
        for _ in range(choose((1, 2)))
    ]
    marks = {f"apps/{app}/deployment.yaml": (_mostly(choose, app, APPS), app) for app in APPS}
    return World(flows, policies, automations, marks, choose((False, True)))


def starts(flow, branch, changed, message):
    """Whether a push starts a workflow."""
    if any(word in message for word in ("[skip ci]", "[ci skip]")):
        return False
    if flow.branches and (f"!{branch}" in flow.branches if flow.branches[0][0] == "!" else branch not in flow.branches):
        return False
    if not flow.paths:
        return True
    return any(_listed(flow.paths, path) != flow.ignore for path in changed)


def _listed(patterns, path):
    listed = False
    for pattern in patterns:
        if re.fullmatch(PATTERNS[pattern.lstrip("!")], path):
            listed = not pattern.startswith("!")
    return listed


def execute(flow, run):
    """Run a workflow: the tags that it pushes are in the registry afterwards."""
    run.world.count += 1
    if not CONDITIONS[flow.condition](run):
        return
    tag = flow.tag.replace("N", str(run.world.count))
    run.world.registry.setdefault(flow.image, []).append(tag)
    if flow.style == "metadata":
        run.world.registry[flow.image].append("latest")


def version(text):
    """A version as a sortable tuple, None where it is none."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(-\w+)?", text)
    return (int(found[1]), int(found[2]), int(found[3]), found[4] is None) if found else None


ADMITS = {
    ">=1.0.0": lambda v: v[:3] >= (1, 0, 0) and v[3],
    "1.x": lambda v: v[0] == 1 and v[3],
    ">=2.0.0": lambda v: v[:3] >= (2, 0, 0) and v[3],
    "<1.0.0": lambda v: v[:3] < (1, 0, 0) and v[3],
    ">=1.0.0-0": lambda v: v[:3] >= (1, 0, 0),
}


def selected(tags, version_range, tag_filter):
    """The tag that a policy selects, None for none."""
    best = None
    for tag in tags:
        value = tag
        if tag_filter:
            found = re.search(tag_filter[0], tag)
            if not found:
                continue
            value = tag_filter[1].replace("$n", found.groupdict().get("n", "")) if tag_filter[1] else tag
        number = version(value)
        if number is not None and ADMITS[version_range](number) and (best is None or number > best[0]):
            best = (number, tag)
    return best[1] if best else None


def simulate(world, rounds=12):
    """Whether automations still commit after so many rounds in which nobody else did anything."""
    world.branches, world.bases = {"main": dict.fromkeys(world.marks, "0.0.1")}, {}
    for flow in world.flows:  # somebody builds everything once
        execute(flow, Run(world, "main", "Ann", "Change"))
    return all(sum(_automate(world, *automation) for automation in world.automations) for _ in range(rounds))


def _automate(world, path, push, message):
    """One reconciliation of an automation; whether it committed."""
    tags = {
        app: selected(world.registry.get(image, []), version_range, tag_filter)
        for app, (image, version_range, tag_filter) in world.policies.items()
    }
    folder = path.removeprefix("./")
    branch, main = push or "main", world.branches["main"]
    before = world.branches.get(branch, main)
    # A branch of automations' own is made anew on top of what is read only when that has moved.
    wanted = dict(before if branch == "main" or world.bases.get(branch) == main else main)
    planned = dict(wanted)
    for file, (app, _) in world.marks.items():
        if (file.startswith(f"{folder}/") or not folder) and tags.get(app):
            wanted[file] = tags[app]
    if wanted == planned:
        return False
    changed = [file for file in wanted if wanted[file] != before[file]]
    world.branches[branch], world.bases[branch] = wanted, dict(main)
    said = {None: "Update from image update automation"}.get(message, message) or ""
    said = re.sub(r"\{\{if.*?\{\{end\}\}", "", re.sub(r"\{\{range.*?\{\{end\}\}", "x", said))
    for flow in world.flows:
        if starts(flow, branch, changed, said):
            execute(flow, Run(world, branch, "Flux", said))
    return True
