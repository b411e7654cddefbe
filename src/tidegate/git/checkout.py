"""A person's checkout of a repository, read only: what is committed there, and what was pushed last."""

from __future__ import annotations

from pathlib import Path

from tidegate.base.errors import CommandFailed, InvalidInput, NotFound
from tidegate.base.frozen import frozen
from tidegate.git import command
from tidegate.git.names import check_object_id
from tidegate.git.repository import Repository

_ASKED = ("rev-parse", "--verify", "--quiet", "--end-of-options")


@frozen
class Checkout:
    """A checkout by its git directory; make it with `at`."""

    repository: Repository

    @classmethod
    async def at(cls, folder: Path) -> Checkout:
        """The checkout (or bare repository) that a folder lies in; NotFound."""
        asked = command.argv("-C", str(folder.absolute()), "rev-parse", "--absolute-git-dir")
        try:
            found = await command.run(asked)
        except CommandFailed as error:
            raise NotFound(
                f"{folder} is in no Git repository", remedy="name the folder of a checkout, or run `git init`"
            ) from error
        return cls(Repository(Path(found.text.rstrip("\n"))))

    async def commit(self, revision: str) -> str:
        """The commit of whatever git takes for one (`HEAD~2`, `v1.0`, `@{upstream}`); InvalidInput where it is none."""
        found = await self._asked(f"{revision}^{{commit}}")
        if found is None:
            raise InvalidInput(f"{revision!r} is no commit of this repository", remedy="`git log --oneline` shows them")
        return check_object_id(found)

    async def pushed(self, branch: str) -> str | None:
        """The commit at which the branch's upstream was last seen; None where it has none."""
        return await self._asked(f"{branch}@{{upstream}}")

    async def remote_default(self) -> str | None:
        """The commit of the default branch of the remote `origin`, as it was last seen."""
        return await self._asked("refs/remotes/origin/HEAD^{commit}")

    async def _asked(self, expression: str) -> str | None:
        argv = command.argv(*_ASKED, expression, git_dir=self.repository.path)
        answer = await command.run(argv, check=False)
        return answer.text.strip() if answer.exit_code == 0 else None
