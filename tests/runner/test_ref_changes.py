from tidegate.runner.pushes import RefChange, changes, many_tags

A, B = "a" * 40, "b" * 40


def test_a_ref_that_moved_or_is_new_is_a_push():
    handled = {"refs/heads/main": A, "refs/heads/same": A}
    present = {"refs/heads/main": B, "refs/heads/same": A, "refs/heads/new": A, "refs/tags/v1": B}
    assert changes(handled, present) == [
        RefChange("refs/heads/main", A, B),
        RefChange("refs/heads/new", None, A),
        RefChange("refs/tags/v1", None, B),
    ]


def test_a_ref_that_is_gone_and_refs_of_other_kinds_start_nothing():
    assert changes({"refs/heads/main": A}, {"refs/notes/x": B, "refs/pull/1/head": B}) == []


def test_more_than_three_tags_at_once_start_nothing():
    tags = {f"refs/tags/v{number}": A for number in range(4)}
    assert changes({}, {**tags, "refs/heads/main": A}) == [RefChange("refs/heads/main", None, A)]
    tags.popitem()
    assert len(changes({}, tags)) == 3
    assert many_tags({}, tags) == []


def test_tags_that_start_nothing_are_known():
    tags = {f"refs/tags/v{number}": A for number in range(4)}
    found = many_tags({"refs/tags/old": B}, {**tags, "refs/tags/old": B, "refs/heads/main": A})
    assert [change.ref for change in found] == sorted(tags)
