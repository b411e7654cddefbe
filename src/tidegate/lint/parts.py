"""The strongly connected parts of a graph: Tarjan's algorithm, without recursion. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


def parts(following: Mapping[int, Iterable[int]]) -> dict[int, int]:
    """Each node's part, as a number. Two nodes are of one part where each can be reached from the other."""
    order: dict[int, int] = {}
    lowest: dict[int, int] = {}
    part: dict[int, int] = {}
    open_nodes: list[int] = []
    for root in following:
        if root in order:
            continue
        way: list[tuple[int, Iterator[int]]] = []
        _enter(root, following, order, lowest, open_nodes, way)
        while way:
            node, rest = way[-1]
            after = next(rest, None)
            if after is None:
                way.pop()
                if way:
                    lowest[way[-1][0]] = min(lowest[way[-1][0]], lowest[node])
                if lowest[node] == order[node]:
                    _close(node, open_nodes, part)
            elif after not in order:
                _enter(after, following, order, lowest, open_nodes, way)
            elif after not in part:
                lowest[node] = min(lowest[node], order[after])
    return part


def _enter(
    node: int,
    following: Mapping[int, Iterable[int]],
    order: dict[int, int],
    lowest: dict[int, int],
    open_nodes: list[int],
    way: list[tuple[int, Iterator[int]]],
) -> None:
    order[node] = lowest[node] = len(order)
    open_nodes.append(node)
    way.append((node, iter(following.get(node, ()))))


def _close(node: int, open_nodes: list[int], part: dict[int, int]) -> None:
    """The nodes above `node` on the stack are its part."""
    while True:
        member = open_nodes.pop()
        part[member] = node
        if member == node:
            return
