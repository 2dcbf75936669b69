"""Several processes on one machine, each with a classifier of its own, that share a run's clips."""

import multiprocessing
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar

import torch

from robustaudio.evaluation.batch import Batch

Clips = TypeVar("Clips", bound=Batch)
Done = TypeVar("Done")


def over_processes(
    job: Callable[[Clips], Done], batch: Clips, parts: Sequence[list[int]], workers: int
) -> Generator[tuple[list[int], Done], None, None]:
    """`job` on parts of a batch, in whatever order they come; (numbers, what the job gave).

    The part of a worker that dies is done by another. Ending the iteration ends the workers.

    Raises:
        RuntimeError: when a part has ended two workers.
        Exception: what the job raises.
    """
    context = multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // workers)
    waiting, lost = [*reversed(parts)], []
    busy: dict[Connection, tuple[BaseProcess, list[int]]] = {}

    def begin() -> None:
        pipe, other = context.Pipe()
        process = context.Process(target=_work, args=(other, threads), daemon=True)
        process.start()
        other.close()
        pipe.send(job)
        give(pipe, process)

    def give(pipe: Connection, process: BaseProcess) -> None:
        busy[pipe] = (process, waiting.pop())
        with suppress(BrokenPipeError):  # it died: noticed when its answer is read
            pipe.send(batch[busy[pipe][1]])

    try:
        for _ in range(min(workers, len(parts))):
            begin()
        while busy:
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                process, numbers = busy.pop(pipe)
                try:
                    made = pipe.recv()
                except EOFError:
                    if numbers in lost:
                        raise RuntimeError(
                            "two workers ended on the same clips, killed or out of memory; fewer "
                            "--workers need less memory."
                        ) from None
                    lost.append(numbers)
                    waiting.append(numbers)
                    begin()
                    continue
                if isinstance(made, Exception):
                    pipe.close()
                    raise made
                if waiting:
                    give(pipe, process)
                else:
                    pipe.close()  # which ends it
                yield numbers, made
    finally:
        for pipe, (process, _) in busy.items():
            process.terminate()
            pipe.close()


def _work(pipe: Connection, threads: int) -> None:
    """A worker: the job first, then batches, until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is answered by who began the run
    torch.set_num_threads(threads)
    with suppress(EOFError, BrokenPipeError):
        job = pipe.recv()
        while True:
            batch = pipe.recv()
            try:
                made = job(batch)
            except Exception as error:
                made = error
            pipe.send(made)
