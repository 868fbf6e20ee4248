"""One job, as `make` sees it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from clipia_queue.worker._control import Control, Refused

SEED_MAX = 2**32 - 1
"""The largest seed that `Job.seed` draws: every generator of random numbers takes it."""

CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""The codes that the server passes on."""


class Job:
    """One job: the input of a request, and where its output goes."""

    id: str
    """The id of the request. By hand: a random one."""

    model: str | None
    """The model of the request, for a program of several models. None by hand."""

    input: dict[str, Any]
    """The input of the request, checked, and with the defaults of the model. `path` finds its files."""

    out: Path
    """An empty directory. The files that `make` writes there are outputs, in the natural order of names."""

    def __init__(
        self,
        id: str,
        model: str | None,
        input: dict[str, Any],
        out: Path,
        find: Callable[[str], list[Path]],
        control: Control,
    ) -> None:
        self.id = id
        self.model = model
        self.input = Input(input)
        self.out = out
        self._find = find
        self._control = control

    def __repr__(self) -> str:
        return f"<Job {self.id}>"  # not the input, which may be private

    @property
    def canceled(self) -> bool:
        """Whether the request was canceled. `make` then has `grace_seconds` to end before it is killed."""
        return self._control.is_canceled

    @property
    def seed(self) -> int:
        """The `seed` of the input, or else a random one, which becomes a field of the output."""
        given = self.input.get("seed")
        if given is not None:
            return int(given)
        if self._control.drawn_seed is None:
            self._control.drawn_seed = random.SystemRandom().randint(0, SEED_MAX)
        return self._control.drawn_seed

    def path(self, name: str) -> Path:
        """The file of the input `name`, such as `image_url`: fetched already, with the suffix of its type.

        Raises `LookupError` if the input has no such file, or several.
        """
        found = self.paths(name)
        if not found:
            raise LookupError(f"the input has no file `{name}`")
        if len(found) > 1:
            raise LookupError(f"the input has {len(found)} files `{name}` in place of one")
        return found[0]

    def paths(self, name: str) -> list[Path]:
        """The files of the input `name` in their order: those of a list of URLs. None without that input."""
        return self._find(name)

    def progress(self, percent: float) -> None:
        """Reports that `percent` of the work is done, 0 to 100. Less than was reported before is ignored.

        Raises `Canceled` if the request was canceled.
        """
        self._control.check()
        self._control.progress(percent)

    def step(self, total: int | None = None) -> Callable[..., dict[str, Any]]:
        """A function for `callback_on_step_end` of a diffusers pipeline: it reports the progress.

        `total` is how often it will be called: the number of steps, of all calls of the pipeline together.
        Without it, the pipeline is called once, and tells the number itself. With it, any loop may call the
        function, as `step()`.

        The function raises `Canceled` if the request was canceled.
        """
        calls = 0

        def step_end(
            pipe: Any = None, step: int = 0, timestep: Any = None, kwargs: dict[str, Any] | None = None
        ) -> dict[str, Any]:
            nonlocal calls
            steps = total if total is not None else getattr(pipe, "num_timesteps", None)
            if steps is None:
                raise TypeError("no pipeline tells how many steps there are: write it as `job.step(28)`")
            calls += 1
            self.progress(100 * calls / max(1, steps))
            return {} if kwargs is None else kwargs

        return step_end

    def log(self, text: object) -> None:
        """Adds the lines of a text to the `logs` of the request.

        What is printed becomes a log, too. A line of `log` cannot be taken for one of another job.
        """
        for line in str(text).splitlines():
            self._control.reporter.log(line)

    def fail(self, sentence: str, code: str | None = None) -> NoReturn:
        """Ends the job: the request fails with this sentence for its caller, and its credits are returned.

        `code` tells programs the reason, such as `content_policy`. There is no other attempt.
        """
        if code is not None and not CODE.fullmatch(code):
            raise ValueError(f"a code has 1 to 64 letters, digits, `_`, `-` and `.`; got {code[:100]!r}")
        self._refuse(Refused(sentence, code, again=False))

    def retry(self, sentence: str) -> NoReturn:
        """Ends the attempt: another one is made, or the request fails once its attempts are spent."""
        self._refuse(Refused(sentence, None, again=True))

    def _refuse(self, refused: Refused) -> NoReturn:
        self._control.refused = refused
        raise refused


class Input(dict[str, Any]):
    """An input. The exception for a parameter that it does not have is a sentence."""

    def __missing__(self, name: str) -> NoReturn:
        raise MissingInput(f"the input has no `{name}`")


class MissingInput(KeyError):
    """The input does not have the parameter."""

    __str__ = Exception.__str__  # that of `KeyError` puts quotes around it


def fetched(directory: Path) -> Callable[[str], list[Path]]:
    """Finds the files of an input in `in`: `image_url.png` for one URL, `images-1.png`, … for several."""

    def find(name: str) -> list[Path]:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", name)
        found: list[tuple[int, Path]] = []
        for path in directory.iterdir() if directory.is_dir() else ():
            stem = path.name.partition(".")[0]
            prefix, _, number = stem.rpartition("-")
            if stem == name:
                found.append((0, path))
            elif prefix == name and number.isdecimal():
                found.append((int(number), path))
        return [path for _, path in sorted(found)]

    return find
