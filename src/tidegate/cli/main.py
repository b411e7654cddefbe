"""The command `tidegate`: a table of commands. Nothing of theirs is imported before one is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import field

import click

from tidegate.base.frozen import frozen
from tidegate.cli.output import explain_fault, guarded

INTERRUPTED = 130
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


@frozen
class Entry:
    """Where a command is (`module:name` of a click.Command), and its line in the help; or further entries, a group."""

    target: str
    help: str
    group: Mapping[str, Entry] = field(default_factory=dict)
    hidden: bool = False


TRY = {
    "cron": Entry("tidegate.cli.try_cron:command", "Say when a schedule is due next."),
    "duration": Entry("tidegate.cli.try_duration:command", "Read a duration as Go does."),
    "envsubst": Entry("tidegate.cli.try_envsubst:command", "Put variables into a text, as Flux does after a build."),
    "expr": Entry("tidegate.cli.try_expr:command", "Evaluate an expression of a workflow."),
    "filter": Entry("tidegate.cli.try_filter:command", "Match tags with a regular expression of Go's."),
    "message": Entry("tidegate.cli.try_message:command", "Write the commit message for changes."),
    "metadata": Entry("tidegate.cli.try_metadata:command", "Make an image's tags and labels from an event."),
    "reference": Entry("tidegate.cli.try_reference:command", "Read an image reference, and show its canonical form."),
    "render": Entry("tidegate.cli.try_render:command", "Build a folder of manifests, as kustomize does."),
    "select": Entry("tidegate.cli.try_select:command", "Select a tag by a policy, and say why not the others."),
    "triggers": Entry("tidegate.cli.try_triggers:command", "Say whether an event starts a workflow, and why."),
    "update": Entry("tidegate.cli.try_update:command", "Edit the marked values of files."),
}
CHECK = {
    "git": Entry("tidegate.cli.check_git:command", "Say whether a repository can be read and pushed to."),
}
NEW = {
    "app": Entry("tidegate.cli.new_app:command", "Add an application to a repository, as a diff first."),
}
COMMANDS = {
    "base": Entry("tidegate.cli.base:command", "Make a base image from Debian packages."),
    "build": Entry("tidegate.cli.build:command", "Build an image of a folder and its Dockerfile."),
    "check": Entry("", "Check what Tidegate depends on.", CHECK),
    "controller": Entry("tidegate.cli.controller:command", "Run the controllers on a Kubernetes cluster."),
    "demo": Entry("tidegate.cli.demo:command", "Carry two commits of an example all the way, and time them."),
    "describe": Entry("tidegate.cli.describe:command", "Show one object in full, and its events."),
    "diff": Entry("tidegate.cli.diff:command", "Show what an automation would push now, and push nothing."),
    "events": Entry("tidegate.cli.events:command", "Show what happened, the last thing last."),
    "get": Entry("tidegate.cli.get:command", "Show objects as a table, JSON, YAML or names."),
    "keygen": Entry("tidegate.cli.keygen:command", "Make a deploy key, and the Secret with it."),
    "kubeconfig": Entry("tidegate.cli.kubeconfig:command", "Print a kubeconfig for kubectl and flux."),
    "init": Entry("tidegate.cli.init:command", "Lay out a whole repository, ready to push."),
    "install": Entry("tidegate.cli.install:install", "Put Tidegate into a cluster."),
    "lint": Entry("tidegate.cli.lint:command", "Prove that nothing loops, and find other mistakes in a repository."),
    "login": Entry("tidegate.cli.login:command", "Set up git's and the registry clients' credentials."),
    "logs": Entry("tidegate.cli.logs:command", "Show the log of a run, a pod or a controller."),
    "new": Entry("", "Add something to a repository.", NEW),
    "reconcile": Entry("tidegate.cli.reconcile:command", "Reconcile an object now, and wait until it is done."),
    "resume": Entry("tidegate.cli.suspend:resume", "Go on reconciling an object."),
    "run": Entry("tidegate.cli.run:command", "Run a workflow now, with inputs."),
    "run-job": Entry("tidegate.cli.run_job:command", "Run one job, in its Pod.", hidden=True),
    "runs": Entry("tidegate.cli.runs:command", "Show workflow runs, run one again, or end one."),
    "select": Entry("tidegate.cli.select:command", "Select a tag of an image in its registry, and say why."),
    "status": Entry("tidegate.cli.status:command", "Show, for each application, how far its commit has come."),
    "suspend": Entry("tidegate.cli.suspend:suspend", "Stop reconciling an object."),
    "triggers": Entry("tidegate.cli.triggers:command", "Say which workflows a push would start, and why."),
    "try": Entry("", "Try a decision by itself: no server, no network.", TRY),
    "uninstall": Entry("tidegate.cli.install:uninstall", "Take Tidegate out of a cluster."),
    "update": Entry("tidegate.cli.update:command", "Edit the marked values of a folder, without a server."),
    "why": Entry("tidegate.cli.why:command", "Say which tag an ImagePolicy selects, and why not the others."),
    "up": Entry("tidegate.cli.up:command", "Run Tidegate on this machine."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, and listed from the table."""

    def __init__(self, entries: Mapping[str, Entry], name: str | None = None, help: str | None = None):  # noqa: A002
        super().__init__(name, help=help, context_settings=SETTINGS, no_args_is_help=True)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names that people type, sorted."""
        return sorted(name for name, entry in self._entries.items() if not entry.hidden)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported now; None where there is none."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        if entry.group:
            return LazyGroup(entry.group, cmd_name, entry.help)
        module, _, name = entry.target.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._entries[name].help) for name in self.list_commands(ctx)])


def main() -> None:
    """Run one command and exit: 0 done, 1 failed, 2 wrong usage. Errors go to stderr, without a traceback."""
    sys.excepthook = explain_fault
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code of a command line."""
    try:
        return guarded(lambda: _call(list(arguments)))
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED


def _call(arguments: list[str]) -> int:
    root = LazyGroup(COMMANDS, "tidegate", "Carry a commit one way, from Git to the running workload.")
    command = click.version_option(package_name="tidegate", prog_name="tidegate")(root)
    result = command.main(arguments, prog_name="tidegate", standalone_mode=False)
    return result if isinstance(result, int) else 0
