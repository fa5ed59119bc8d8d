"""The backends that ship with Finchmark."""

from ..registry import Entry

CATALOGUE = (
    Entry(
        name="hf",
        target="finchmark.suite.backends.hf:HFBackend",
        summary="Weights on this machine, CUDA or CPU: hf:smollm2, hf:ORG/NAME, hf:FOLDER, hf:FILE.gguf.",
    ),
    Entry(
        name="scripted",
        target="finchmark.suite.backends.scripted:ScriptedBackend",
        summary="No model: a task's references (scripted:random …) or fixed replies (scripted:canned).",
    ),
)
