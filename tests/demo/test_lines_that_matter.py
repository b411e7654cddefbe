from tidegate.demo.cycle import LAST_LINES, excerpt

HEAD = ["##[group]Run make", "make", "##[endgroup]"]
AFTER = ["##[group]Run next", "##[endgroup]", "What is left of the job's processes is ended now."]


def test_the_lines_of_a_failure_begin_with_the_step_s_own_and_end_with_its_error():
    log = ["earlier", *HEAD, "cc: no such file", "##[error]Process completed with exit code 1.", *AFTER]
    assert excerpt(log) == ["cc: no such file", "##[error]Process completed with exit code 1."]


def test_of_many_lines_the_last_ones_before_the_error_are_shown():
    log = [*HEAD, *map(str, range(100)), "##[error]no", *AFTER]
    assert excerpt(log) == [*map(str, range(100 - LAST_LINES + 1, 100)), "##[error]no"]


def test_a_log_without_an_error_is_shown_by_its_end():
    assert excerpt(["a", "b"]) == ["a", "b"]
    assert excerpt([]) == []
