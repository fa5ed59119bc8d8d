"""Only one thing is set here: a wheel is built from a clean tree, so that no renamed module survives in it."""

import shutil

from setuptools import setup
from setuptools.command.build_py import build_py


class CleanBuild(build_py):
    """Empty the build folder before copying modules into it."""

    def run(self) -> None:
        """Build the modules."""
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


setup(cmdclass={"build_py": CleanBuild})
