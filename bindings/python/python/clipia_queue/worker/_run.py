"""One run of `make` for a job, and how it ended."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clipia_queue.worker._control import Canceled, Control, Refused
from clipia_queue.worker._directories import empty
from clipia_queue.worker._events import EVENT_BYTES_MAX, encoded_json, event_line
from clipia_queue.worker._job import Job
from clipia_queue.worker._outputs import Outputs
from clipia_queue.worker._signals import Stopped

SENTENCE_CHARACTERS_MAX = 1000
"""The longest sentence that a caller is told."""

OUT_OF_MEMORY = ("CUDA out of memory", "CUDA error: out of memory", "MPS backend out of memory")
"""How messages of torch begin that have no class of their own."""

EX_TEMPFAIL = 75
"""The exit code of an attempt that is lost: another one may succeed."""


@dataclass(frozen=True)
class End:
    """How a job ended."""

    how: Literal["done", "failed", "retry", "canceled"]
    sentence: str = ""
    code: str | None = None
    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the output besides its files."""
    is_process_broken: bool = False
    """Whether no later job can succeed in this process."""

    @property
    def exit_code(self) -> int:
        """The exit code of a process that ran only this job."""
        return {"done": 0, "failed": 1}.get(self.how, EX_TEMPFAIL)

    def events(self) -> list[dict[str, Any]]:
        """What the events file is told."""
        if self.how == "done":
            return [{"output": self.fields}] if self.fields else []
        if self.how == "failed":
            return [{"fail": self.sentence} | ({"code": self.code} if self.code else {})]
        return [{"retry": self.sentence}] if self.how == "retry" else []


def run(make: Callable[[Job], object], job: Job, control: Control) -> End:
    """Runs `make` and saves what it returns. Of a job without an output, no file is kept.

    `KeyboardInterrupt`, and what a signal raises, pass through.
    """
    finished = False
    try:
        end = _run(make, job, control)
        finished = end.how == "done"
    finally:
        if not finished:
            empty(job.out)
    if end.sentence:
        print(f"clipia: {end.how}: {end.sentence}", file=sys.stderr)
    if end.how == "retry" and not end.is_process_broken:
        _release_memory()
    return end


def _run(make: Callable[[Job], object], job: Job, control: Control) -> End:
    try:
        control.check()
        outputs = Outputs(job.out, control.check)
        outputs.add(make(job))
        if control.refused is not None:  # and the exception was swallowed
            raise control.refused
        control.check()
        if not outputs.fields and not any(job.out.iterdir()):
            return End("failed", "the program made nothing: neither a file nor a field of the output")
        seed = {} if control.drawn_seed is None else {"seed": control.drawn_seed}
        return End("done", fields=_fields_of_event(seed | outputs.fields, job.out))
    except Canceled:
        return End("canceled")
    except Refused as refused:
        sentence = one_line(refused.sentence) or "it gave no reason"
        return End("retry" if refused.again else "failed", sentence, refused.code)
    except SystemExit as error:
        return End("failed", one_line(f"the program exited: {error.code}"))
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:  # also that of a canceled task of asyncio
        # Not on stderr: the job must have its lines before it ends.
        job.log(traceback.format_exc())
        return end_of(error)


def _fields_of_event(fields: dict[str, Any], out: Path) -> dict[str, Any]:
    """The fields, or none if they are too long for an event: `output.json` has them then."""
    if len(event_line({"output": fields})) <= EVENT_BYTES_MAX:
        return fields
    path = out / "output.json"
    if path.exists():
        raise ValueError("the dict that `make` returned is too long to be added to its own `output.json`")
    path.write_bytes(encoded_json(fields))
    return {}


def end_of(error: BaseException) -> End:
    """How a job ends whose `make` raised."""
    sentence = sentence_of(error)
    if is_out_of_memory(error) or (error.__cause__ is not None and is_out_of_memory(error.__cause__)):
        return End("retry", sentence)
    if is_of_broken_device(error):
        return End("retry", sentence, is_process_broken=True)
    return End("failed", sentence)


def sentence_of(error: BaseException) -> str:
    """The message of an exception, or its class where the message says too little."""
    message, name = one_line(str(error)), type(error).__name__
    if not message:
        return name
    # The message of a `KeyError` is only a key.
    return f"{name}: {message}" if type(error) in (KeyError, StopIteration, AssertionError) else message


def one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SENTENCE_CHARACTERS_MAX else line[: SENTENCE_CHARACTERS_MAX - 1] + "…"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was no memory, here or on the device. Another attempt may find some."""
    if isinstance(error, MemoryError) or _is_of_torch(error, "OutOfMemoryError"):
        return True
    return str(error).startswith(OUT_OF_MEMORY)


def is_of_broken_device(error: BaseException) -> bool:
    """Whether the CUDA context is lost. Every later call fails, until the process is started again."""
    return _is_of_torch(error, "AcceleratorError") or str(error).startswith("CUDA error:")


def _is_of_torch(error: BaseException, name: str) -> bool:
    # torch is not imported: its class is known by name.
    return any(base.__name__ == name and base.__module__.startswith("torch") for base in type(error).__mro__)


def _release_memory() -> None:
    """Gives the memory of the lost attempt back to the device."""
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
