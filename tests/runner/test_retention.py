from tidegate.runner.retention import superfluous


def run(workflow, number, status="completed"):
    spec = {"workflow": workflow, "runNumber": number}
    return {"metadata": {"name": f"{workflow}-{number}"}, "spec": spec, "status": {"status": status}}


def names(runs, kept):
    return sorted(found["metadata"]["name"] for found in superfluous(runs, kept))


def test_the_newest_of_each_workflow_stay():
    runs = [run("a", number) for number in (1, 2, 3)] + [run("b", 1)]
    assert names(runs, 2) == ["a-1"]


def test_what_is_not_over_stays():
    assert names([run("a", 1, "in_progress"), run("a", 2, "queued"), run("a", 3), run("a", 4)], 1) == ["a-3"]


def test_a_run_without_a_number_is_the_oldest():
    assert names([run("a", None), run("a", 1)], 1) == ["a-None"]
