"""An explanation as people read it."""

from tidegate.cli.why_text import lines_of
from tidegate.select.explanation import Explanation


def test_an_answer_is_told_whole():
    made = Explanation(
        image="ghcr.io/me/web",
        rule="semver ^1",
        filter="^v(.*)$",
        extract="$1",
        total=3,
        counts=[("outside ^1", 2), ("candidate", 1)],
        selected="v1.0.1",
        because="pinned",
        present="ghcr.io/me/web:v1.0.1",
        previous="ghcr.io/me/web:v1.0.0",
        losers=[("v2.0.0", "outside the range ^1"), ("v10.0.0", "outside the range ^1")],
        asked=[("v9", "there is no such tag")],
        advice=["the range * would select v10.0.0"],
        notes=["the last scan was just now"],
    )
    assert lines_of("flux-system/web", made.as_json()) == [
        "ImagePolicy flux-system/web selects ghcr.io/me/web:v1.0.1",
        "rule      semver ^1",
        "filter    ^v(.*)$, of which $1 is ordered",
        "tags      3 tags: 2 outside ^1, 1 candidate",
        "because   pinned",
        "status    ghcr.io/me/web:v1.0.1",
        "before    ghcr.io/me/web:v1.0.0",
        "asked about:",
        "  v9   there is no such tag",
        "the nearest others:",
        "  v2.0.0    outside the range ^1",
        "  v10.0.0   outside the range ^1",
        "what would change it:",
        "  the range * would select v10.0.0",
        "to know:",
        "  the last scan was just now",
    ]


def test_why_there_is_no_answer_is_told_with_what_stands_in_the_status():
    made = Explanation(problem="it does not exist", present="ghcr.io/me/web:1.0.0")
    assert lines_of("apps/web", made.as_json()) == [
        "ImagePolicy apps/web selects nothing: it does not exist",
        "status   ghcr.io/me/web:1.0.0",
    ]


def test_where_no_tag_qualifies_nothing_is_selected():
    made = Explanation(image="ghcr.io/me/web", rule="semver ^1", total=1, counts=[("outside ^1", 1)])
    assert lines_of("apps/web", made.as_json())[0] == "ImagePolicy apps/web selects nothing"


def test_a_note_of_several_lines_stays_one_note():
    made = Explanation(notes=["the registry answered 404\ncheck the name", "the last scan was just now"])
    assert lines_of("apps/web", made.as_json())[-4:] == [
        "to know:",
        "  the registry answered 404",
        "    check the name",
        "  the last scan was just now",
    ]
