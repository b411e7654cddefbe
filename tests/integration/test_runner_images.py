"""Steps and actions that run an image, by the real podman."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # these folders are no packages

from container_world import TOOLS, WEB, container_world, containers_of, job_log
from runner_home import workflow

pytestmark = pytest.mark.integration


ACTION = f"""\
name: Greet
inputs:
  who: {{default: nobody}}
  token: {{}}
runs:
  using: docker
  image: docker://{TOOLS}
  entrypoint: /bin/sh
  args:
    - -c
    - 'echo "hello $1, $GREETING, $INPUT_WHO"; echo "greeting=hello $1" >>$GITHUB_OUTPUT; echo "n=7" >>$GITHUB_STATE'
    - sh
    - ${{{{ inputs.who }}}}
  env: {{GREETING: "from ${{{{ github.repository }}}}"}}
  post-entrypoint: /bin/env
"""


@pytest.fixture
async def home(tmp_path):
    async with container_world(tmp_path) as home:
        yield home


async def test_a_step_runs_an_image_by_its_name(home):
    steps = f"""
- uses: docker://{TOOLS}
- uses: docker://{TOOLS}
  id: said
  env: {{MULTI: "two\\nlines"}}
  with:
    entrypoint: /bin/sh
    args: -c 'echo "in $(pwd) $MULTI $INPUT_WORD"; echo "word=$INPUT_WORD" >>"$GITHUB_OUTPUT"; touch made; wget -q -O- http://web/word'
    word: yes
- run: ls made; echo "said ${{{{ steps.said.outputs.word }}}}"
"""
    log = await job_log(home, workflow(steps, job=WEB))
    assert "what the image runs" in log
    assert "lines yes" in log
    assert "made" in log
    assert "said yes" in log
    assert "hello from acme/shop" in log
    assert containers_of(home) == []


async def test_an_action_of_the_repository_runs_in_its_image(home):
    steps = """
- uses: actions/checkout@v4
- uses: ./greet
  id: greet
  with: {who: "a b"}
- run: echo "then ${{ steps.greet.outputs.greeting }}"
"""
    log = await job_log(home, {**workflow(steps), "greet/action.yml": ACTION})
    assert "hello a b, from acme/shop, a b" in log
    assert "then hello a b" in log
    assert "STATE_n=7" in log
    assert "GITHUB_WORKSPACE=/github/workspace" in log
    assert "HOME=/github/home" in log


async def test_an_action_is_built_of_its_dockerfile(home):
    action = (
        "runs: {using: docker, image: Dockerfile, args: ['${{ inputs.word }}']}\ninputs: {word: {default: built}}\n"
    )
    dockerfile = f'FROM {TOOLS}\nCOPY say.sh /say.sh\nENTRYPOINT ["/bin/sh", "/say.sh"]\n'
    steps = "- uses: actions/checkout@v4\n- uses: ./say\n- uses: ./say\n  with: {word: again}\n"
    files = {"say/action.yml": action, "say/Dockerfile": dockerfile, "say/say.sh": 'echo "I say $1 in $FROM_IMAGE"\n'}
    log = await job_log(home, {**workflow(steps), **files})
    assert "I say built in yes" in log
    assert "I say again in yes" in log


async def test_a_dockerfile_that_fails_is_shown_at_its_line(home):
    dockerfile = f"FROM {TOOLS}\nRUN /bin/busybox cat /none\n"
    files = {"say/action.yml": "runs: {using: docker, image: Dockerfile}", "say/Dockerfile": dockerfile}
    log = await job_log(home, {**workflow("- uses: actions/checkout@v4\n- uses: ./say"), **files}, "failure")
    assert "say/Dockerfile:2" in log
    assert "/none" in log


async def test_what_a_job_has_exchanged_for_a_link_leads_nowhere(home):
    secret = home.root / "secret"
    secret.mkdir()
    (secret / "key").write_text("the machine's")
    steps = f"""
- run: |
    cd /home/runner/work/shop && rmdir shop && ln -s {secret} shop
    rm -rf /home/runner/work/_temp/_github_home && ln -s {secret} /home/runner/work/_temp/_github_home
- uses: docker://{TOOLS}
  with:
    entrypoint: /bin/sh
    args: -c "cat /github/workspace/key /github/home/key"
"""
    log = await job_log(home, workflow(steps), "failure")
    assert "the machine's" not in log
