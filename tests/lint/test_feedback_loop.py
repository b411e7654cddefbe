"""The rule `feedback-loop`: what closes the way round, what breaks it, and how it is told."""

import pytest
from tests.lint.repositories import BUILD, DEPLOYED, DEPLOYMENT, FLUX, OBJECTS, WORKFLOW, files, loops, report, workflow
from tests.lint.repositories import steps as steps_of

from tidegate.lint.texts import as_text

GUIDE_FILTER = "    paths:\n      - 'apps/myapp/main.py'\n      - '.github/workflows/myapp-ci.yaml'\n"


def test_the_guides_page_on_new_applications_loops_and_the_way_round_is_told():
    assert as_text(report(files())) == (
        ".github/workflows/myapp-ci.yaml:6: error: a commit of the automation flux-system/myapp starts"
        " .github/workflows/myapp-ci.yaml, whose image that automation commits again [feedback-loop]\n"
        "  → apps/myapp/deployment.yaml:11: the automation flux-system/myapp writes this marker and pushes to main\n"
        "  → .github/workflows/myapp-ci.yaml:6: the push to main starts the workflow MyApp:"
        " apps/myapp/deployment.yaml matches apps/myapp/**\n"
        "  → .github/workflows/myapp-ci.yaml:16: it pushes ghcr.io/username/myapp:1.0.N\n"
        "  → clusters/my-cluster/flux-system/myapp.yaml:25: the ImageRepository flux-system/myapp scans"
        " ghcr.io/username/myapp\n"
        "  → clusters/my-cluster/flux-system/myapp.yaml:31: the ImagePolicy flux-system/myapp may select it\n"
        "  → apps/myapp/deployment.yaml:11: this marker names flux-system:myapp, and is written again\n"
        "  help: add to paths after .github/workflows/myapp-ci.yaml:7: '!apps/myapp/deployment.yaml';"
        " or write [skip ci] in the commit message: spec.git.commit.messageTemplate of"
        " clusters/my-cluster/flux-system/myapp.yaml:51\n"
        "1 error, 0 warnings; 0 automations proven not to loop\n"
    )
    assert report(files()).exit_code == 1


def test_the_guides_own_filter_holds_and_is_named():
    found = report(files(workflow=workflow(paths=GUIDE_FILTER)))
    assert found.exit_code == 0
    assert as_text(found) == (
        "clusters/my-cluster/flux-system/myapp.yaml:43: ok: no commit of the automation flux-system/myapp comes round;"
        " it writes apps/myapp/deployment.yaml and pushes to main\n"
        "  → .github/workflows/myapp-ci.yaml:5: MyApp does not start: no changed file matches\n"
        "0 errors, 0 warnings; 1 automation proven not to loop\n"
    )


def _template(text):
    return OBJECTS.replace(
        "email: flux@example.com\n", f"email: flux@example.com\n      messageTemplate: |-\n        {text}\n"
    )


@pytest.mark.parametrize(
    ("changed", "looping"),
    [
        ({}, True),
        ({"workflow": workflow(paths="")}, True),
        ({"workflow": workflow(on="  push:\n")}, True),
        ({"workflow": workflow(paths="    paths-ignore: ['docs/**']\n")}, True),
        ({"workflow": workflow(paths="    paths-ignore: ['**/deployment.yaml']\n")}, False),
        ({"workflow": workflow(paths="    paths: ['apps/**', '!apps/*/deployment.yaml']\n")}, False),
        ({"workflow": workflow(paths="    paths: ['!apps/*/deployment.yaml', 'apps/**']\n")}, True),
        ({"workflow": workflow(on="  push:\n    branches: [release]\n")}, False),
        ({"workflow": workflow(on="  push:\n    branches-ignore: [main]\n")}, False),
        ({"workflow": workflow(on="  push:\n    tags: ['v*']\n")}, False),
        ({"workflow": workflow(on="  workflow_dispatch:\n")}, False),
        ({"workflow": workflow(on="  schedule: [{cron: '0 4 * * *'}]\n")}, False),
        ({"flux": OBJECTS.replace("./apps/myapp\n    strategy", "./apps/other\n    strategy")}, False),
        ({"flux": OBJECTS.replace("update:\n    path: ./apps/myapp\n", "update:\n    path: ./\n")}, True),
        ({"flux": OBJECTS.replace("image: ghcr.io/username/myapp", "image: ghcr.io/username/other")}, False),
        ({"flux": OBJECTS.replace('">=1.0.0"', '">=2.0.0"')}, False),
        ({"flux": OBJECTS.replace("    commit:\n", "    push: {branch: updates}\n    commit:\n")}, False),
        ({"flux": OBJECTS.replace("    branch: main", "    branch: release")}, False),
        ({"flux": OBJECTS.replace("    branch: main", "    branch: ${branch}")}, True),
        ({"flux": _template("Update images [skip ci]")}, False),
        ({"flux": _template("[ci skip] {{range .Changed.Changes}}{{.NewValue}}{{end}}")}, False),
        ({"flux": _template("{{if .Values.quiet}}[skip ci]{{end}} Update")}, True),
        ({"flux": _template("{{/* [skip ci] */}} Update")}, True),
        ({"deployment": DEPLOYED.replace(' # {"$imagepolicy": "flux-system:myapp"}', "")}, False),
        ({"deployment": DEPLOYED.replace("flux-system:myapp", "elsewhere:myapp")}, False),
    ],
)
def test_a_loop_needs_the_file_the_branch_the_image_and_the_tag(changed, looping):
    assert loops(files(**changed)) is looping


@pytest.mark.parametrize(
    ("steps", "looping"),
    [
        ("- run: docker push ghcr.io/username/myapp:1.2.3", True),
        ("- run: docker push ghcr.io/username/other:1.2.3", False),
        ("- run: docker push ghcr.io/username/myapp:latest", False),
        ("- run: echo docker push ghcr.io/username/myapp:1.2.3", False),
        ("- run: |\n    IMAGE=ghcr.io/username/myapp\n    docker push $IMAGE:1.2.3", True),
        ("- run: |\n    IMAGE=ghcr.io/username/other\n    docker push $IMAGE:1.2.3", False),
        ("- run: docker push $UNKNOWN", True),
        ("- run: buildah push localhost/x docker://ghcr.io/username/myapp:1.2.3", True),
        ("- run: docker buildx build --push -t ghcr.io/username/myapp:1.2.3 .", True),
        ("- run: docker buildx build --load -t ghcr.io/username/myapp:1.2.3 .", False),
        ("- run: bash -c 'docker push ghcr.io/username/myapp:1.2.3'", True),
        ("- run: skopeo copy docker://a/b:1 docker://ghcr.io/username/myapp:1.2.3", True),
        ("- run: DIGEST=$(docker push ghcr.io/username/myapp:1.2.3 | grep digest)", True),
        ("- run: docker --config a --context b push ghcr.io/username/myapp:1.2.3", True),
        ("- run: docker buildx --builder b build --push -t ghcr.io/username/myapp:1.2.3 .", True),
        ("- run: echo $(docker push ghcr.io/username/other:1.2.3)", False),
        ("- run: make test", True),
        ("- uses: some/push-image-action@v1", True),
        ("- uses: some/action@v1", True),
        ("- uses: actions/checkout@v4", False),
        ("- uses: ./.github/actions/build", True),
        ("- uses: docker/build-push-action@v6\n  with: {push: false, tags: 'ghcr.io/username/myapp:1.2.3'}", False),
        (
            "- uses: docker/build-push-action@v6\n  with: {push: '${{vars.P}}', tags: 'ghcr.io/username/myapp:1.2.3'}",
            True,
        ),
        ("- uses: docker/build-push-action@v6\n  with: {push: true, tags: '${{ vars.IMAGE }}'}", True),
        ("- uses: docker/build-push-action@v6\n  with: {push: true, tags: '${{ vars.HOST }}/x:1.2.3'}", False),
        (
            "- uses: docker/build-push-action@v6\n  with: {push: true, tags: 'ghcr.io/${{ github.repository }}:1.2.3'}",
            True,
        ),
        ("- if: github.event_name != 'push'\n  run: docker push ghcr.io/username/myapp:1.2.3", False),
        ("- if: github.ref == 'refs/heads/main'\n  run: docker push ghcr.io/username/myapp:1.2.3", True),
        ("- if: github.ref == 'refs/heads/release'\n  run: docker push ghcr.io/username/myapp:1.2.3", False),
        (
            "- if: github.event.head_commit.author.name != 'Flux'\n  run: docker push ghcr.io/username/myapp:1.2.3",
            False,
        ),
        ("- if: github.event.head_commit.author.name != 'Bot'\n  run: docker push ghcr.io/username/myapp:1.2.3", True),
        ("- if: github.actor != 'Flux'\n  run: docker push ghcr.io/username/myapp:1.2.3", True),
    ],
)
def test_a_loop_needs_a_step_that_may_push_the_image(steps, looping):
    assert loops(files(workflow=workflow(steps_of(steps)))) is looping


METADATA = """
- id: meta
  uses: docker/metadata-action@v5
  with:
    images: ghcr.io/username/myapp
    tags: TAGS
- uses: docker/build-push-action@v6
  with:
    push: true
    tags: ${{ steps.meta.outputs.tags }}
"""


@pytest.mark.parametrize(
    ("tags", "looping"),
    [
        ("type=ref,event=branch", False),
        ("type=sha", False),
        ("type=raw,value=1.0.${{ github.run_number }}", True),
        ("type=raw,value=0.1.${{ github.run_number }}", False),
        ("'type=semver,pattern={{version}}'", False),
        ("${{ vars.TAGS }}", True),
    ],
)
def test_the_tags_of_the_metadata_action_are_worked_out(tags, looping):
    assert loops(files(workflow=workflow(steps_of(METADATA.replace("TAGS", tags))))) is looping


def test_a_step_that_writes_the_environment_may_change_the_image():
    steps = "- run: echo IMAGE=ghcr.io/username/myapp >> $GITHUB_ENV\n- run: docker push $IMAGE:1.2.3\n"
    top = "env: {IMAGE: ghcr.io/username/other}\n"
    assert loops(files(workflow=workflow(steps_of(steps), top=top)))
    assert not loops(files(workflow=workflow(steps_of(steps.split("\n")[1]), top=top)))


@pytest.mark.parametrize(
    ("script", "looping"),
    [
        ("echo IMAGE=ghcr.io/username/myapp >> $GITHUB_ENV", True),
        ("echo IMAGE=ghcr.io/username/myapp", False),
        ("docker push ghcr.io/username/myapp:1.2.3", True),
        ("${{ github.action_path }}/build.sh", True),
        ("echo hello", False),
    ],
)
@pytest.mark.parametrize("uses", ["./act", "$/act"])
def test_an_action_of_the_repository_is_looked_into(uses, script, looping):
    steps = f"- uses: {uses}\n- run: docker push $IMAGE:1.2.3\n"
    action = f"runs: {{using: composite, steps: [{{run: '{script}', shell: bash}}]}}"
    top = "env: {IMAGE: ghcr.io/username/other}\n"
    texts = files(workflow=workflow(steps_of(steps), top=top)) | {"act/action.yml": action}
    assert loops(texts) is looping


def test_a_job_that_never_runs_on_the_automations_push_closes_no_loop():
    job = "    if: github.event_name == 'workflow_dispatch'\n"
    assert not loops(files(workflow=workflow(job=job)))


def test_a_matrix_is_followed_value_by_value():
    job = "    strategy: {matrix: {app: [web, myapp]}}\n"
    steps = steps_of("- run: docker push ghcr.io/username/${{ matrix.app }}:1.2.3")
    assert loops(files(workflow=workflow(steps, job=job)))
    assert not loops(files(workflow=workflow(steps, job=job.replace("myapp", "other"))))


def test_a_called_workflow_is_followed_with_its_inputs():
    caller = workflow(steps="").replace(
        "    runs-on: ubuntu-latest\n    steps:\n", "    uses: ./.github/workflows/build.yaml\n    with: {name: NAME}\n"
    )
    called = workflow(
        steps_of("- run: docker push ghcr.io/username/${{ inputs.name }}:1.2.3"),
        on="  workflow_call:\n    inputs: {name: {type: string}}\n",
    )
    for name, looping in (("myapp", True), ("other", False)):
        texts = files(workflow=caller.replace("NAME", name)) | {".github/workflows/build.yaml": called}
        assert loops(texts) is looping


def test_a_workflow_that_runs_after_another_closes_the_loop():
    tests = workflow(steps_of("- run: 'true'"), name="Tests")
    after = workflow(on="  workflow_run:\n    workflows: [Tests]\n    types: [completed]\n")
    assert loops(files(workflow=tests) | {".github/workflows/after.yaml": after})
    other = after.replace("[Tests]", "[Others]")
    assert not loops(files(workflow=tests) | {".github/workflows/after.yaml": other})


def test_a_tag_that_a_run_pushes_may_start_the_build():
    tagging = workflow(steps_of("- run: git tag v1.$GITHUB_RUN_NUMBER.0 && git push --tags"), name="Tag")
    build = workflow(on="  push:\n    tags: ['v*']\n")
    assert loops(files(workflow=tagging) | {".github/workflows/build.yaml": build})


def test_two_automations_may_drive_each_other():
    def renamed(text, name):
        return text.replace("myapp", name).replace("MyApp", name)

    texts = {
        "flux/a.yaml": renamed(OBJECTS, "a"),
        "flux/b.yaml": renamed(OBJECTS, "b"),
        "apps/a/deployment.yaml": renamed(DEPLOYED, "a"),
        "apps/b/deployment.yaml": renamed(DEPLOYED, "b"),
        ".github/workflows/a.yaml": renamed(workflow(paths="    paths: [apps/b/**]\n"), "a"),
        ".github/workflows/b.yaml": renamed(workflow(paths="    paths: [apps/a/**]\n"), "b"),
    }
    found = [f for f in report(texts).findings if f.rule.id == "feedback-loop"]
    message = (
        "commits of flux-system/a and flux-system/b start .github/workflows/b.yaml and .github/workflows/a.yaml,"
        " whose images are committed again, round and round"
    )
    assert [finding.message for finding in found] == [message]
    texts[".github/workflows/b.yaml"] = renamed(workflow(paths="    paths: [apps/b/src/**]\n"), "b")
    assert not loops(texts)


PULL = "  pull_request:\n"


def test_a_pull_request_of_the_push_branch_closes_the_loop():
    flux = OBJECTS.replace("    commit:\n", "    push: {branch: updates}\n    commit:\n")
    assert loops(files(flux=flux, workflow=workflow(on=PULL)))
    assert loops(files(flux=flux, workflow=workflow(on=f"{PULL}    branches: [main]\n")))
    assert not loops(files(flux=flux, workflow=workflow(on=f"{PULL}    paths: [src/**]\n")))
    pushing = BUILD.replace("push: true", "push: ${{ github.event_name != 'pull_request' }}")
    assert not loops(files(flux=flux, workflow=workflow(pushing, on=PULL)))


def test_a_pull_request_of_the_branch_that_is_read_is_a_warning():
    found = report(files(workflow=workflow(on=PULL)))
    assert [(f.rule.id, f.level) for f in found.findings] == [("feedback-loop", "warning")]
    assert "where a pull request from main is open" in found.findings[0].message
    assert not report(files(workflow=workflow(on=f"{PULL}    branches: [main]\n"))).findings


def test_a_branch_that_is_not_said_here_is_taken_for_one_that_starts_the_workflow():
    flux = OBJECTS[OBJECTS.index("---\napiVersion: image") + 4 :]
    found = report(files(flux=flux)).findings[0]
    assert found.level == "error"
    assert found.notes == ("the branch is not said in this repository; it is taken for one that starts the workflow",)


def test_a_namespace_that_a_kustomization_sets_may_be_any():
    assert loops(files(flux=OBJECTS.replace("  namespace: flux-system\n", "")))


@pytest.mark.parametrize(
    ("allowed", "looping"),
    [
        (None, False),
        ("apps", False),
        ("apps,elsewhere", True),
        ("*", True),
        ("${tenant}", True),
        ("Elsewhere", False),
    ],
)
def test_an_automation_of_another_namespace_counts_where_the_policy_allows_it(allowed, looping):
    before, _, after = OBJECTS.rpartition("  namespace: flux-system\n")
    moved = before + "  namespace: elsewhere\n" + after
    moved = moved.replace("    name: flux-system\n", "    name: flux-system\n    namespace: flux-system\n")
    annotations = "" if allowed is None else f"  annotations: {{tidegate.dev/allow-from: '{allowed}'}}\n"
    policy = "kind: ImagePolicy\nmetadata:\n"
    assert bool(loops(files(flux=moved.replace(policy, policy + annotations)))) is looping


def test_a_namespace_that_a_kustomization_puts_objects_into_counts():
    texts = files(flux=OBJECTS.replace("namespace: flux-system", "namespace: default"))
    assert not loops(texts)
    assert loops(texts | {"clusters/kustomization.yaml": "namespace: flux-system\nresources: [my-cluster]\n"})


def test_objects_of_a_list_are_found_at_their_lines():
    documents = OBJECTS.split("---\n")
    items = "".join("  - " + text.replace("\n", "\n    ").rstrip(" ") for text in documents)
    found = report(files(flux=f"apiVersion: v1\nkind: List\nitems:\n{items}"))
    scanned = next(step for step in found.findings[0].way if "scans" in step.text)
    line = f"apiVersion: v1\nkind: List\nitems:\n{items}".split("\n")[(scanned.where.line or 0) - 1]
    assert line.strip() == "image: ghcr.io/username/myapp"


def test_where_a_workflow_cannot_be_read_nothing_is_proven():
    found = report(files(workflow="on: push\njobs: {build: {}}\n"))
    assert found.exit_code == 2
    assert not found.proven
    assert found.findings[0].where.file == WORKFLOW


def test_where_a_manifest_cannot_be_read_nothing_is_proven():
    found = report(files(flux=OBJECTS.replace("    branch: main", "\tbranch: main")))
    assert found.exit_code == 2
    unread = next(finding for finding in found.findings if finding.rule.id == "unreadable")
    assert (unread.where.file, unread.where.line) == (FLUX, 8)


def test_a_template_is_told_and_stops_nothing():
    texts = files(workflow=workflow(paths=GUIDE_FILTER))
    texts["charts/x/templates/image.yaml"] = (
        "apiVersion: image.toolkit.fluxcd.io/v1\n{{- if .Values.x }}\nkind: {{ .Values.x }}\n"
    )
    found = report(texts)
    assert found.exit_code == 0
    assert [(f.rule.id, f.level) for f in found.findings] == [("unreadable", "warning")]


def test_an_object_with_a_wrong_field_is_told_at_its_line():
    found = report(files(flux=OBJECTS.replace('range: ">=1.0.0"', "range: 5")))
    problem = next(finding for finding in found.findings if finding.rule.id == "invalid-manifest")
    assert (problem.where.line, problem.level) == (38, "error")
    assert DEPLOYMENT not in str(problem.message)
