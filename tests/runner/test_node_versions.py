"""Whether a version of Node.js is what `node-version` asks for."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.runner.actions.setup_node import _of_lines, _of_package, fits


@pytest.mark.parametrize(
    "wanted",
    ["", "*", "latest", "node", "lts/*", "20", "v20", "20.x", "20.20", "20.20.2", ">=18", ">= 18.0", "^20.1.0",
     "~20.20",
     "18 || 20", ">=18 <21", "18 - 20", "<=20", "=20.20.2", "20.x.x"],
)  # fmt: skip
def test_it_is(wanted):
    assert fits((20, 20, 2), wanted)


@pytest.mark.parametrize(
    "wanted", ["2", "18", "20.2", "20.20.20", ">20", ">=21", "<20", "^18", "^20.21.0", "~20.19", "18 || 22", "16 - 18"]
)
def test_it_is_not(wanted):
    assert not fits((20, 20, 2), wanted)


@pytest.mark.parametrize("wanted", ["lts/hydrogen", "twenty", "20-nightly", ">=", "20; rm"])
def test_what_is_no_version_is_refused(wanted):
    with pytest.raises(InvalidInput, match="is no version of Node"):
        fits((20, 20, 2), wanted)


def test_the_files_that_ask_for_a_version():
    assert _of_lines("# ours\nv20.1\n") == "v20.1"
    assert _of_lines("python 3.12\nnodejs 20.1.0 # why\n") == "20.1.0"
    assert _of_lines("\n") == ""
    assert _of_package('{"engines": {"node": ">=18"}, "volta": {"node": "20.1.0"}}') == "20.1.0"
    assert _of_package("[]") == ""
    with pytest.raises(InvalidInput):
        _of_package("{")
