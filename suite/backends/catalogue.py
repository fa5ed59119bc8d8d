"""The backends that ship with Finchmark."""

from ..registry import Entry

CATALOGUE = (
    Entry(
        name="hf",
        target="finchmark.suite.backends.local:LocalBackend",
        summary="Weights on this machine, CUDA or CPU: hf:smollm2, hf:ORG/NAME, hf:FOLDER, hf:FILE.gguf.",
    ),
    Entry(
        name="openai",
        target="finchmark.suite.backends.openai:OpenAIBackend",
        summary="Any OpenAI-compatible server (vLLM, SGLang, llama.cpp, Ollama, hosted): openai:MODEL, base_url=URL.",
    ),
    Entry(
        name="lm_eval",
        target="finchmark.suite.backends.lm_eval:LMEvalBackend",
        summary="Any model class of lm-eval by its name and arguments: lm_eval:hf,pretrained=…, lm_eval:vllm,….",
    ),
    Entry(
        name="scripted",
        target="finchmark.suite.backends.scripted:ScriptedBackend",
        summary="No model: a task's references (scripted:random …) or fixed replies (scripted:canned).",
    ),
    Entry(
        name="none",
        target="finchmark.suite.backends.none:NoBackend",
        summary="No model and no replies: for agents that ask none, such as tabular.",
    ),
)
