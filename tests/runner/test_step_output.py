import pytest

from tidegate.base.masking import Masker
from tidegate.runner.lines import LINE_LIMIT, LineSplitter
from tidegate.runner.step_output import COMMAND_LIMIT, MASKED_CHARACTERS, MASKS_LIMIT, StepOutput
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
    assert lines == [
        f"##[error]a job may mask {MASKS_LIMIT} lines of {MASKED_CHARACTERS} characters in all; this is more"
    ]
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


async def test_a_long_command_is_read_whole_and_none_of_it_shown():
    value = "k3y-" * LINE_LIMIT
    bench = Bench()
    output = StepOutput(bench)
    await output.take(pieces(f"::add-mask::{value[:40_000]}\n::set-output name=a::{value}\nafter {value[:40_000]}"))
    await output.end()
    assert bench.lines == ["after ***"]
    assert output.outputs == {"a": value}


async def test_a_command_without_an_end_is_refused_and_held_no_longer():
    bench = Bench()
    output = StepOutput(bench)
    splitter = LineSplitter()
    for _ in range(3 * COMMAND_LIMIT // LINE_LIMIT):
        await output.take(splitter.feed(b"::set-output name=a::" + b"x" * LINE_LIMIT))
        assert len(output._held) <= COMMAND_LIMIT + 2 * LINE_LIMIT
    await output.take(splitter.feed(b"\nnext\n"))
    assert bench.lines == [f"##[error]a command is longer than {COMMAND_LIMIT} characters", "next"]
    assert output.outputs == {}


@pytest.mark.parametrize("secret", ["aa", "aaaa", "a" * 100])
async def test_a_line_of_nothing_but_hidden_values_is_neither_shown_nor_kept(secret):
    bench = Bench()
    bench.masker.add(secret)
    output = StepOutput(bench)
    splitter = LineSplitter()
    for _ in range(40):
        await output.take(splitter.feed(b"a" * LINE_LIMIT))
        assert len(output._held) <= 3 * LINE_LIMIT + len(secret)
    await output.take(splitter.feed(b"a\nnext\n"))
    assert bench.lines == ["*** (the rest of this line is hidden)", "next"]


async def test_a_flood_of_long_masks_is_refused():
    _, output = await taken("::add-mask::" + "x" * 40_000, "::add-mask::" + "y" * 40_000)
    assert output.refused


async def test_nothing_to_mask_is_no_failure():
    lines, output = await taken("::add-mask::", "::add-mask::   ")
    assert lines == ["##[warning]::add-mask:: has no value, so it hides nothing"] * 2
    assert output.refused is None


async def test_one_letter_can_be_masked():
    lines, _ = await taken("::add-mask::e", "the letter", "***")
    assert lines == ["th*** l***tt***r", "***"]
