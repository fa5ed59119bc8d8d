"""``python -m finchmark.tasks.for_lm_eval`` prints the folder for lm-eval's ``--include_path``."""

import sys

from . import include_path

sys.stdout.write(include_path() + "\n")
