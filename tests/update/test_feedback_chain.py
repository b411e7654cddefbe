import pytest

from tidegate.base.errors import NotFound
from tidegate.update.feedback import LoopFoundError, check


class History:
    """Images built from commits, commits that set images: `own` commits are the automation's."""

    def __init__(self, built_from, sets, own):
        self.built_from, self.sets, self.own = built_from, sets, own

    async def check(self, image):
        await check(image, revision_of=self.revision_of, is_own=self.is_own, image_at=self.image_at)

    async def revision_of(self, image):
        if image not in self.built_from:
            raise NotFound(image)
        return self.built_from[image]

    async def is_own(self, commit):
        return commit in self.own

    async def image_at(self, commit):
        return self.sets.get(commit)


def a_loop(turns):
    """i0 is built from a person's commit; each further image from the automation's commit that set the one before."""
    built_from = {"i0": "person"} | {f"i{n}": f"auto{n - 1}" for n in range(1, turns + 1)}
    sets = {f"auto{n}": f"i{n}" for n in range(turns)}
    return History(built_from, sets, set(sets))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_up_to_three_echoes_are_allowed(turns):
    await a_loop(turns).check(f"i{turns}")


async def test_the_fourth_echo_is_a_loop_and_names_the_way_round():
    with pytest.raises(LoopFoundError) as found:
        await a_loop(4).check("i4")
    assert "i4 built from auto3 <- i3 built from auto2 <- i2 built from auto1 <- i1 built from auto0" in (
        found.value.explain()
    )


async def test_an_image_of_somebody_else_is_no_echo_however_often_it_is_updated():
    history = History({}, {f"auto{n}": f"redis:{n}" for n in range(50)}, {f"auto{n}" for n in range(50)})
    await history.check("redis:50")


async def test_an_image_that_names_no_commit_ends_the_chain():
    history = a_loop(5)
    history.built_from["i3"] = None
    await history.check("i5")
