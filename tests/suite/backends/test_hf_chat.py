"""Prompts: templates, replies spliced in as they were generated, models without a template."""

import copy

import pytest

from finchmark.suite.backends import Message
from finchmark.suite.backends.chat import PLAIN, ChatFormat, part
from finchmark.suite.errors import BackendError

CHAT = (
    Message("system", "You are a helpful agent."),
    Message("user", "Which lamp?"),
    Message("assistant", "<action>lamp two</action>"),
    Message("user", "What colour is it? ReplyHere0Z"),
    Message("assistant", " It is blue.\n"),
    Message("user", "9"),
)


def _with_tokens(chat, messages):
    return tuple(
        Message(m.role, m.content, tuple(chat.encode(m.content))) if m.role == "assistant" else m for m in messages
    )


@pytest.fixture
def chat(tokenizer):
    return ChatFormat(tokenizer)


@pytest.mark.parametrize("template", [None, PLAIN])
def test_a_spliced_prompt_reads_like_the_plainly_rendered_one(tokenizer, template):
    chat = ChatFormat(tokenizer, template)
    messages = CHAT
    if template is PLAIN:  # where replies bring their own space
        messages = tuple(Message(m.role, " " + m.content.lstrip()) if m.role == "assistant" else m for m in CHAT)
    spliced = chat.prompt(_with_tokens(chat, messages))
    assert chat.decode(spliced.tokens.tolist()) == chat.render(messages)


def test_spliced_replies_stand_as_they_were_generated(chat):
    odd = tuple(t for c in "lamp two" for t in chat.encode(c))  # letter by letter
    assert odd != tuple(chat.encode("lamp two"))
    messages = (CHAT[0], CHAT[1], Message("assistant", "lamp two", odd), CHAT[5])
    tokens = chat.prompt(messages).tokens.tolist()
    assert any(tuple(tokens[i : i + len(odd)]) == odd for i in range(len(tokens)))
    assert chat.decode(tokens) == chat.render(messages)


def test_the_prompt_of_a_turn_begins_with_the_prompt_before_and_its_reply(chat):
    messages = _with_tokens(chat, CHAT)
    before, after = chat.prompt(messages[:2]).tokens.tolist(), chat.prompt(messages[:4]).tokens.tolist()
    known = before + list(messages[2].token_ids)
    assert after[: len(known)] == known


def test_a_prompt_without_spliced_replies_is_the_templates_own(chat, tokenizer):
    text = tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in CHAT], tokenize=False, add_generation_prompt=True
    )
    assert chat.prompt(CHAT).tokens.tolist() == tokenizer.encode(text, add_special_tokens=False)


def test_a_template_that_drops_replies_is_rendered_plainly(tokenizer):
    chat = ChatFormat(
        tokenizer, "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}{% endif %}{% endfor %}"
    )
    assert chat.decode(chat.prompt(_with_tokens(chat, CHAT)).tokens.tolist()) == chat.render(CHAT)


def test_a_model_without_a_template_gets_the_plain_format(tokenizer):
    bare = copy.deepcopy(tokenizer)
    bare.chat_template = None
    chat = ChatFormat(bare)
    assert chat.plain
    assert chat.render(CHAT[:3]) == (
        "System: You are a helpful agent.\n\nUser: Which lamp?\n\nAssistant: <action>lamp two</action>\n\nAssistant:"
    )


def _with_bos(tokenizer):
    from tokenizers.processors import TemplateProcessing

    marked = copy.deepcopy(tokenizer)
    marked.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", marked.bos_token_id)]
    )
    return marked


@pytest.mark.parametrize("spliced", [False, True])
def test_bos_stands_once_before_a_template_that_writes_it(tokenizer, spliced):
    marked = _with_bos(tokenizer)
    chat = ChatFormat(marked, "{{ bos_token }}{% for m in messages %}{{ m['content'] }} {% endfor %}")
    tokens = chat.prompt(_with_tokens(chat, CHAT) if spliced else CHAT).tokens.tolist()
    assert tokens.count(marked.bos_token_id) == 1
    assert tokens[0] == marked.bos_token_id


@pytest.mark.parametrize("spliced", [False, True])
def test_bos_stands_once_before_the_plain_format(tokenizer, spliced):
    marked = _with_bos(tokenizer)
    marked.chat_template = None
    chat = ChatFormat(marked)
    tokens = chat.prompt(_with_tokens(chat, CHAT) if spliced else CHAT).tokens.tolist()
    assert tokens.count(marked.bos_token_id) == 1
    assert tokens[0] == marked.bos_token_id


STRICT = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "[{{ m['content'] }}]{% endfor %}"
)


def test_a_template_without_a_system_role_gets_it_in_the_first_user_message(tokenizer):
    chat = ChatFormat(tokenizer, STRICT)
    assert chat.render(CHAT[:2]) == "[You are a helpful agent.\n\nWhich lamp?]"


def test_neighbours_of_one_role_are_joined_for_a_strict_template(tokenizer):
    chat = ChatFormat(tokenizer, STRICT)
    assert chat.render((*CHAT[1:3], CHAT[5], CHAT[5])) == "[Which lamp?][<action>lamp two</action>][9\n\n9]"


def test_a_template_that_refuses_everything_is_named(tokenizer):
    chat = ChatFormat(tokenizer, "{{ raise_exception('never') }}")
    with pytest.raises(BackendError, match=r"never.*chat_template"):
        chat.render(CHAT)


def test_the_plain_format_ends_a_reply_where_the_next_speaker_begins(serve, ask, speller, tokenizer):
    model = speller("It is blue.\n\nUser", after="Assistant:", last=":")
    bare = copy.deepcopy(tokenizer)
    bare.chat_template = None
    done = serve(lambda b: b.generate(ask(max_tokens=60)), served=model, words=bare)
    assert (done.text, done.finish_reason) == ("It is blue.", "stop")


@pytest.mark.parametrize(
    ("text", "opened", "reasoning", "reply", "closed"),
    [
        ("It is.", False, "", "It is.", True),
        ("<think>\nhm\n</think>\n\nIt is.", False, "hm", "It is.", True),
        ("  <think>hm</think>It is.", False, "hm", "It is.", True),
        ("hm</think>\nIt is.", True, "hm", "It is.", True),
        ("hm", True, "hm", "", False),
        ("<think>hm", False, "hm", "", False),
        ("It is <think>hm</think>.", False, "", "It is <think>hm</think>.", True),
        ("<think>hm</think> a </think> b", False, "hm", " a </think> b", True),
    ],
)
def test_thinking_is_taken_from_the_beginning_only(text, opened, reasoning, reply, closed):
    parted = part(text, opened)
    assert (parted.reasoning, parted.reply, parted.closed) == (reasoning, reply, closed)
    assert text[parted.start :] == reply


def test_what_is_remembered_of_texts_is_bounded(tokenizer, monkeypatch):
    from finchmark.suite.backends import chat as module

    monkeypatch.setattr(module, "_CHARACTERS", 1_000)
    chat = module.ChatFormat(tokenizer)
    for k in range(300):
        chat.prompt((Message("user", f"{k} " * 40),))
        assert chat._spelled == sum(map(len, chat._pieces)) <= 1_000
