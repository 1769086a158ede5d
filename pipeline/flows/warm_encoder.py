"""The encoder in a process of its own that stays loaded between questions.

Loading it takes seconds and half a gigabyte, which the dashboard's process must not carry. The
process ends by itself: when nobody asked for a while, or when whoever started it has ended.
"""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from pipeline.embed import Encoder
from pipeline.encoders import DEFAULT_ENCODER, ENCODER_VARIABLE, load_encoder
from profiles.errors import EncoderError

_COMMAND = (sys.executable, "-m", "pipeline.flows.warm_encoder")


@dataclass(kw_only=True)
class WarmEncoder:
    """Asks a process for vectors, starting it when it is not there; threads take turns."""

    wait_s: float = 60.0
    """How long one answer may take, with the loading."""
    idle_s: float = 300.0
    """How long the process stays after an answer."""
    command: tuple[str, ...] = _COMMAND
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _process: subprocess.Popen[str] | None = None
    _answers: SimpleQueue[str | None] = field(default_factory=SimpleQueue)
    _timer: threading.Timer | None = None

    def encode(self, text: str) -> tuple[str, NDArray[np.float32]]:
        """Return the encoder's id and the unit vector of a text, shape (n_dims,).

        Raises
        ------
        EncoderError
            If there is no answer in time, or the process has ended.
        """
        if not self._turn.acquire(timeout=self.wait_s):
            raise EncoderError(f"The encoder was busy for {self.wait_s:.0f} s. Try again.")
        try:
            return self._ask(text)
        finally:
            self._turn.release()

    def warm(self) -> None:
        """Start the process, so that the first question does not wait for all of the loading."""
        if self._turn.acquire(blocking=False):
            try:
                self._running()
                self._wait_for_next()
            finally:
                self._turn.release()

    def close(self) -> None:
        """End the process, if there is one."""
        with self._turn:
            self._end()

    def _ask(self, text: str) -> tuple[str, NDArray[np.float32]]:
        process = self._running()
        try:
            assert process.stdin is not None  # noqa: S101 - a pipe, see _start
            process.stdin.write(json.dumps(text) + "\n")
            process.stdin.flush()
            answer = self._answers.get(timeout=self.wait_s)
        except (Empty, OSError):
            answer = None
        if answer is None:
            self._end()
            raise EncoderError(
                f"The encoder gave no answer within {self.wait_s:.0f} s. Try again; "
                "`promptshed doctor` checks it."
            )
        self._wait_for_next()
        read = json.loads(answer)
        return read["encoder_id"], np.array(read["vector"], dtype=np.float32)

    def _wait_for_next(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(self.idle_s, self.close)
        self._timer.daemon = True
        self._timer.start()

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = self._start()
        return self._process

    def _start(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
            encoding="utf-8",
        )
        answers: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=_listen, args=(process, answers), daemon=True).start()
        self._answers = answers
        return process

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()


def _listen(process: "subprocess.Popen[str]", answers: "SimpleQueue[str | None]") -> None:
    assert process.stdout is not None  # noqa: S101 - a pipe, see _start
    with process.stdout:
        for line in process.stdout:
            answers.put(line)
    answers.put(None)


def answer_lines(encoder: Encoder) -> None:
    """Answer each line of standard input, a JSON text, with its vector until there is no more."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    for line in sys.stdin:
        [vector] = encoder.encode([json.loads(line)])
        said = {"encoder_id": encoder.encoder_id, "vector": vector.tolist()}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    answer_lines(load_encoder(os.environ.get(ENCODER_VARIABLE) or DEFAULT_ENCODER))
