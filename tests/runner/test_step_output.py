import pytest

from tidegate.base.masking import Masker
from tidegate.runner.lines import LINE_LIMIT, LineSplitter
from tidegate.runner.step_output import MASKS_LIMIT, StepOutput
from tidegate.runner.workbench import JobState


class Bench:
    def __init__(self):
        self.masker, self.lines, self.state = Masker(), [], JobState()

    async def say(self, *lines):
        self.lines += [self.masker.mask(line) for line in lines]


async def taken(*lines):
    bench = Bench()
    output = StepOutput(bench)
    await output.take(lines)
    return bench.lines, output


async def test_a_mask_counts_from_the_next_line_on():
    lines, _ = await taken("before word", "::add-mask::word", "after word")
    assert lines == ["before word", "after ***"]


async def test_annotations_show_their_place_and_title():
    lines, _ = await taken("::warning file=a.py,line=3,col=7,title=Careful::it leaks", "::notice::hi")
    assert lines == ["##[warning]a.py:3:7: Careful: it leaks", "##[notice]hi"]


async def test_outputs_are_kept_and_not_shown_unless_echoed():
    lines, output = await taken("::set-output name=a::1", "::echo::on", "::set-output name=b::2", "::echo::off")
    assert output.outputs == {"a": "1", "b": "2"}
    assert lines == ["::echo::on", "::set-output name=b::2"]


async def test_a_refused_command_is_remembered():
    lines, output = await taken("::set-env name=A::b")
    assert "disabled" in output.refused
    assert lines[0].startswith("##[error]")


async def test_commands_are_text_while_they_are_stopped():
    lines, output = await taken("::stop-commands::tok", "::set-output name=a::1", "::tok::", "::set-output name=b::2")
    assert output.outputs == {"b": "2"}
    assert lines == ["::set-output name=a::1"]


async def test_a_flood_of_masks_is_refused():
    lines, output = await taken(*(f"::add-mask::word-{number}" for number in range(MASKS_LIMIT + 1)))
    assert lines == [f"##[error]a job may mask {MASKS_LIMIT} lines; this one is more"]
    assert output.refused
    _, output = await taken("::add-mask::" + "%0A".join(f"line-{number}" for number in range(MASKS_LIMIT + 1)))
    assert output.refused


def pieces(text):
    splitter = LineSplitter()
    return [*splitter.feed(text.encode()), *splitter.end()]


@pytest.mark.parametrize("secret", ["s3cr3t-word", "wörd–with—dashes", "x-" * LINE_LIMIT + "y"])
@pytest.mark.parametrize("shift", [1, 5, 10])
async def test_a_value_is_hidden_where_a_long_line_is_cut(secret, shift):
    bench = Bench()
    bench.masker.add(secret)
    output = StepOutput(bench)
    before = "." * (LINE_LIMIT - shift)
    await output.take([*pieces(f"{before}{secret}{before}{secret}\nnext"), "last"])
    await output.end()
    assert "".join(bench.lines[:-2]) == f"{before}***{before}***"
    assert bench.lines[-2:] == ["next", "last"]


async def test_a_line_as_long_as_a_piece_is_whole():
    lines, output = await taken(*pieces("x" * LINE_LIMIT), "::set-output name=a::1")
    assert (lines, output.outputs) == (["x" * LINE_LIMIT], {"a": "1"})


async def test_of_a_long_line_nothing_is_lost():
    bench = Bench()
    bench.masker.add("secret")
    output = StepOutput(bench)
    await output.take(pieces("é" * LINE_LIMIT * 2 + "sec"))
    await output.end()
    assert "".join(bench.lines) == "é" * LINE_LIMIT * 2 + "sec"
