"""Which `RUN pip install` is understood, and what is said of any other command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.build.actions import InstallWheels, Remove
from tidegate.build.commands import Script, read_script, read_words
from tidegate.build.native import NotNative
from tidegate.build.pip import PipInstall, with_settings


def shell(text: str, **variables: str) -> Script:
    return read_script(text, {"HOME": "/root"} | variables, "/app")


def installs(script: Script) -> tuple[PipInstall, ...]:
    return tuple(action.install for action in script.actions if isinstance(action, InstallWheels))


def install(text: str, **variables: str) -> PipInstall:
    (found,) = installs(shell(text, **variables))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "pip install -r requirements.txt",
        "pip3 install --requirement requirements.txt",
        "pip3.11 install --requirement=requirements.txt",
        "python -m pip install -rrequirements.txt",
        "python3 -m pip --no-cache-dir install -r requirements.txt",
        "/usr/local/bin/pip install --no-cache-dir -r requirements.txt",
        "set -eux; pip install -r requirements.txt",
        "PIP_NO_CACHE_DIR=1 pip install -r 'requirements.txt'",
        "pip install --progress-bar off -q --root-user-action=ignore -r requirements.txt",
        "pip install -r requirements.txt && rm -rf /root/.cache",
        "pip install -r requirements.txt && pip cache purge",
        "pip install --upgrade pip && pip install -r requirements.txt",
        "pip install -r requirements.txt  # all of it",
    ],
)
def test_the_forms_that_people_write_mean_the_same(text: str) -> None:
    assert install(text) == PipInstall(requirements=("requirements.txt",))


def test_names_constraints_indexes_and_switches_are_kept() -> None:
    text = (
        "pip install -U --pre 'fastapi[all]>=0.110' uvicorn==0.29 -c limits.txt --extra-index-url https://x.example/s"
    )
    assert install(text) == PipInstall(
        names=("fastapi[all]>=0.110", "uvicorn==0.29"),
        constraints=("limits.txt",),
        extra_index_urls=("https://x.example/s",),
        upgrade=True,
        pre=True,
    )


def test_several_installations_stay_apart_and_in_order() -> None:
    found = shell("pip install a && pip install --no-deps b")
    assert installs(found) == (PipInstall(names=("a",)), PipInstall(names=("b",), no_deps=True))


def test_the_exec_form_is_understood() -> None:
    assert installs(read_words(["pip", "install", "a>1"], {}, "/app")) == (PipInstall(names=("a>1",)),)


def test_variables_are_filled_in() -> None:
    assert install("pip install app==$V ${EXTRA:-b}", V="1.0").names == ("app==1.0", "b")


@pytest.mark.parametrize("text", ["pip install pip", "pip install --upgrade pip", "python -m pip install -U 'pip>=24'"])
def test_pip_itself_is_left_out_with_a_note(text: str) -> None:
    found = shell(text)
    assert found.actions == ()
    assert len(found.notes) == 1


def test_pip_among_others_is_left_out() -> None:
    assert install("pip install --upgrade pip setuptools wheel") == PipInstall(
        names=("setuptools", "wheel"), upgrade=True
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apt-get upgrade && pip install a", "`apt-get upgrade` must be run"),
        ("make", "`make` must be run"),
        ("pip download a", "`pip download a` must be run"),
        ("pip install a | tee log", "the shell's '|' must be run"),
        ("pip install a > log", "what `pip` says can't be sent to a file"),
        ("pip install a>=1.0", "put quotes around a requirement"),
        ("pip install $(cat list)", "a command inside a command"),
        ("pip install `cat list`", "a command inside a command"),
        ("(pip install a)", "the shell's '('"),
        ("pip install a &", "the shell's '&'"),
        ("pip install 'a", "the shell would wait for another '"),
        ("pip install .", "'.' must be built from its source"),
        ("pip install ./app", "must be built from its source"),
        ("pip install /wheels/app.whl", "must be built from its source"),
        ("pip install app-1.0-py3-none-any.whl", "must be built from its source"),
        ("pip install git+https://x/y", "must be built from its source"),
        ("pip install 'app @ file:///etc/passwd'", "must be built from its source"),
        ("pip install 'app @ https://x.example/app.tar.gz'", "must be built from its source"),
        ("pip install 'app @ https://u:p@x.example/app.whl'", "has a user or password in it"),
        ("pip install -e .", "pip's option -e is not understood natively"),
        ("pip install --prefix=/x a", "pip's option --prefix is not understood natively"),
        ("pip install --no-binary :all: a", "pip's option --no-binary is not understood natively"),
        ("pip install -r", "pip's option -r needs a value"),
        ("pip install", "names nothing to install"),
        ("pip install -i file:///srv a", "an index must be at a web address"),
        ("pip install -i http://127.0.0.1:9/simple a", "would be asked on the machine that builds"),
        ("pip install --extra-index-url http://localhost/s a", "would be asked on the machine that builds"),
        ("pip install -i http://169.254.169.254/s a", "would be asked on the machine that builds"),
        ("PIP_TARGET=/x pip install a", "the setting PIP_TARGET"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, message: str) -> None:
    with pytest.raises(NotNative) as raised:
        shell(text)
    assert message in str(raised.value)


def test_a_wheel_by_its_address_is_taken() -> None:
    name = "app @ https://x.example/app-1.0-py3-none-any.whl#sha256=aa"
    assert install(f"pip install '{name}'").names == (name,)


def test_the_lines_own_index_wins_over_the_environments() -> None:
    environment = {"PIP_INDEX_URL": "https://env/", "PIP_EXTRA_INDEX_URL": "https://e1/ https://e2/"}
    found = [with_settings(PipInstall(names=("a",), index_url=url), environment) for url in ("https://line/", None)]
    assert [one.index_url for one in found] == ["https://line/", "https://env/"]
    assert found[0].extra_index_urls == ("https://e1/", "https://e2/")


@pytest.mark.parametrize(
    ("text", "environments", "strict"),
    [
        ("pip install a", ("/opt/venv",), False),
        ("/usr/local/bin/pip install a", (), False),
        ("/srv/venv/bin/pip install a", ("/srv/venv",), True),
        ("/srv/venv/bin/python -m pip install a", ("/srv/venv",), True),
        (". /srv/venv/bin/activate && pip install a", ("/srv/venv", "/opt/venv"), False),
        ("PATH=/usr/bin; pip install a", (), False),
    ],
)
def test_a_virtual_environment_is_the_programs_own_or_the_first_on_path(
    text: str, environments: tuple[str, ...], strict: bool
) -> None:
    found = install(text, PATH="/opt/venv/bin:/usr/local/bin:/usr/bin")
    assert (found.environments, found.strict) == (environments, strict)


def test_places_of_the_user_and_of_the_line_are_known() -> None:
    assert install("pip install --user a").user
    assert install("pip install --target=lib a").target == "lib"
    assert install("pip install -t /lib a").target == "/lib"


def test_what_stands_after_a_success_is_not_run() -> None:
    assert installs(shell("pip install a || pip install b")) == (PipInstall(names=("a",)),)
    assert installs(shell("pip install a || true && pip install b")) == (
        PipInstall(names=("a",)), PipInstall(names=("b",)),
    )  # fmt: skip


def test_a_cache_is_removed_where_there_is_one() -> None:
    found = shell("pip install a && rm -rf /root/.cache")
    assert [type(action) for action in found.actions] == [InstallWheels, Remove]


@given(st.text(alphabet="ab '\"\\$&|;#<>-.=\n", max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        shell(f"pip install {text}")
    except NotNative:
        return
