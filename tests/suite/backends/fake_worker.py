"""A worker without a model: it starts in a moment, answers from the seed alone, and dies on request.

    python fake_worker.py SOCKET PARENT

What is in a prompt decides: POISON (a fault in native code), SHORT (the kernel's killer), LEAVE (exit 7), BROKEN (a
CUDA context that is lost, once), SLOW (two seconds), MUTE (stopped, once), GARBLED (no frame, once), HUGE (more than a
frame holds), CHATTY (a megabyte on the standard output).

``FAKE_START`` says how starts go: ``die`` or ``refuse``, for good; or the name of a file that holds how many starts die
before one succeeds.
"""

# ruff: noqa: T201 - last words

import asyncio
import hashlib
import os
import signal
import sys
from pathlib import Path

from finchmark.suite.backends import Backend, Capabilities, Completion, frames
from finchmark.suite.backends.worker import main
from finchmark.suite.errors import BackendError, BackendUnavailable


class Fake(Backend):
    capabilities = Capabilities(scheduling="own", concurrency=8, seeds=True, logprobs="none", deterministic=True)

    def __init__(self, **settings):
        self.settings = settings
        self.answered = self.cancelled = 0

    def identity(self):
        return {"dtype": os.environ.get("FAKE_DTYPE", "float32")}

    def describe(self):
        return {"device": self.settings["device"], "threads_variable": os.environ.get("OMP_NUM_THREADS")}

    async def start(self):
        how = os.environ.get("FAKE_START", "")
        if how == "refuse":
            raise BackendUnavailable("The model 'toy' cannot be loaded: it is a fake")
        if how == "die":
            print("I was never born", flush=True)
            os._exit(3)
        if how and (left := int(Path(how).read_text())):
            Path(how).write_text(str(left - 1))
            os.kill(os.getpid(), signal.SIGKILL)

    async def generate(self, request):
        said = " ".join(m.content for m in request.messages)
        await asyncio.sleep(0.005 + 0.002 * (request.seed % 8))
        if "POISON" in said:
            print("a kernel went wrong", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        if "SHORT" in said:
            os.kill(os.getpid(), signal.SIGKILL)
        if "LEAVE" in said:
            os._exit(7)
        if "BROKEN" in said and not Path(os.environ["FAKE_MENDED"]).exists():
            Path(os.environ["FAKE_MENDED"]).touch()
            raise BackendError("the model failed: AcceleratorError: CUDA error: an illegal memory access")
        if "SLOW" in said:
            try:
                await asyncio.sleep(2)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if "MUTE" in said and not Path(os.environ["FAKE_MENDED"]).exists():
            Path(os.environ["FAKE_MENDED"]).touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        if "GARBLED" in said and not Path(os.environ["FAKE_MENDED"]).exists():
            Path(os.environ["FAKE_MENDED"]).touch()
            os.write(int(sys.argv[1]), b"\0\1\0\143" + bytes(4))
            await asyncio.sleep(5)
        if "CHATTY" in said:
            print("chatter " * (1 << 17), flush=True)
        if "HUGE" in said:
            frames.LIMIT = 1 << 20
            return Completion("x" * frames.LIMIT, "stop")
        self.answered += 1
        text = hashlib.sha256(f"{request.seed} {said}".encode()).hexdigest()[:8]
        return Completion(f"<action>{int(text, 16) % 5}</action> {text}", "stop", 10, 3)

    def stats(self):
        return {"steps": float(self.answered), "generated_tokens": 3.0 * self.answered, "cancelled": self.cancelled}


if __name__ == "__main__":
    main(Fake)
