"""What `tidegate install` refuses before it asks a cluster for anything."""

import pytest

from tidegate.cli.main import run


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--kinds", "bogus"], "'bogus' is no kind that Tidegate reconciles; one of: source, kustomize"),
        (["--kinds", ""], "names no kind"),
        (["--kinds", " , "], "names no kind"),
        (["--image", "Not a ref"], "is no image reference"),
        (["--image", ""], "is no image reference"),
        (["--namespace", "Bad NS"], "'Bad NS' is no namespace"),
        (["--namespace", "a" * 64], "is no namespace"),
        (["--namespace", "tide-"], "is no namespace"),
    ],
)
def test_what_no_cluster_takes_is_a_wrong_use(arguments, told, capsys):
    assert run(["install", "--export", *arguments]) == 2
    shown = capsys.readouterr()
    assert told in shown.err
    assert shown.out == ""


def test_other_words_are_taken(capsys):
    words = ["--kinds", "image,ks", "--image", "ghcr.io/me/tidegate:1", "-n", "tide"]
    assert run(["install", "--export", *words]) == 0
    assert "image: ghcr.io/me/tidegate:1" in capsys.readouterr().out
