"""The child side of several devices, without a process."""

import asyncio

from finchmark.suite.backends import Completion, frames, worker
from finchmark.suite.backends.frames import Kind, receive


def _sent(answers):
    """What a worker writes when all these answers become known in one turn of the loop."""

    class Writer:
        written = b""

        def write(self, data):
            self.written += data

    async def main():
        writer, reader = Writer(), asyncio.StreamReader()
        desk = worker._Desk(lambda: None, reader, writer)
        desk._answers = list(answers)
        desk._flush()
        reader.feed_data(writer.written)
        reader.feed_eof()
        found = []
        while (frame := await receive(reader)) is not None:
            assert frame[0] is Kind.ANSWERS
            found += frame[1]
        return found

    return asyncio.run(main())


def test_answers_of_one_turn_travel_in_one_frame(monkeypatch):
    packed = []
    pack = frames.pack
    monkeypatch.setattr(worker, "pack", lambda kind, body: packed.append(body) or pack(kind, body))
    answers = [(k, False, Completion(str(k), "stop")) for k in range(3)]
    assert _sent(answers) == answers
    assert packed == [answers]


def test_answers_that_are_too_large_together_are_all_given(monkeypatch):
    monkeypatch.setattr(frames, "LIMIT", 1000)
    answers = [(k, False, Completion("x" * 600, "stop")) for k in range(3)]
    assert _sent(answers) == answers


def test_an_answer_that_cannot_be_sent_takes_no_other_along(monkeypatch):
    monkeypatch.setattr(frames, "LIMIT", 1000)
    small, huge = (1, False, Completion("x", "stop")), (2, False, Completion("x" * 1200, "stop"))
    first, (number, failed, error) = _sent([small, huge])
    assert first == small
    assert (number, failed) == (2, True)
    assert "than the 1000" in str(frames.as_error(error))
