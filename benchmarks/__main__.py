"""Run the benchmarks named on the command line, or all: `python -m benchmarks [NAME]…`, of those that ALL has.

`python -m benchmarks cluster --help` says how to measure one of its figures alone, or with fewer objects.
"""

import sys
from collections.abc import Callable, Iterator

from benchmarks import build, cluster, demo, lint, scan, select, start, update, workflow

ALL = {
    "help": start.measure,
    "select": select.measure,
    "scan": scan.measure,
    "update": update.measure,
    "lint": lint.measure,
    "workflow": workflow.measure,
    "build": build.measure,
    "demo": demo.measure,
    "cluster": cluster.measure,
}


def main() -> None:
    arguments = sys.argv[1:]
    names = [argument for argument in arguments if argument in ALL] or list(ALL)
    if arguments[:1] == ["cluster"]:
        show("cluster", lambda: cluster.measure(arguments[1:]))
        return
    if unknown := [argument for argument in arguments if argument not in ALL]:
        sys.exit(f"no benchmark is named {', '.join(unknown)}; there are {', '.join(ALL)}")
    for name in names:
        show(name, ALL[name])


def show(name: str, measure: Callable[[], Iterator[str]]) -> None:
    """Print a benchmark's lines as they come."""
    print(f"## {name}")
    for line in measure():
        print(line, flush=True)


if __name__ == "__main__":
    main()
