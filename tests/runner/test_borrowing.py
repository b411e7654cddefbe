"""Where an action of another repository comes from, and what is asked for it."""

import pytest

from tidegate.base.errors import Denied, InvalidInput, NotFound
from tidegate.cli.main import run
from tidegate.git.pinned import PinnedCommits, candidates, chosen, pin_argv
from tidegate.git.repository import Repository
from tidegate.runner.borrowing import Borrowing, Host
from tidegate.runner.pins import Pin
from tidegate.workflow.elsewhere import elsewhere

COMMIT = "ab" * 20


@pytest.mark.parametrize(
    ("uses", "repository", "path", "ref"),
    [
        ("acme/x@v1", "acme/x", "", "v1"),
        ("acme/x/a/b@releases/v1", "acme/x", "a/b", "releases/v1"),
        ("Acme/.github/.github/workflows/ci.yml@" + COMMIT, "Acme/.github", ".github/workflows/ci.yml", COMMIT),
    ],
)
def test_a_place_in_another_repository_is_read(uses, repository, path, ref):
    found = elsewhere(uses)
    assert (found.repository, found.path, found.ref) == (repository, path, ref)
    assert found.key == f"{repository.lower()}@{ref}"


@pytest.mark.parametrize(
    "uses",
    [
        "./a@v1", "../x@v1", "acme@v1", "acme/x", "acme/..@v1", "acme/x/../y@v1", "acme/x//y@v1", "acme/x@", "-x/y@v1",
        "acme/x@-v", "acme/x@a b", "acme/x\\y@v1", "docker://acme/x@v1", ".github/workflows/a@b.yml", "https://a/b@v1",
    ],
)  # fmt: skip
def test_what_is_no_such_place_is_none(uses):
    assert elsewhere(uses) is None


def test_a_tag_comes_before_a_branch_and_a_full_ref_is_itself():
    assert candidates("v1") == ["refs/tags/v1", "refs/heads/v1"]
    assert chosen("v1", {"refs/heads/v1": "b", "refs/tags/v1": "a"}) == ("refs/tags/v1", "a")
    assert candidates("refs/heads/x") == ["refs/heads/x"]
    assert chosen("v1", {"refs/heads/v10": "b"}) is None
    with pytest.raises(InvalidInput):
        candidates("a..b")


def test_a_fetch_is_of_one_commit_and_bounded(tmp_path):
    argv = pin_argv(tmp_path, "https://a.example/x.git", COMMIT, COMMIT, ["https"], [])
    assert argv[:3] == ["prlimit", "--fsize=268435456", "--"]
    assert argv[-2:] == ["https://a.example/x.git", f"+{COMMIT}:refs/pins/{COMMIT}"]
    assert "--depth=1" in argv
    assert argv[-3] == "--end-of-options"


async def test_a_host_that_this_home_answers_for_is_not_asked(tmp_path):
    borrowing = Borrowing(PinnedCommits(tmp_path), lambda _: None, lambda url: url.startswith("https://github.com/"))
    with pytest.raises(NotFound) as error:
        await borrowing.pin(elsewhere("acme/x@v1"), Host("https://github.com/"), {})
    assert error.value.message == "acme/x is not hosted here, and this Tidegate answers for its host"
    assert error.value.remedy == "push acme/x here"


@pytest.mark.parametrize("url", ["http://git.example", "https://me:hunter2@git.example", "file:///srv/git"])
async def test_a_host_that_is_not_allowed_is_refused(tmp_path, url):
    borrowing = Borrowing(PinnedCommits(tmp_path), lambda _: None)
    with pytest.raises(InvalidInput) as error:
        await borrowing.pin(elsewhere(f"acme/x@{COMMIT}"), Host(url), {})
    assert "hunter2" not in error.value.explain()
    assert not list(tmp_path.iterdir())


async def test_what_is_not_trusted_gets_nothing_that_is_hosted_here(tmp_path):
    borrowing = Borrowing(PinnedCommits(tmp_path), lambda name: Repository(tmp_path / name))
    with pytest.raises(Denied, match="the request of a fork gets nothing of it"):
        await borrowing.pin(elsewhere("acme/x@v1"), Host(trusted=False), {})


def test_a_pin_goes_through_json():
    for pin in (Pin("acme/x", "v1", COMMIT), Pin("acme/x", "v1", COMMIT, "https://a.example/acme/x.git")):
        assert Pin.from_json(pin.as_json()) == pin
    assert "url" not in Pin("acme/x", "v1", COMMIT).as_json()


async def test_what_is_longest_unused_goes_unless_it_is_held(tmp_path, monkeypatch):
    import tidegate.git.pinned as module

    monkeypatch.setattr(module, "KEPT_BYTES", 1000)
    now = 1000.0
    commits = PinnedCommits(tmp_path, now=lambda: now)
    urls = [f"https://a.example/acme/{name}.git" for name in "abc"]
    for number, url in enumerate(urls):
        path = commits.open(url).path
        path.mkdir(parents=True)
        (path / "pack").write_bytes(bytes(600))
        (path / "tidegate-used").touch()
        module.os.utime(path / "tidegate-used", (number, number))
    with commits.holding(urls[:1]):
        await commits.retire()
    assert [commits.open(url).path.exists() for url in urls] == [True, False, False]
    now = module.KEPT_SECONDS + 10
    await commits.retire()
    assert [commits.open(url).path.exists() for url in urls] == [False, False, False]


@pytest.mark.parametrize("url", ["http://git.example", "git@github.com:", "https://me:hunter2@git.example"])
def test_up_refuses_a_host_that_could_not_be_fetched_from(url, capsys):
    assert run(["up", "--actions-from", url]) == 2
    assert "hunter2" not in capsys.readouterr().err
