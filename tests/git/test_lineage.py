"""How a history is asked for many paths."""

from tidegate.git.lineage import LENGTH_AT_ONCE, PATHS_AT_ONCE, at_once


def test_paths_are_asked_for_in_parts_that_a_command_line_holds() -> None:
    short, long = [f"{number}" for number in range(1200)], [f"{number}/" + "x" * 4000 for number in range(300)]
    assert list(at_once([])) == []
    for paths in (short, long, ["x" * 2 * LENGTH_AT_ONCE, "y"]):
        parts = list(at_once(paths))
        assert [path for part in parts for path in part] == paths
        assert all(len(part) <= PATHS_AT_ONCE for part in parts)
        assert all(len(part) == 1 or sum(map(len, part)) <= LENGTH_AT_ONCE for part in parts)
    assert [len(part) for part in at_once(short)] == [500, 500, 200]
