"""The rules beside the loop: each with the exact lines that it prints."""

import pytest
from tests.lint.repositories import DEPLOYED, DEPLOYMENT, FLUX, OBJECTS, WORKFLOW, files, report, rules, workflow
from tests.lint.repositories import steps as steps_of

from tidegate.lint.texts import as_text

SOURCES = "    paths: [src/**]\n"


def _short(text):
    return text.replace(WORKFLOW, "WORKFLOW").replace(FLUX, "FLUX").replace(DEPLOYMENT, "DEPLOYMENT")


def told(**changed):
    """What is printed of findings; the three files' paths are written short."""
    changed.setdefault("workflow", workflow(paths=SOURCES))
    text = _short(as_text(report(files(**changed))))
    return text[: text.index("FLUX:43: ok")] if ": ok" in text else text


def test_the_repository_of_these_tests_has_nothing_to_tell():
    assert told() == ""


COUNTING = """
- uses: actions/checkout@v4
WITH- run: |
    COUNT=$(git rev-list --count HEAD)
    docker push ghcr.io/username/myapp:1.0.$COUNT
"""


def test_shallow_count():
    assert told(workflow=workflow(steps_of(COUNTING.replace("WITH", "")), paths=SOURCES)) == (
        "WORKFLOW:14: error: this counts the commits of a checkout that has only one: the version"
        " is always the same [shallow-count]\n"
        "  help: add to the checkout at WORKFLOW:12: with: {fetch-depth: 0}\n"
    )


@pytest.mark.parametrize("given", ["  with: {fetch-depth: 0}\n", "  with: {fetch-depth: '${{ vars.D }}'}\n",
                                   "- run: git fetch --unshallow\n"])  # fmt: skip
def test_a_count_over_all_commits_is_none(given):
    assert rules(files(workflow=workflow(steps_of(COUNTING.replace("WITH", given)), paths=SOURCES))) == []


def test_policy_never_matches():
    steps = steps_of("""
        - run: |
            docker push ghcr.io/username/myapp:latest
            docker push ghcr.io/username/myapp:sha-$GITHUB_SHA
    """)
    assert told(workflow=workflow(steps, paths=SOURCES)) == (
        "FLUX:36: error: the ImagePolicy flux-system/myapp can select nothing that is"
        " pushed at WORKFLOW:13, WORKFLOW:14: latest is no semantic version:"
        " three numbers are needed, as 1.2.3; sha-HEX is no semantic version: three numbers are needed, as 1.2.3"
        " [policy-never-matches]\n"
        "  help: change the policy, or the tags that are pushed"
        " (ghcr.io/username/myapp:latest, ghcr.io/username/myapp:sha-HEX)\n"
    )


@pytest.mark.parametrize(
    ("policy", "tag", "never"),
    [
        ('semver: {range: ">=2.0.0"}', "1.0.${{ github.run_number }}", True),
        ('semver: {range: ">=1.0.0"}', "1.0.${{ github.run_number }}", False),
        ('semver: {range: ">=1.0.500"}', "1.0.${{ github.run_number }}", False),
        ('semver: {range: "<1.0.5 >1.0.6"}', "1.0.${{ github.run_number }}", True),
        ('semver: {range: ">=1.0.0"}', "1.0.${{ github.run_number }}-rc1", True),
        ('semver: {range: ">=1.0.0-0"}', "1.0.${{ github.run_number }}-rc1", False),
        ('semver: {range: ">=1.0.0"}', "${{ vars.VERSION }}", False),
        ('semver: {range: ">=1.0.0"}', "main-${{ github.run_number }}", True),
        ("numerical: {order: asc}", "main-${{ github.run_number }}", True),
        ("numerical: {order: asc}", "${{ github.run_number }}", False),
        ("alphabetical: {order: asc}", "${{ github.sha }}", False),
    ],
)
def test_a_policy_never_matches_only_where_no_number_would_do(policy, tag, never):
    flux = OBJECTS.replace('semver:\n      range: ">=1.0.0"', policy)
    steps = steps_of(f"- run: docker push ghcr.io/username/myapp:{tag}")
    assert ("policy-never-matches" in rules(files(flux=flux, workflow=workflow(steps, paths=SOURCES)))) is never


@pytest.mark.parametrize(
    ("pattern", "never"),
    [("^main-[0-9]+$", False), ("^dev-", True), ("-7$", False), ("^main-[a-f]+$", True), ("^main-[0-9]{3}-x", True)],
)
def test_a_filter_of_tags_is_asked_for_every_number(pattern, never):
    flux = OBJECTS.replace('semver:\n      range: ">=1.0.0"', "alphabetical: {order: asc}").replace(
        "  policy:\n", f"  filterTags: {{pattern: '{pattern}'}}\n  policy:\n"
    )
    steps = steps_of("- run: docker push ghcr.io/username/myapp:main-${{ github.run_number }}")
    assert ("policy-never-matches" in rules(files(flux=flux, workflow=workflow(steps, paths=SOURCES)))) is never


def test_an_image_that_is_built_elsewhere_is_no_business_of_the_policys_rule():
    flux = OBJECTS.replace("ghcr.io/username/myapp", "docker.io/library/redis").replace(">=1.0.0", ">=7.0.0")
    assert rules(files(flux=flux, workflow=workflow(paths=SOURCES))) == []


def test_marker_without_policy_and_policy_without_marker():
    assert told(deployment=DEPLOYED.replace("flux-system:myapp", "flux-system:mypap")) == (
        "DEPLOYMENT:11: error: no ImagePolicy here is named flux-system:mypap: the value is never updated"
        " [marker-without-policy]\n"
        "  help: did you mean flux-system:myapp?\n"
        "FLUX:31: warning: no marker names the ImagePolicy flux-system/myapp"
        " [policy-without-marker]\n"
        '  help: write # {"$imagepolicy": "flux-system:myapp"} behind the image to update, or remove the policy\n'
    )


def test_a_marker_in_a_repository_without_policies_is_a_warning():
    assert _short(as_text(report(files(flux=None)))) == (
        "DEPLOYMENT:11: warning: no ImagePolicy here is named flux-system:myapp: the value is never updated"
        " [marker-without-policy]\n"
        "  help: if it is in another repository, all is well\n"
        "0 errors, 1 warning; 0 automations proven not to loop\n"
    )


def test_removed_version():
    flux = OBJECTS.replace(
        "image.toolkit.fluxcd.io/v1\nkind: ImagePolicy", "image.toolkit.fluxcd.io/v1beta2\nkind: ImagePolicy"
    )
    assert told(flux=flux) == (
        "FLUX:28: warning: Flux has dropped image.toolkit.fluxcd.io/v1beta2, and refuses"
        " this ImagePolicy [removed-version]\n"
        "  help: write apiVersion: image.toolkit.fluxcd.io/v1\n"
    )


def test_a_template_that_the_new_version_does_not_have_is_told():
    flux = OBJECTS.replace("v1\nkind: ImageUpdateAutomation", "v1beta1\nkind: ImageUpdateAutomation").replace(
        "email: flux@example.com\n",
        'email: flux@example.com\n      messageTemplate: "{{range .Updated.Images}}x{{end}}"\n',
    )
    assert told(flux=flux).splitlines()[2:] == [
        "FLUX:55: warning: the template uses .Updated, which v1 does not have [removed-version]",
        "  help: use .Changed.Changes or .Changed.Objects",
    ]


LOGIN = """
- uses: docker/login-action@v3
  with: {registry: ghcr.io, username: x, password: '${{ secrets.GITHUB_TOKEN }}'}
- run: docker push ghcr.io/username/myapp:1.2.3
"""


def _permitted(text, **more):
    return workflow(steps_of(LOGIN), paths=SOURCES, **more).replace(
        "permissions: {contents: read, packages: write}\n", text
    )


def test_packages_permission():
    assert told(workflow=_permitted("permissions:\n  contents: read\n")) == (
        "WORKFLOW:6: error: the job build pushes to ghcr.io with the run's token, which may not write"
        " packages [packages-permission]\n"
        "  help: add packages: write below WORKFLOW:6\n"
    )
    assert told(workflow=_permitted("")) == (
        "WORKFLOW:7: warning: the job build pushes to ghcr.io with the run's token, and does not ask to"
        " write packages [packages-permission]\n"
        "  help: add to the job at WORKFLOW:7: permissions: {contents: read, packages: write}\n"
    )
    assert told(workflow=_permitted("permissions: write-all\n")) == ""
    assert told(workflow=_permitted("permissions: {}\n", job="    permissions: {packages: write}\n")) == ""
    own = _permitted("permissions: {}\n").replace("secrets.GITHUB_TOKEN", "secrets.PASSWORD")
    assert told(workflow=own) == ""


def test_branch_not_deployed():
    flux = OBJECTS.replace("    commit:\n", "    push: {branch: updates}\n    commit:\n")
    assert told(flux=flux) == (
        "FLUX:51: warning: the automation flux-system/myapp pushes to updates, which"
        " nothing here deploys [branch-not-deployed]\n"
        "  help: push to what is deployed (main), or merge the branch there, by a pull request say\n"
    )


PLATFORMS = """
- uses: docker/build-push-action@v6
  with:
    push: true
    platforms: linux/amd64,linux/arm64
    tags: ghcr.io/username/myapp:1.2.3
"""


def _wanting(text):
    return DEPLOYED.replace("      containers:\n", f"{text}      containers:\n")


def test_platform_not_built():
    built = workflow(steps_of(PLATFORMS), paths=SOURCES)
    wanted = _wanting("      nodeSelector:\n        kubernetes.io/arch: arm\n")
    assert told(workflow=built, deployment=wanted) == (
        "DEPLOYMENT:10: error: the workload wants arm, but its image is built for linux/amd64, linux/arm64"
        " only (WORKFLOW:16) [platform-not-built]\n"
        "  help: add the platform to the build: linux/arm/v7\n"
    )
    assert told(workflow=built, deployment=wanted.replace("arch: arm", "arch: arm64")) == ""
    assert told(deployment=wanted) == ""


def test_a_required_affinity_wants_a_platform_too():
    built = workflow(steps_of(PLATFORMS), paths=SOURCES)
    affinity = (
        "      affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: ["
        "{matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [arm]}]}]}}}\n"
    )
    assert rules(files(workflow=built, deployment=_wanting(affinity))) == ["platform-not-built"]
    assert rules(files(workflow=built, deployment=_wanting(affinity.replace("[arm]", "[arm, amd64]")))) == []


PATCH = """\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: myapp, namespace: flux-system}
spec: {update: {path: ./}}
"""


def test_patched_object():
    texts = files(workflow=workflow(paths=SOURCES)) | {
        "clusters/b/kustomization.yaml": "resources: [../my-cluster]\npatches:\n  - path: patch.yaml\n",
        "clusters/b/patch.yaml": PATCH,
    }
    place, rule = "clusters/b/kustomization.yaml:3", "[patched-object]"
    lines = as_text(report(texts)).splitlines()
    message = "a patch changes an ImageUpdateAutomation: lint looks at what stands before the patch"
    assert lines[:2] == [
        f"{place}: warning: {message} {rule}",
        "  help: render the folder (tidegate try render), and lint what comes out",
    ]
    assert rules(texts) == ["patched-object"]
