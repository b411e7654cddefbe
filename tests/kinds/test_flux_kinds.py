"""Flux's kinds in every served version become one model each, with Flux's defaults."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.base.yaml import load_document
from tidegate.kinds.common import GitReference, LabelSelector, LocalReference, NamedReference, SourceReference
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.kinds.kustomization import Kustomization, PostBuild, SubstituteFrom
from tidegate.kinds.objects import ObjectKey
from tidegate.kinds.receiver import Receiver, ReceiverResource

IMAGE = "image.toolkit.fluxcd.io"
SOURCE = "source.toolkit.fluxcd.io"
KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
NOTIFICATION = "notification.toolkit.fluxcd.io"


def obj(api_version, kind, spec):
    text = f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: web, namespace: flux-system}}\nspec:\n{spec}"
    return load_document(text.encode(), file="f.yaml").value


def problems(model, api_version, kind, spec):
    with pytest.raises(InvalidInput) as caught:
        model.from_object(obj(api_version, kind, spec))
    return str(caught.value)


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
def test_an_image_repository_has_fluxs_defaults(version):
    model = ImageRepository.from_object(
        obj(f"{IMAGE}/{version}", "ImageRepository", "  {image: ghcr.io/a/web, interval: 1m}")
    )
    assert model.key == ObjectKey(IMAGE, "ImageRepository", "flux-system", "web")
    assert model.version == version
    assert (model.image, model.interval_seconds, model.timeout_seconds) == ("ghcr.io/a/web", 60.0, 60.0)
    assert model.exclusion_list == (r"^.*\.sig$",)
    assert (model.provider, model.insecure, model.suspend, model.unknown_fields) == ("generic", False, False, ())


def test_an_image_repositorys_timeout_is_its_interval_and_never_under_a_second():
    def timeout(spec):
        return ImageRepository.from_object(obj(f"{IMAGE}/v1", "ImageRepository", spec)).timeout_seconds

    assert timeout("  {image: a/b, interval: 5m}") == 300.0
    assert timeout("  {image: a/b, interval: 5m, timeout: 10s}") == 10.0
    assert timeout("  {image: a/b, interval: 5m, timeout: 10ms}") == 1.0


def test_an_image_repository_with_everything():
    spec = (
        "  {image: a/b, interval: 1m, secretRef: {name: s}, certSecretRef: {name: c}, proxySecretRef: {name: p},"
        " serviceAccountName: sa, exclusionList: ['^x'], provider: aws, insecure: true, suspend: true,"
        " accessFrom: {namespaceSelectors: [{matchLabels: {team: red}}]}}"
    )
    model = ImageRepository.from_object(obj(f"{IMAGE}/v1", "ImageRepository", spec))
    assert model.secret_ref == LocalReference("s")
    assert model.exclusion_list == ("^x",)
    assert model.access_from == ({"team": "red"},)
    assert model.unknown_fields == ()


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("semver: {range: '>=1.0.0'}", (">=1.0.0", None, None)),
        ("alphabetical: {order: desc}", (None, "desc", None)),
        ("alphabetical: {}", (None, "asc", None)),
        ("numerical: {order: asc}", (None, None, "asc")),
    ],
)
def test_an_image_policy_has_one_choice(policy, wanted):
    spec = f"  imageRepositoryRef: {{name: web}}\n  policy:\n    {policy}\n"
    model = ImagePolicy.from_object(obj(f"{IMAGE}/v1beta2", "ImagePolicy", spec))
    assert (model.semver, model.alphabetical, model.numerical) == wanted
    assert (model.repository_name, model.repository_namespace) == ("web", None)
    assert (model.digest_policy, model.interval_seconds) == ("Never", None)


def test_an_image_policy_without_or_with_two_choices_is_refused():
    base = "  imageRepositoryRef: {name: web}\n  policy: "
    assert "not none" in problems(ImagePolicy, f"{IMAGE}/v1", "ImagePolicy", base + "{}")
    two = base + "{semver: {range: '*'}, numerical: {}}"
    assert problems(ImagePolicy, f"{IMAGE}/v1", "ImagePolicy", two) == (
        "spec.policy: needs exactly one of semver, alphabetical, numerical, not semver and numerical"
    )


def test_an_image_policys_interval_belongs_to_always():
    base = "  imageRepositoryRef: {name: web}\n  policy: {numerical: {}}\n"
    always = base + "  digestReflectionPolicy: Always\n"

    def seconds(interval):
        return ImagePolicy.from_object(obj(f"{IMAGE}/v1", "ImagePolicy", always + interval)).interval_seconds

    assert [seconds(line) for line in ("", "  interval: 0s\n", "  interval: 90s\n")] == [None, 600.0, 90.0]
    assert "only accepted" in problems(ImagePolicy, f"{IMAGE}/v1", "ImagePolicy", base + "  interval: 1m\n")


GUIDE = """\
  interval: 1m
  sourceRef:
    kind: GitRepository
    name: flux-system
  git:
    checkout:
      ref:
        branch: main
    commit:
      author:
        name: Flux Image Automation
        email: flux@raspberrypi-cluster.local
    push:
      branch: main
  update:
    path: ./apps/smartbiz-api
    strategy: Setters
"""


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
def test_an_image_update_automation_as_people_write_it(version):
    model = ImageUpdateAutomation.from_object(obj(f"{IMAGE}/{version}", "ImageUpdateAutomation", GUIDE))
    assert model.source_ref == SourceReference("GitRepository", "flux-system")
    assert (model.author_name, model.author_email) == ("Flux Image Automation", "flux@raspberrypi-cluster.local")
    assert (model.checkout_branch, model.push_branch, model.update_path) == ("main", "main", "./apps/smartbiz-api")
    assert (model.message_template, model.interval_seconds) == (None, 60.0)


def test_an_image_update_automations_defaults():
    spec = "  {interval: 30s, sourceRef: {name: flux-system}, git: {commit: {author: {email: a@b.c}}}}"
    model = ImageUpdateAutomation.from_object(obj(f"{IMAGE}/v1", "ImageUpdateAutomation", spec))
    assert model.source_ref.kind == "GitRepository"
    assert (model.checkout, model.checkout_branch, model.push_branch) == (None, None, None)
    assert (model.update_path, model.author_name, model.policy_selector) == ("./", "", None)


def test_an_image_update_automation_names_every_missing_field():
    told = problems(ImageUpdateAutomation, f"{IMAGE}/v1", "ImageUpdateAutomation", "  {git: {commit: {author: {}}}}")
    assert told == (
        "spec.sourceRef: is required; spec.sourceRef.name: is required; spec.interval: is required;"
        " spec.git.commit.author.email: is required"
    )


SELECTING = """\
  interval: 1m
  sourceRef: {kind: GitRepository, name: a}
  git: {commit: {author: {email: a@b}}}
  policySelector: """


@pytest.mark.parametrize(
    ("selector", "field"),
    [
        ("{matchLabels: {app: way too long !!}}", "spec.policySelector.matchLabels"),
        (f"{{matchLabels: {{app: {'x' * 64}}}}}", "spec.policySelector.matchLabels"),
        ("{matchLabels: {a/b/c: web}}", "spec.policySelector.matchLabels"),
        ("{matchLabels: {Example.com/app: web}}", "spec.policySelector.matchLabels"),
        ("{matchExpressions: [{key: -app, operator: Exists}]}", "spec.policySelector.matchExpressions[0].key"),
        ("{matchExpressions: [{key: app, operator: In, values: [a b]}]}", "matchExpressions[0].values"),
    ],
)
def test_a_policy_selector_with_what_can_be_no_label_is_refused(selector, field):
    said = problems(ImageUpdateAutomation, f"{IMAGE}/v1", "ImageUpdateAutomation", SELECTING + selector)
    assert field in said
    assert "is no label's" in said


@pytest.mark.parametrize(
    "selector",
    ["{matchLabels: {example.com/app_1.x: ''}}", f"{{matchLabels: {{a: {'x' * 63}}}}}",
     "{matchExpressions: [{key: app, operator: In, values: [a, b-c]}]}"],
)  # fmt: skip
def test_a_policy_selector_takes_what_can_be_a_label(selector):
    ImageUpdateAutomation.from_object(obj(f"{IMAGE}/v1", "ImageUpdateAutomation", SELECTING + selector))


def test_a_policy_selector_matches_labels():
    selector = LabelSelector(
        {"app": "web"}, (("tier", "In", ("a", "b")), ("old", "DoesNotExist", ()), ("x", "NotIn", ("1",)))
    )
    assert selector.matches({"app": "web", "tier": "a"})
    assert selector.matches({"app": "web", "tier": "b", "x": "2"})
    assert not selector.matches({"app": "web", "tier": "c"})
    assert not selector.matches({"app": "web", "tier": "a", "old": ""})
    assert not selector.matches({"app": "web", "tier": "a", "x": "1"})
    assert not selector.matches({"tier": "a"})
    assert LabelSelector().matches({})


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
def test_a_git_repository_has_fluxs_defaults(version):
    model = GitRepository.from_object(
        obj(f"{SOURCE}/{version}", "GitRepository", "  {url: 'https://github.com/a/b', interval: 1h30m}")
    )
    assert (model.url, model.interval_seconds, model.timeout_seconds) == ("https://github.com/a/b", 5400.0, 60.0)
    assert (model.ref, model.branch, model.secret_ref) == (GitReference(), "master", None)


def test_a_git_repository_with_everything():
    spec = (
        "  {url: 'ssh://git@host/a', interval: 1m, timeout: 90s, secretRef: {name: s}, ref: {branch: main, tag: v1,"
        " semver: '*', name: refs/heads/x, commit: abc}, verify: {mode: head, secretRef: {name: keys}},"
        " ignore: '/*', suspend: true, recurseSubmodules: true, gitImplementation: go-git,"
        " include: [{repository: {name: other}, fromPath: a, toPath: b}], sparseCheckout: [x]}"
    )
    model = GitRepository.from_object(obj(f"{SOURCE}/v1beta2", "GitRepository", spec))
    assert model.ref == GitReference("main", "v1", "*", "refs/heads/x", "abc")
    assert (model.verify_mode, model.verify_secret_ref) == ("HEAD", LocalReference("keys"))
    assert model.include[0].repository == "other"
    assert (model.sparse_checkout, model.unknown_fields) == (("x",), ())


def test_a_kustomization_has_fluxs_defaults():
    model = Kustomization.from_object(
        obj(
            f"{KUSTOMIZE}/v1",
            "Kustomization",
            "  {interval: 10m, prune: true, sourceRef: {kind: GitRepository, name: f}}",
        )
    )
    assert (model.interval_seconds, model.retry_seconds, model.timeout_seconds) == (600.0, 600.0, 570.0)
    assert (model.path, model.target_namespace, model.wait, model.force) == ("", None, False, False)
    assert (model.deletion_policy, model.overlay, model.post_build) == ("MirrorPrune", {}, None)


def test_a_kustomizations_timeout_is_never_under_thirty_seconds():
    base = "  {interval: 5s, prune: true, sourceRef: {kind: GitRepository, name: f}%s}"
    made = [
        Kustomization.from_object(obj(f"{KUSTOMIZE}/v1", "Kustomization", base % more)).timeout_seconds
        for more in ("", ", timeout: 5s", ", timeout: 2m")
    ]
    assert made == [30.0, 30.0, 120.0]


def test_a_kustomization_with_everything():
    spec = """\
  interval: 1m
  retryInterval: 10s
  prune: false
  path: ./apps
  sourceRef: {kind: GitRepository, name: f, namespace: other}
  targetNamespace: shop
  dependsOn: [{name: infra}, {name: x, namespace: z}]
  healthChecks:
  - {apiVersion: apps/v1, kind: Deployment, name: web, namespace: shop}
  - {kind: Deployment, name: old}
  wait: true
  force: true
  patches: [{patch: 'x', target: {kind: Deployment}}]
  images: [{name: a, newTag: b}]
  namePrefix: p-
  commonMetadata: {labels: {a: b}}
  postBuild: {substitute: {k: v}, substituteFrom: [{kind: Secret, name: s, optional: true}]}
"""
    model = Kustomization.from_object(obj(f"{KUSTOMIZE}/v1beta2", "Kustomization", spec))
    assert (model.retry_seconds, model.prune, model.source_ref.namespace) == (10.0, False, "other")
    assert model.depends_on == (NamedReference("infra"), NamedReference("x", "z"))
    assert model.health_check_keys == (
        ObjectKey("apps", "Deployment", "shop", "web"),
        ObjectKey("apps", "Deployment", "", "old"),
    )
    assert set(model.overlay) == {"patches", "images", "namePrefix"}
    assert model.post_build == PostBuild({"k": "v"}, (SubstituteFrom("Secret", "s", True),))


def test_a_kustomization_must_say_whether_it_prunes():
    told = problems(
        Kustomization, f"{KUSTOMIZE}/v1", "Kustomization", "  {interval: 1m, sourceRef: {kind: HelmChart, name: f}}"
    )
    assert "spec.prune: is required" in told
    assert "spec.sourceRef.kind: must be one of GitRepository" in told


def test_a_receiver_and_its_path():
    spec = "  {type: github, events: [push], secretRef: {name: t}, resources: [{kind: GitRepository, name: '*'}]}"
    model = Receiver.from_object(obj(f"{NOTIFICATION}/v1", "Receiver", spec))
    assert model.resources == (ReceiverResource("GitRepository", "*"),)
    assert (model.events, model.interval_seconds) == (("push",), 600.0)
    # sha256("token" + "web" + "flux-system"), as Flux's GetWebhookPath
    assert model.webhook_path("token") == "/hook/210778179ed82deed7f85c2da86405c5f03ee4c81ad0f5b9c3ddb521748343f1"


def test_a_receiver_needs_a_secret_and_something_to_wake():
    told = problems(Receiver, f"{NOTIFICATION}/v1", "Receiver", "  {type: github}")
    assert told == "spec.resources: is required; spec.secretRef: is required"


def test_another_kind_or_version_is_refused():
    spec = "  {image: a/b, interval: 1m}"
    assert "is no image.toolkit.fluxcd.io ImageRepository" in problems(
        ImageRepository, "apps/v1", "ImageRepository", spec
    )
    assert "no version 'v9'" in problems(ImageRepository, f"{IMAGE}/v9", "ImageRepository", spec)
