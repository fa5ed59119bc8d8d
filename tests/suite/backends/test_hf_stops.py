"""Where a reply ends: stop strings, the end of the turn, caps, and the thinking part before it."""

import pytest

from finchmark.suite.backends import Message

ACTION = "{act: lamp} done. It"


def test_a_stop_string_that_spans_tokens_ends_the_reply_and_stays(serve, ask, speller, tokenizer):
    stop = "lamp} d"
    assert len(tokenizer.encode(stop)) > 1
    done = serve(lambda b: b.generate(ask(stop=(stop,), max_tokens=60)), served=speller(ACTION))
    assert done.text == "{act: lamp} d"
    assert done.finish_reason == "stop"


def test_a_stop_string_inside_a_token_cuts_the_text_right_after_it(serve, ask, speller, tokenizer):
    word = next(w for w in (" action", " lamp", " finch", " seven", " and") if len(tokenizer.encode(w)) == 1)
    done = serve(lambda b: b.generate(ask(stop=(word[:3],), max_tokens=60)), served=speller(f"It{word} done."))
    assert done.text == f"It{word[:3]}"
    assert tokenizer.decode(done.token_ids) == done.text


def test_the_earliest_of_several_stop_strings_counts(serve, ask, speller):
    request = ask(stop=("done", "} d", "lamp"), max_tokens=60)
    assert serve(lambda b: b.generate(request), served=speller(ACTION)).text == "{act: lamp"


def test_without_a_stop_string_the_turn_ends_itself(serve, ask, speller, tokenizer):
    done = serve(lambda b: b.generate(ask(max_tokens=60)), served=speller(ACTION))
    assert (done.text, done.finish_reason) == (ACTION, "stop")
    assert done.token_ids == tuple(tokenizer.encode(ACTION))
    assert done.completion_tokens == len(tokenizer.encode(ACTION))


def test_a_stop_string_met_with_the_last_token_allowed_is_a_stop(serve, ask, speller, tokenizer):
    n = len(tokenizer.encode("{act: lamp}"))
    done = serve(lambda b: b.generate(ask(stop=("}",), max_tokens=n)), served=speller(ACTION))
    assert done.finish_reason == "stop"


def test_max_tokens_cuts_the_reply_off(serve, ask, speller, tokenizer):
    done = serve(lambda b: b.generate(ask(max_tokens=3)), served=speller(ACTION))
    assert done.finish_reason == "length"
    assert done.text == tokenizer.decode(tokenizer.encode(ACTION)[:3])
    assert done.completion_tokens == 3


@pytest.mark.parametrize("stop", [(), ("zzz",)])
def test_a_character_cut_in_two_is_left_out(serve, ask, speller, tokenizer, stop):
    text = "It 🦜"
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids[:-1]).endswith("\ufffd")
    done = serve(lambda b: b.generate(ask(max_tokens=len(ids) - 1, stop=stop)), served=speller(text))
    assert done.text == "It "
    assert tokenizer.decode(done.token_ids) == done.text


def test_a_character_of_several_tokens_is_whole(serve, ask, speller):
    done = serve(lambda b: b.generate(ask(max_tokens=60, stop=("🦜",))), served=speller("It 🦜 and"))
    assert done.text == "It 🦜"


def test_stop_strings_are_found_far_into_a_reply(serve, ask, model):
    """The window that is decoded at each step moves on; no stop string may fall between two windows."""
    text = serve(lambda b: b.generate(ask(max_tokens=300))).text
    for at in range(20, len(text) - 6, 23):
        stop = text[at : at + 5]
        if "\ufffd" in stop:
            continue
        done = serve(lambda b, stop=stop: b.generate(ask(max_tokens=300, stop=(stop,))))
        assert done.text == text[: text.index(stop) + 5]
        if at > 150:
            break


THOUGHT = "I see that nine"


def thinker(speller, close="</think>"):
    # After the forced or spoken closing tag, whose last token is a blank line, the reply begins.
    return speller(f"<think>{THOUGHT}{close}\n\n<action>lamp 3")


def test_a_thinking_part_is_split_off_and_counted_apart(serve, ask, speller, tokenizer):
    done = serve(lambda b: b.generate(ask(max_tokens=60)), served=thinker(speller))
    assert (done.text, done.reasoning) == ("<action>lamp 3", THOUGHT)
    assert done.reasoning_tokens == len(tokenizer.encode(f"<think>{THOUGHT}</think>"))
    assert done.completion_tokens == len(tokenizer.encode(f"<think>{THOUGHT}</think>\n\n<action>lamp 3"))
    assert tokenizer.decode(done.token_ids) == done.text


def test_the_history_keeps_the_thinking_part_when_asked_to(serve, ask, speller, tokenizer):
    done = serve(lambda b: b.generate(ask(max_tokens=60, keep_thinking=True)), served=thinker(speller))
    assert tokenizer.decode(done.token_ids) == f"<think>{THOUGHT}</think>\n\n<action>lamp 3"
    assert done.text == "<action>lamp 3"


def test_stop_strings_do_not_count_inside_the_thinking_part(serve, ask, speller):
    done = serve(lambda b: b.generate(ask(max_tokens=60, stop=("nine", "lamp"))), served=thinker(speller))
    assert (done.text, done.reasoning) == ("<action>lamp", THOUGHT)


def test_a_thinking_part_within_its_budget_is_left_alone(serve, ask, speller, tokenizer):
    n = len(tokenizer.encode("\n\n<action>lamp 3"))
    done = serve(lambda b: b.generate(ask(max_tokens=n, think_budget=50)), served=thinker(speller))
    assert (done.text, done.reasoning, done.finish_reason) == ("<action>lamp 3", THOUGHT, "length")


def test_thinking_over_its_budget_is_closed_and_the_reply_goes_on(serve, ask, speller, tokenizer):
    budget = 6
    done = serve(lambda b: b.generate(ask(max_tokens=60, think_budget=budget)), served=thinker(speller))
    assert done.text == "<action>lamp 3"
    assert (
        done.reasoning
        == tokenizer.decode(tokenizer.encode(f"<think>{THOUGHT}")[:budget]).removeprefix("<think>").strip()
    )
    assert done.reasoning_tokens == budget + len(tokenizer.encode("\n</think>\n\n"))


def test_the_reply_has_its_own_cap_after_a_closed_thinking_part(serve, ask, speller, tokenizer):
    done = serve(lambda b: b.generate(ask(max_tokens=2, think_budget=6)), served=thinker(speller))
    assert done.finish_reason == "length"
    assert done.text == tokenizer.decode(tokenizer.encode("<action>lamp 3")[:2])


def test_without_a_budget_thinking_counts_as_reply(serve, ask, speller):
    done = serve(lambda b: b.generate(ask(max_tokens=5)), served=thinker(speller))
    assert (done.text, done.finish_reason, done.reasoning_tokens) == ("", "length", 5)


OPENED = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}{{ 'assistant: <think>' }}"


def test_a_thinking_part_that_the_template_opened_is_split_off(serve, ask, speller, tokenizer):
    model = speller(f"{THOUGHT}</think>\n\n<action>lamp 3", after="<think>")
    done = serve(lambda b: b.generate(ask(max_tokens=60, stop=("nine",))), served=model, chat_template=OPENED)
    assert (done.text, done.reasoning) == ("<action>lamp 3", THOUGHT)


def test_a_budget_of_zero_closes_an_opened_thinking_part_at_once(serve, ask, speller, tokenizer):
    model = speller(f"{THOUGHT}</think>\n\n<action>lamp 3", after="<think>")
    done = serve(lambda b: b.generate(ask(max_tokens=60, think_budget=0)), served=model, chat_template=OPENED)
    assert (done.text, done.reasoning) == ("<action>lamp 3", "")


def test_kept_thinking_of_an_opened_part_continues_the_prompt_as_it_was(serve, ask, speller, tokenizer):
    model = speller(f"{THOUGHT}</think>\n\n<action>lamp 3", after="<think>")
    template = OPENED.replace("{{ 'assistant: <think>' }}", "{{ 'assistant: <think>' if add_generation_prompt }}")

    async def use(backend):
        first = await backend.generate(ask(max_tokens=60, keep_thinking=True))
        history = (*ask().messages, Message("assistant", first.text, first.token_ids), Message("user", "9"))
        return first, await backend.generate(ask(history, max_tokens=4))

    first, second = serve(use, served=model, chat_template=template)
    assert second.cached_tokens >= first.prompt_tokens + first.completion_tokens - 1
