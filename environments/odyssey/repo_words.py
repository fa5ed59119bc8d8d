"""What a repo world says: a phrasebook of our own, and the reference's for parity."""

from __future__ import annotations

from .repo_commands import GRAMMAR, Problem
from .repo_machine import Answer
from .repo_rules import PROJECT

__all__ = ["in_our_words", "in_reference_words"]

_FAILURES = {
    "no_package": "ModuleNotFoundError: No module named '{module}'",
    "no_module": "ModuleNotFoundError: No module named '{module}'",
    "no_symbol": "ImportError: cannot import name '{symbol}' from '{module}'",
    "no_keyword": "TypeError: {module}.{symbol}() got an unexpected keyword argument '{keyword}'",
    "rule": "{error}",
    "project_python": "the project does not run on Python {python}",
    "package_python": "{name} {version} does not run on Python {python}",
    "need_missing": "{name} {version} needs {other}, which is not installed",
    "need_newer": "{name} {version} needs a newer {other} than {other_version}",
    "need_older": "{name} {version} needs an older {other} than {other_version}",
    "need_other": "{name} {version} does not work with {other} {other_version}",
    "conflict": "{name} {version} clashes with {other} {other_version}",
}

# What a package's own code fails at reads the same, with who called.
_FAILURES |= {
    f"{kind}_for_package": f"{_FAILURES[kind]} (called by {{name}} {{version}})" for kind in list(_FAILURES)[:4]
}

_OURS = {
    "python_installed": "Python {version} is set.",
    "no_such_python": "There is no Python {version}. There are {available}.",
    "python_not_set": "No Python is set, so nothing can run. Install one first, as in: pip install python==3.9",
    "uninstalled": "Removed {name} {version}.",
    "not_installed": "{name} is not installed, so there is nothing to remove.",
    "already": "{name} {version} is installed already; nothing changed.",
    "already_satisfied": "{name} {version} is installed already and meets {bounds}; nothing changed.",
    "no_such_version": "No version of {name} meets {bounds}. There are {available}.",
    "installed": "Installed {name} {version}.",
    "installed_with_others": "Installed {name} {version}. With it came: {others}.",
    "python_missing": "{name} {version} was not installed: it needs Python {op}{needed}, and no Python is set.",
    "python_unfit": "{name} {version} was not installed: it needs Python {op}{needed}, and Python {python} is set.",
    "install_conflict": "{name} {version} was not installed: it clashes with {other} {other_version}.",
    "need_impossible": "{name} {version} was not installed: no version of {other} meets {bounds}.",
    "project_passed": "run.py ran to its end. The project works.",
    "script_passed": "{script} ran to its end.",
    "noop": "Nothing was done.",
}

# The world goes on as it was after each of these; the step counts.
_BAD = {
    "empty": "The action was empty.",
    "too_long": "The action {given} is far too long for a command.",
    "many_lines": "The action {given} has several lines; give one command.",
    "many_packages": "The action {given} names several packages or an option; install one package a command.",
    "bad_requirement": (
        "{given} is no requirement: it is a name and, if you like, bounds of == >= <= > < and a version such as 1.2, "
        "with commas between them."
    ),
    "inexact_python": "{given} does not say which Python: give one exact version, as in python==3.9.",
    "unknown_package": "There is no package {name}. The packages are {packages}.",
    "unknown_script": "There is no script {name}. The scripts are {scripts}.",
    "unknown_command": "The action {given} is no command.",
}


def in_our_words(answer: Answer | Problem) -> str:
    """The text for an agent."""
    kind, facts = answer.kind, answer.facts
    if isinstance(answer, Problem):
        return f"{_BAD[kind].format_map(facts)} Nothing changed, but the step counts. Accepted: {GRAMMAR}."
    if kind in _FAILURES:
        within = f" (in {facts['script']})" if facts["target"] == PROJECT else ""
        return f"{facts['target']} failed{within}: {_FAILURES[kind].format_map(facts).rstrip('.')}."
    lines = answer.lines
    if kind == "list":
        head = f"Python {facts['python']}" if facts["python"] else "Python: none"
        return "\n".join((f"{head}. Packages:", *lines)) if lines else f"{head}. Packages: none."
    if kind == "tree":
        return "\n".join(("Scripts:", *lines))
    if kind == "needs_missing":
        return f"{facts['name']} {facts['version']} was not installed: it needs {', '.join(_plain(lines))}."
    text = _OURS[kind].format_map(facts)
    if lines:
        shown = ", ".join(lines[:_WARNINGS]) + (", …" if len(lines) > _WARNINGS else "")
        return f"{text} Deprecated, and gone in a later version: {shown}."
    return text


_WARNINGS = 20


def _plain(lines: tuple[str, ...]) -> list[str]:
    """Missing packages without the reference's brackets."""
    return [line.replace(" (not installed)", " (missing)").replace(" (no version fits)", " (unfit)") for line in lines]


# Word for word what the reference answers: parity is checked by comparing texts.
_REFERENCE_FAILURES = {
    "no_package": "in '{script}': ModuleNotFoundError: No module named '{module}'.",
    "no_module": "in '{script}': ModuleNotFoundError: No module named '{module}'.",
    "no_symbol": "in '{script}': ImportError: cannot import name '{symbol}' from '{module}'.",
    "no_keyword": (
        "in '{script}': TypeError: during project entry, {module}.{symbol}() got an unexpected keyword argument "
        "'{keyword}'."
    ),
    "no_keyword_for_package": (
        "in '{script}': TypeError: while importing '{name}', {module}.{symbol}() got an unexpected keyword argument "
        "'{keyword}'."
    ),
    "rule": "{error}",
}
_REFERENCE_FAILURES |= {
    f"{kind}_for_package": _REFERENCE_FAILURES[kind] for kind in ("no_package", "no_module", "no_symbol")
}

_REFERENCE = {
    "noop": "",
    "python_installed": "Successfully installed python=={version}",
    "no_such_python": (
        "ERROR: Could not find a Python version that satisfies python=={version} (available versions: {available})"
    ),
    "python_not_set": (
        "ERROR: Python is not configured. Please install an explicit version first, e.g., 'pip install python==3.10'."
    ),
    "python_without_version": (
        "ERROR: Installing Python requires an explicit version, e.g., 'pip install python==3.10'."
    ),
    "inexact_python": "ERROR: Only exact Python version is supported, e.g., 'python==3.10'.",
    "uninstalled": "Successfully uninstalled {name}=={version}",
    "not_installed": "ERROR: Package '{name}' is not installed.",
    "already": "{name}=={version} is already installed.",
    "already_satisfied": "{name}=={version} is already installed and satisfies constraints {bounds}.",
    "no_such_package": "ERROR: Could not find a package named '{name}'.",
    "no_such_version": (
        "ERROR: Could not find any version of {name} that satisfies constraints {bounds} "
        "(available versions: {available})"
    ),
    "installed": "Successfully installed {name}=={version}",
    "installed_with_others": (
        "Successfully installed {name}=={version}\nAlso installed/updated due to dependencies: {others}"
    ),
    "python_missing": ("ERROR: {name}=={version} requires Python {op} {needed}, but no Python version is configured."),
    "python_unfit": "ERROR: {name}=={version} requires Python {op} {needed}, but you have Python {python}.",
    "needs_missing": (
        "ERROR: Cannot install {name}=={version} because the following required dependencies are missing:"
    ),
    "need_impossible": "ERROR: Cannot satisfy dependency {other} {bounds} of {name}=={version}.",
    "install_conflict": (
        "ERROR: Cannot install {name}=={version} because it conflicts with {other}=={other_version}. {text}"
    ),
    "project_passed": "Project executed successfully.",
    "script_passed": "Script executed successfully: {script}",
    "unknown_script": "ERROR: Unknown script: {name}. Try 'repo tree'.",
    "unknown_command": "ERROR: Unknown command: {given}",
    "invalid_install": "ERROR: Invalid pip install command: {given}",
    "invalid_uninstall": "ERROR: Invalid pip uninstall command: {given}",
    "invalid_python": "ERROR: Unsupported python command: {given}",
    "many_packages": (
        "ERROR: Unsupported command.\n"
        "This environment only supports installing one package per command.\n"
        "Please install packages sequentially."
    ),
    "bad_version": "ERROR: Invalid requirement spec '{given}'. Invalid semantic version: {version}",
}


def in_reference_words(answer: Answer | Problem) -> str:
    """The text that the reference gives."""
    kind, facts = answer.kind, answer.facts
    if isinstance(answer, Answer):
        if kind in _REFERENCE_FAILURES:
            reason = _REFERENCE_FAILURES[kind].format_map(facts)
            if facts["target"] == PROJECT:
                reason = f"while running '{facts['script']}': {reason}"
            return f"ERROR: Project execution failed.\n  - {reason}"
        if kind == "list":
            head = f"Environment status:\n  Python: {facts['python'] or '<not set>'}\n  Installed packages:"
            return "\n".join((head, *(f"    - {line}" for line in answer.lines))) if answer.lines else f"{head} <none>"
        if kind == "tree":
            return "\n".join(("Repo tree:", *(f"  {path}" for path in answer.lines)))
        if kind == "needs_missing":
            return "\n".join((_REFERENCE[kind].format_map(facts), *(f"  - {line}" for line in answer.lines)))
    return _REFERENCE[kind].format_map(facts)
