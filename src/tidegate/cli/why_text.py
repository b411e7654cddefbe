"""An explanation as people read it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tidegate.cli.tables import table_lines
from tidegate.kinds.common import mapping


def lines_of(name: str, told: Mapping[str, Any]) -> list[str]:
    """The lines about the policy `name` (`NS/NAME`); `told` is an Explanation as JSON."""
    head = f"ImagePolicy {name}"
    if told.get("problem"):
        lines = [f"{head} selects nothing: {told['problem']}", *table_lines([], _present(told))]
    else:
        selected = f"{told['image']}:{told['selected']}" if told.get("selected") else "nothing"
        lines = [f"{head} selects {selected}", *_facts(told)]
    for title, key in (("asked about:", "asked"), ("the nearest others:", "losers")):
        rows = [[str(row["tag"]), str(row["reason"])] for row in _rows(told, key)]
        lines += [title, *(f"  {line}" for line in table_lines([], rows))] if rows else []
    for title, key in (("what would change it:", "advice"), ("to know:", "notes")):
        texts = [str(text) for text in told.get(key) or []]
        lines += [title, *_indented(texts)] if texts else []
    return lines


def _indented(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        first, *more = text.splitlines() or [""]
        yield f"  {first}"
        yield from (f"    {line}" for line in more)


def _facts(told: Mapping[str, Any]) -> list[str]:
    facts = [["rule", str(told.get("rule", ""))]]
    if told.get("filter"):
        extract = f", of which {told['extract']} is ordered" if told.get("extract") else ""
        facts.append(["filter", f"{told['filter']}{extract}"])
    facts.append(["tags", str(told.get("summary", ""))])
    if told.get("because"):
        facts.append(["because", str(told["because"])])
    return table_lines([], [*facts, *_present(told)])


def _present(told: Mapping[str, Any]) -> list[list[str]]:
    words = {"status": "present", "before": "previous"}
    return [[word, str(told[key])] for word, key in words.items() if told.get(key)]


def _rows(told: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    return [row for row in told.get(key) or [] if mapping(row)]
