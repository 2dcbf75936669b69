"""A recording as its decoder gives it: block by block, so that nobody holds more than is kept."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from jaxtyping import Float32

KEPT_RATE = 48_000  # Hz of a recording that has too many samples at its own rate
MOST_SAMPLES = 120 * KEPT_RATE  # that are kept at a rate nobody asked for
CHUNK = 2**16  # samples that are worked on at a time
HELD = 2**13  # samples that can still be dropped: the longest block of Vorbis

Block = Float32[np.ndarray, " time"]


@dataclass
class Facts:
    """What the checks ask of every sample, also of those that are not kept."""

    count: int = 0
    bad: int = 0  # NaN or infinite
    peak: float = 0.0
    total: float = 0.0
    energy: float = 0.0

    def add(self, block: Block) -> None:
        with np.errstate(invalid="ignore", over="ignore"):  # bad samples are counted, no more
            self.count += len(block)
            self.bad += len(block) - int(np.isfinite(block).sum())
            self.peak = max(self.peak, float(np.abs(block).max(initial=0)))
            self.total += float(block.sum(dtype=np.float64))
            self.energy += float(np.square(block, dtype=np.float64).sum())


class Digest:
    """The first 16 hex digits of SHA-256 of the samples as little-endian float32 (-0 is 0)."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, block: Block) -> None:
        self._sha.update((block + np.float32(0)).astype("<f4").tobytes())

    def __str__(self) -> str:
        return self._sha.hexdigest()[:16]


def _resampling(rate: int, target: int) -> soxr.ResampleStream:
    """Blocks at another rate, or the same: the samples that soxr gives for the whole in one go."""
    return soxr.ResampleStream(rate, target, 1, quality="VHQ")


def _rest(stream: soxr.ResampleStream) -> Block:
    """What is still inside after the last block."""
    return stream.resample_chunk(np.zeros(0, np.float32), last=True)


class Recording:
    """All blocks at the first one's rate, and what is kept of them.

    Kept are samples at `target` Hz. Without a target that is the recording's own rate, or
    `KEPT_RATE` where it would be more than `MOST_SAMPLES`.
    """

    def __init__(self, target: int | None):
        self.sample_rate = 0  # Hz of the first block
        self.kept_rate = 0  # Hz of what is kept
        self.facts = Facts()
        self.digest: Digest | None = None
        self._target = target
        self._rate = 0  # of the newest block
        self._waiting: list[Block] = []
        self._waiting_count = 0
        self._kept: list[Block] = []
        self._kept_count = 0
        self._to_own: Any = None
        self._to_kept: Any = None

    def add(self, block: Block, rate: int) -> None:
        """The next block; links of a chained file may differ in rate."""
        if not self.sample_rate:
            self.sample_rate, self.kept_rate = rate, self._target or rate
            self._to_kept = _resampling(rate, self.kept_rate)
        if rate != self._rate:
            self._end_run()
            self._rate, self._to_own = rate, _resampling(rate, self.sample_rate)
        self._waiting.append(block)
        self._waiting_count += len(block)
        if self._waiting_count >= CHUNK + HELD:
            self._pass_on(self._waiting_count - HELD)

    def drop(self, excess: int) -> None:
        """Forget samples at the end, at most `HELD` of the last link."""
        self._waiting = [np.concatenate(self._waiting)[: self._waiting_count - excess]]
        self._waiting_count -= excess

    def samples(self) -> Block:
        """All that is kept, once the last block was added."""
        if not self.sample_rate:
            return np.zeros(0, np.float32)
        self._end_run()
        kept, self._kept = [*self._kept, _rest(self._to_kept)], []
        return np.concatenate(kept)

    def _end_run(self) -> None:
        if self._to_own is not None:
            self._pass_on(self._waiting_count)
            self._store(_rest(self._to_own))

    def _pass_on(self, count: int) -> None:
        """The oldest samples that wait, to the recording's own rate."""
        if not self._waiting:
            return
        waiting = np.concatenate(self._waiting)
        self._waiting, self._waiting_count = [waiting[count:]], len(waiting) - count
        self._store(self._to_own.resample_chunk(waiting[:count]))

    def _store(self, block: Block) -> None:
        self.facts.add(block)
        if self.digest is not None:
            self.digest.add(block)
        self._keep(self._to_kept.resample_chunk(block))
        if self._target is None and self._kept_count > MOST_SAMPLES and self.kept_rate > KEPT_RATE:
            self._go_down()

    def _keep(self, block: Block) -> None:
        self._kept.append(block)
        self._kept_count += len(block)

    def _go_down(self) -> None:
        """From the recording's own rate to `KEPT_RATE`, from the first sample on."""
        self.kept_rate = KEPT_RATE
        self._to_kept = _resampling(self.sample_rate, KEPT_RATE)
        kept, self._kept, self._kept_count = self._kept, [], 0
        for block in kept:
            self._keep(self._to_kept.resample_chunk(block))
