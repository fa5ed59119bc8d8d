"""lm-eval's tasks as tasks of Finchmark: ``lm_eval/NAME``. See :mod:`.task`."""
