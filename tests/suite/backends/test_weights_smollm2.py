"""The built-in model itself: its tokenizer, its template, and that it talks sense."""

import asyncio
import re
from pathlib import Path

import pytest

from finchmark.suite.backends import GenerateRequest, Message
from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.backends.weights import resolve
from finchmark.suite.errors import BackendUnavailable

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def found():
    try:
        return resolve("smollm2")
    except BackendUnavailable as error:
        pytest.skip(f"the weights cannot be had here: {error}")


@pytest.fixture(scope="module")
def words(found):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(found.path)


def test_the_template_is_chatml_with_the_models_own_system_prompt(words):
    text = words.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_special_tokens_are_single_and_in_their_places(words):
    assert (words.bos_token, words.eos_token, words.pad_token) == ("<|im_start|>", "<|im_end|>", "<|im_end|>")
    assert words.encode("<|endoftext|><|im_start|><|im_end|>", add_special_tokens=False) == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("12345", ["1", "2", "3", "4", "5"]),
        ("a  1", ["a", "ĠĠ", "1"]),  # digits are split off before spaces are
        ("Hello world", ["Hello", "Ġworld"]),
    ],
)
def test_texts_are_tokenized_as_the_model_was_trained(words, text, pieces):
    assert words.convert_ids_to_tokens(words.encode(text, add_special_tokens=False)) == pieces


def _ask(text, **changes):
    settings = {"session": text, "seed": 1, "max_tokens": 24, "temperature": 0.0, **changes}
    return GenerateRequest((Message("user", text),), **settings)


def test_greedy_replies_make_sense_and_later_turns_reuse_the_first(found):
    async def main():
        backend = HFBackend("smollm2", batch_size=4)
        await backend.start()
        first = await backend.generate(_ask("What is the capital of France?"))
        history = (
            Message("user", "What is the capital of France?"),
            Message("assistant", first.text, first.token_ids),
            Message("user", "And of Italy?"),
        )
        second = await backend.generate(
            GenerateRequest(history, "What is the capital of France?", 1, 24, 0.0, stop=("Rome",))
        )
        way = backend.describe()["way"]
        await backend.aclose()
        return first, second, way

    first, second, way = asyncio.run(main())
    assert first.text == "The capital of France is Paris."
    assert first.finish_reason == "stop"
    assert second.text.endswith("Rome")
    assert second.cached_tokens >= first.prompt_tokens
    assert way == "grouped"


def test_the_page_on_backends_tells_the_truth_about_steering(found, capsys):
    page = (Path(__file__).parents[3] / "docs" / "backends.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code is not None
    exec(compile(code.group(1), "docs/backends.md", "exec"), {})
    assert "Completion(text=" in capsys.readouterr().out
