"""Lint's answer against a simulation of the loop on random repositories: never safe where it loops."""

import random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.lint.loop_world import random_world, simulate
from tests.lint.repositories import report


def _answers(world):
    found = report(world.files())
    assert found.exit_code < 2, [finding.message for finding in found.findings]
    said = any(finding.rule.id == "feedback-loop" and finding.level == "error" for finding in found.findings)
    return said, simulate(world), found


@settings(max_examples=120, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.data())
def test_nothing_is_called_safe_that_loops(data):
    world = random_world(lambda options: data.draw(st.sampled_from(options)))
    said, loops, found = _answers(world)
    assert said or not loops, (world.files(), [safe.message for safe in found.proven])


def test_the_repositories_of_this_test_loop_often_enough_and_lint_is_seldom_wrong_about_them():
    seen = {(said, loops): 0 for said in (False, True) for loops in (False, True)}
    for seed in range(120):
        said, loops, _ = _answers(random_world(random.Random(seed).choice))
        seen[said, loops] += 1
    assert seen[False, True] == 0
    assert seen[True, True] > 20
    assert seen[True, False] < seen[True, True]
    assert seen[False, False] > 40
