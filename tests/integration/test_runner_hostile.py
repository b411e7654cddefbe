"""Workflows that mean harm, by what they say and write: they reach nobody, leave nothing and keep nobody waiting."""

import base64
import json
import os
import sys
import urllib.parse
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from runner_home import NAMESPACE, RUNNER, RunnerHome, git, workflow

from tidegate.kinds.objects import key_of
from tidegate.runner import place
from tidegate.runner.cancelling import CANCEL
from tidegate.runner.feed import PushKey

pytestmark = pytest.mark.integration
KEY = 'hunter2 "is" & <secret>'
PEM = "-----BEGIN KEY-----\nbGluZS1vbmU\nbGluZS10d28\n-----END KEY-----\n"


@pytest.fixture
async def home(tmp_path):
    home = RunnerHome(tmp_path)
    await home.set_up()
    return home


async def with_secrets(home, **secrets):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ci", "namespace": NAMESPACE}}
    await home.store.create({**secret, "stringData": secrets}, manager="test")
    runner = await home.store.get(RUNNER)
    await home.store.patch(RUNNER, {"spec": {**runner["spec"], "secretRef": {"name": "ci"}}}, manager="test")


async def run_steps(home, steps, *, timeout=60, **parts):
    home.commit(workflow(steps, **parts))
    async with home.running():
        home.push()
        (run,) = await home.finished(timeout=timeout)
    return run, home.log(run)


def conclusions(run):
    return {step["name"]: step["conclusion"] for step in run["status"]["jobs"][0]["steps"]}


def everything(home, run, log):
    name = run["metadata"]["name"]
    names = [artifact.name for artifact in home.artifacts.of_run(name)]
    return log + json.dumps(run, ensure_ascii=False) + home.logs.summary(name, 1, "build") + str(names)


async def test_a_secret_is_hidden_in_every_form_that_a_step_can_give_it(home):
    await with_secrets(home, KEY=KEY, PEM=PEM)
    steps = """
- id: leak
  shell: python
  env: {KEY: "${{ secrets.KEY }}", PEM: "${{ secrets.PEM }}"}
  run: |
    import base64, json, os, urllib.parse, sys
    key, pem = os.environ["KEY"], os.environ["PEM"]
    forms = [
        key, json.dumps(key), json.dumps({"a": [key, pem]}), urllib.parse.quote(key), urllib.parse.quote_plus(key),
        base64.b64encode(key.encode()).decode(), base64.b64encode(f"user:{key}".encode()).decode(),
        base64.urlsafe_b64encode(f"xy{key}z".encode()).decode(), key.replace("'", "''"),
        key.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"), pem,
        urllib.parse.quote(pem), base64.b64encode(pem.encode()).decode(), "long " * 5000 + key + " long" * 5000,
    ]
    for form in forms:
        print("log:", form)
        print(f"::error title={form}::{form}")
        print(f"::debug::{form}")
        print(f"::group::{form}")
        print("::endgroup::")
    sys.stdout.flush()
    os.write(1, b"torn: " + key[:9].encode())
    os.write(1, key[9:].encode() + b"\\n")
    with open(os.environ["GITHUB_STEP_SUMMARY"], "a") as summary:
        summary.write("\\n".join(forms))
    for number, form in enumerate(forms):
        with open(os.environ["GITHUB_OUTPUT"], "a") as file:
            file.write(f"form{number}<<END-OF-IT\\n{form}\\nEND-OF-IT\\n")
        with open(os.environ["GITHUB_ENV"], "a") as file:
            file.write(f"FORM{number}<<END-OF-IT\\n{form}\\nEND-OF-IT\\n")
    print("::warning::said everything")
- name: "shown ${{ env.FORM0 }} ${{ steps.leak.outputs.form5 }}"
  env: {AGAIN: "${{ steps.leak.outputs.form1 }}"}
  run: env; echo "${FORM10}"
- name: artifact
  continue-on-error: true
  uses: actions/upload-artifact@v4
  with: {name: "of ${{ steps.leak.outputs.form5 }}", path: .}
- name: cache
  continue-on-error: true
  uses: actions/cache/save@v4
  with: {key: "of ${{ secrets.KEY }}", path: .}
- name: wrong
  continue-on-error: true
  run: exit 1
  working-directory: ${{ steps.leak.outputs.form5 }}
"""
    outputs = ", ".join(f"o{number}: '${{{{ steps.leak.outputs.form{number} }}}}'" for number in range(14))
    run, log = await run_steps(home, steps, job=f"outputs: {{{outputs}}}")
    assert "said everything" in log, log
    found = everything(home, run, log)
    key = KEY.encode()
    forms = {
        "hunter2", "bGluZS1vbmU", "bGluZS10d28", urllib.parse.quote(KEY)[:20], base64.b64encode(key).decode()[:16],
        base64.b64encode(b"user:" + key).decode()[8:24], base64.urlsafe_b64encode(b"xy" + key).decode()[4:20],
        base64.b64encode(PEM.encode()).decode()[:24], "&lt;secret",
    }  # fmt: skip
    assert [found[max(0, found.find(form) - 80) : found.find(form) + 80] for form in forms if form in found] == []
    assert log.count("Skip output") == 14
    assert conclusions(run)["artifact"] == "success", "it may fail"
    assert "the artifact's name holds a secret" in log


async def test_games_with_masks_hide_more_and_never_less(home):
    await with_secrets(home, KEY="aaaaaa")
    steps = """
- name: letters
  run: |
    echo "::add-mask::"; echo "::add-mask:: "; echo "::add-mask::q"; echo "quiet question"
    echo "##[add-mask]bracket-word"; echo "a bracket-word is hidden"
    echo "early later-word"; echo "::add-mask::later-word"; echo "now later-word"
    echo "::add-mask::***"; echo "stars *** stay"
    printf '::add-mask::one%%0Atwo-lines%%0A\\n'; echo "and two-lines"
- name: endless
  timeout-minutes: 0.2
  shell: python
  run: |
    import os
    block = b"a" * 65536
    for _ in range(400):
        os.write(1, block)
    print()
    print("after the long line")
- name: long
  shell: python
  run: |
    secret = "s3cr3t-" * 6000
    print("::add-mask::" + secret)
    print("x" + secret + "x")
- name: many
  run: for i in $(seq 2000); do echo "::add-mask::mask-number-$i"; done
- name: after
  if: always()
  run: echo "mask-number-7 and plain"
"""
    run, log = await run_steps(home, steps)
    found = conclusions(run)
    assert (found["letters"], found["endless"], found["long"], found["many"], found["after"]) == (
        "success", "success", "success", "failure", "success",
    )  # fmt: skip
    assert "***uiet ***uestion" in log
    assert "a *** is hidden" in log
    assert "\nearly later-word" in log, "a mask counts from the next line on"
    assert "\nnow ***" in log
    assert "\nand ***" in log
    assert "s3cr3t-s3cr3t-" not in log
    assert "(the rest of this line is hidden)" in log
    assert "\nafter the long line" in log
    assert "a job may mask 300 lines" in log
    assert "\n*** and plain" in log


async def test_a_log_without_bound_and_a_line_without_end_cost_nobody_anything(home):
    """Of all of it 200 kB are kept, and the server's memory does not grow."""
    home.logs._limit = 200_000
    steps = """
- name: line
  shell: python
  run: |
    import os
    block = b"x" * (1 << 20)
    for _ in range(50):
        os.write(1, block)
- name: lines
  run: yes "a line of a flood that has no end" | head -c 8M
- run: echo the-very-end
"""
    before = resident()
    run, log = await run_steps(home, steps, timeout=240)
    assert run["status"]["conclusion"] == "success"
    path = home.logs.path(run["metadata"]["name"], 1, "build")
    assert path.stat().st_size < 300_000
    assert "bytes are not kept here" in log
    assert "the-very-end" in log
    assert resident() - before < 60 * 1024 * 1024


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_files_of_a_step_that_are_too_large_or_of_odd_names_fail_it_or_mean_nothing(home):
    steps = """
- name: sparse
  run: truncate -s 4G "$GITHUB_ENV" "$GITHUB_OUTPUT" "$GITHUB_STEP_SUMMARY"
- name: large
  if: always()
  run: head -c 3M /dev/zero | tr '\\\\0' 'x' | sed 's/^/a=/' >"$GITHUB_OUTPUT"
- name: node
  if: always()
  run: echo "node_OPTIONS=--require /tmp/evil.js" >>"$GITHUB_ENV"
- name: names
  if: always()
  run: |
    printf '%s\\n' GITHUB_SHA=evil GITHUB_TOKEN=evil RUNNER_TEMP=/evil GITHUB_WORKSPACE=/evil GITHUB_ACTIONS=no \\
      GITHUB_OUTPUT=/etc/passwd GITHUB_ENV=/evil GITHUB_REPOSITORY=evil/evil CI=false MINE=yes >>"$GITHUB_ENV"
- name: kept
  if: always()
  run: |
    echo "sha $GITHUB_SHA temp $RUNNER_TEMP space $GITHUB_WORKSPACE of $GITHUB_REPOSITORY mine $MINE"
    test -w "$GITHUB_OUTPUT" && test -w "$GITHUB_ENV" && echo writable
- name: preload
  if: always()
  run: echo "LD_PRELOAD=/home/runner/evil.so" >>"$GITHUB_ENV"; echo "BASH_ENV=/nowhere" >>"$GITHUB_ENV"
- name: nul
  if: always()
  run: printf 'NUL=a\\0b\\n' >>"$GITHUB_ENV"
- name: after nul
  if: always()
  run: echo never
- name: path
  if: always()
  run: seq 300000 >>"$GITHUB_PATH"
- if: always()
  uses: actions/checkout@v4
"""
    run, log = await run_steps(home, steps)
    found = conclusions(run)
    assert (found["sparse"], found["large"], found["node"], found["names"], found["kept"]) == (
        "failure", "failure", "failure", "success", "success",
    ), log  # fmt: skip
    sha = git(home.folder, "rev-parse", "HEAD")
    assert f"sha {sha} temp /home/runner/work/_temp space /home/runner/work/shop/shop of acme/shop mine yes" in log
    assert "\nwritable" in log
    assert "NODE_OPTIONS cannot be set through $GITHUB_ENV" in log
    assert "root:" not in log


async def test_commands_with_odd_payloads_change_nothing_but_the_log(home):
    steps = r"""
- id: odd
  name: odd
  shell: python
  run: |
    lines = [
        "::error file=../../../etc/passwd,line=-1,col=x,title=%0A%0D::%0A::set-output name=inner::1%0A",
        "::set-output name=__proto__::x", "::set-output name=" + "n" * 2000 + "::x", "::error " + "a=b," * 4000 + "::x",
        "::group::" + "g" * 9000, "::unknown name=x::y", "::notice file=%2Fetc%2Fpasswd::x", ":: ::", "::::", "::a",
        "##[", "##[]x", "##[error", "::ERROR::upper", "\x1b[31m::warning::coloured", "::endgroup::", "::endgroup::",
        "::debug::" + "\x00" * 10, "::stop-commands::pause", "::set-output name=stopped::1", "::add-mask::odd",
        "::PAUSE::", "::set-output name=after::1", "::save-state name=x::y", "::echo::on", "::set-output name=e::1",
    ]
    for line in lines:
        print(line)
- env: {O: "${{ toJSON(steps.odd.outputs) }}"}
  shell: python
  run: |
    import json, os
    found = json.loads(os.environ["O"])
    print("outputs", *(f"{name}={found[name]}" for name in ("inner", "stopped", "after") if name in found))
- name: stop
  run: echo "::stop-commands::set-output"
- name: env
  if: always()
  run: echo "::set-env name=X::y"; echo "::add-path::/evil"
"""
    run, log = await run_steps(home, steps)
    found = conclusions(run)
    assert (found["odd"], found["stop"], found["env"]) == ("success", "failure", "failure"), log
    assert "\noutputs after=1" in log
    assert "the command set-env is disabled" in log


async def test_event_data_in_a_script_does_what_it_does_at_github_and_no_more(home):
    """In the job's own shell it is a part of the script; in our own uses of it, none of it ever is."""
    outside = home.root / "outside"
    evil = f"touch${{IFS}}{outside}/evil"
    message = f'x\x1b[31m"; {evil.replace("${IFS}", " ")}; #\n\n$({evil})\n`{evil}`\n::set-output name=x::y\n%0A\x1b[2J'
    branch = f"feature/$({evil});`{evil}`&|'q'".replace(str(outside), "evil").replace("[", "")
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    steps = """
- uses: actions/checkout@v4
- name: as text
  env: {MESSAGE: "${{ github.event.head_commit.message }}", REF: "${{ github.ref_name }}"}
  run: |
    printf '%s' "$MESSAGE" | sha256sum
    printf 'ref %s\\n' "$REF" "$GITHUB_REF_NAME"
    printf 'files %s\\n' *
- name: in the script
  run: |
    echo "${{ github.event.head_commit.message }}"
"""
    files = {
        **workflow(steps, head="on: {push: {paths: ['odd/**', '!odd/x']}}\nconcurrency: ${{ github.ref }}"),
        f"odd/$({evil.replace('/', '_')})": "1", "odd/a\nb;`id`": "2", "odd/-rf": "3", "odd/'q\"": "4", "--help": "5",
    }  # fmt: skip
    home.commit(files, message)
    async with home.running():
        told = home.feed.push(PushKey("acme/shop", f"refs/heads/{branch}", git(home.folder, "rev-parse", "HEAD")))
        home.push(f"HEAD:refs/heads/{branch}")
        (run,) = await home.finished(timeout=60)
        lines = [entry.text async for entry in told]
    log = home.log(run)
    assert len(lines) > 3
    assert not any("\x1b" in line or "\n" in line for line in lines)
    found = conclusions(run)
    assert found["as text"] == "success", log
    assert f"ref {branch}" in log
    assert list(outside.iterdir()) == []
    title = run["metadata"]["annotations"]["tidegate.dev/title"]
    assert "\n" not in title
    assert "\x1b" not in title
    assert not any(path.name == "evil" for path in home.root.rglob("*"))


async def test_the_jobs_agent_and_other_programs_are_out_of_reach(home):
    steps = """
- shell: python
  run: |
    import ctypes, os, signal
    libc = ctypes.CDLL(None, use_errno=True)
    agent = os.getppid()
    def read(path):
        return open(path, "rb").read(1)

    for use, names in ((read, "environ mem maps"), (os.listdir, "fd"), (os.readlink, "root cwd exe")):
        for name in names.split():
            try:
                use(f"/proc/{agent}/{name}")
                print("LEAK", name)
            except OSError as error:
                print("refused", name, error.errno)
    for pid in (1, agent):
        if libc.ptrace(16, pid, 0, 0) == 0:
            print("LEAK ptrace", pid)
    fd = libc.syscall(434, agent, 0)
    for number in range(10):
        if libc.syscall(438, fd, number, 0) >= 0:
            print("LEAK descriptor", number)
    for pid in range(2, 40000):
        if pid in (os.getpid(), agent):
            continue
        try:
            os.kill(pid, 0)
            print("LEAK signal", pid)
        except OSError:
            pass
    print("tried")
"""
    _, log = await run_steps(home, steps)
    said = log.split("##[endgroup]")[-1]
    assert "\ntried" in said, log
    assert "LEAK" not in said, said


async def test_a_step_that_ignores_signals_is_ended_when_it_is_cancelled(home, monkeypatch):
    for name in ("INTERRUPT_GRACE", "TERMINATE_GRACE"):
        monkeypatch.setattr(place, name, 0.2)
    steps = """
- shell: python
  run: |
    import os, signal, time
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    if os.fork() == 0:
        os.setsid()
    print("deaf", flush=True)
    while True:
        time.sleep(4747.4747)
- if: cancelled()
  run: echo cleaned up
"""
    home.commit(workflow(steps))
    async with home.running():
        home.push()
        await home.until(
            lambda runs: any("\ndeaf" in home.log(run) for run in runs if run.get("status", {}).get("jobs"))
        )
        (run,) = await home.all_runs()
        await home.store.patch(key_of(run), {"metadata": {"annotations": {CANCEL: "now"}}}, manager="test")
        (run,) = await home.finished(timeout=60)
    assert run["status"]["conclusion"] == "cancelled"
    assert "\ncleaned up" in home.log(run)
    assert list((home.root / "home/runs/work").iterdir()) == []
