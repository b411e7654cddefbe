"""What a step says on its output: plain lines go to the log, workflow commands do what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.base.masking import MASK
from tidegate.runner.lines import LINE_LIMIT, Piece
from tidegate.runner.workbench import Workbench
from tidegate.workflow.command_files import OUTPUTS_LIMIT
from tidegate.workflow.commands import (
    AddMask,
    Annotation,
    CommandReader,
    Debug,
    Echo,
    EndGroup,
    Group,
    Hidden,
    Meaning,
    Refused,
    SaveState,
    SetOutput,
    Text,
)

MASKS_LIMIT = 300
MASKED_CHARACTERS = 64 * 1024
COMMAND_LIMIT = OUTPUTS_LIMIT
"""Characters of a line that is a command; a longer one is refused."""


class StepOutput:
    """Takes one step's lines. `outputs` and `state` are set by commands; `refused` says what the step may not do."""

    def __init__(self, bench: Workbench):
        self.outputs: dict[str, str] = {}
        self.state: dict[str, str] = {}
        self.refused: str | None = None
        self._bench = bench
        self._reader = CommandReader()
        self._echo = False
        self._held = ""
        self._begun = False
        self._dropping = False

    async def take(self, lines: Sequence[str]) -> None:
        """Read lines in order, a mask in one counting for the next.

        A line so long that it comes in pieces is shown in other pieces where a hidden value would be torn apart, and
        read as a whole where it is a command.
        """
        for line in lines:
            goes_on = isinstance(line, Piece)
            if not self._dropping:
                text, self._held = self._held + line, ""
                text = await self._ready(text) if goes_on else text
                if text or not goes_on:
                    await self._read(text)
                    self._begun = True
            if not goes_on:
                self._begun = self._dropping = False

    async def end(self) -> None:
        """Read what was held back of a last line."""
        text, self._held = self._held, ""
        if text:
            await self._read(text)

    async def _ready(self, text: str) -> str:
        """What of the beginning of a line can be read before the rest is there; the rest of it is held back."""
        masker = self._bench.masker
        if not self._begun and self._reader.acts_on(text):
            end = 0
            if len(text) > COMMAND_LIMIT:
                self.refused = f"a command is longer than {COMMAND_LIMIT} characters"
                self._dropping = True
                await self._bench.say(f"##[error]{self.refused}")
                return ""
        else:
            end = masker.cut(text)
            if end == 0 and len(text) > masker.longest + 2 * LINE_LIMIT:
                # Hidden values without a gap: what follows could be the middle of one.
                self._dropping = True
                return f"{MASK} (the rest of this line is hidden)"
        self._held = text[end:]
        return text[:end]

    async def _read(self, line: str) -> None:
        shown = self._act(self._reader.read(line), line)
        if shown is not None:
            await self._bench.say(*shown)

    def _act(self, meaning: Meaning, line: str) -> tuple[str, ...] | None:
        """Do what a line means; the lines to show for it, or None."""
        match meaning:
            case Text(text):
                return (text,)
            case Annotation(level, message, properties):
                return (f"##[{level}]{_placed(message, properties)}",)
            case Group(title):
                return (f"##[group]{title}",)
            case EndGroup():
                return ("##[endgroup]",)
            case AddMask(value):
                return self._mask(value)
            case SetOutput(name, value):
                self.outputs[name] = value
            case Refused(message):
                self.refused = message
                return (f"##[error]{message}",)
            case Echo(on):
                self._echo = on
            case SaveState(name, value):
                self.state[name] = value
            case Debug() | Hidden():
                pass
        return (line,) if self._echo else None

    def _mask(self, value: str) -> tuple[str, ...] | None:
        """Hide a value from now on. Every line of the log is searched for every value, so there is a bound."""
        state = self._bench.state
        state.masked_lines += 1 + value.count("\n")
        state.masked_characters += len(value)
        if state.masked_lines > MASKS_LIMIT or state.masked_characters > MASKED_CHARACTERS:
            most = f"{MASKS_LIMIT} lines of {MASKED_CHARACTERS} characters in all"
            self.refused = f"a job may mask {most}; this is more"
            return (f"##[error]{self.refused}",)
        self._bench.masker.add(value)
        return None


def _placed(message: str, properties: Mapping[str, str]) -> str:
    """A message with the place that an annotation gives it."""
    place = ":".join(properties[name] for name in ("file", "line", "col") if properties.get(name))
    title = properties.get("title")
    text = f"{title}: {message}" if title else message
    return f"{place}: {text}" if place else text
