"""What a candidate may try against the machine. Each is contained, and the next candidate is unaffected."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

TESTS = "def test():\n    assert f(1) == 2\n"
HONEST = "def f(x):\n    return x + 1\n"

INTERPRETER = {Path(place).parts[2] for place in (sys.prefix, sys.base_prefix) if Path(place).parts[1:2] == ("tmp",)}
"""What there is in a fresh /tmp: the way to the interpreter, where it lies there (a clone below /tmp)."""


@pytest.fixture(autouse=True)
def next_candidate_is_unaffected(box):
    yield
    assert box.judge(HONEST, TESTS).passed


def outside(name):
    return [p for p in Path("/proc").iterdir() if p.name.isdigit() and name in _command(p)]


def _command(path):
    try:
        return (path / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_a_fork_bomb_is_stopped_by_the_limit_on_processes(box):
    source = (
        "import os, time\ndef f():\n    made = 0\n    try:\n        while made < 200:\n"
        "            if os.fork() == 0:\n                time.sleep(30)\n                os._exit(0)\n"
        "            made += 1\n    except OSError as error:\n        return made, type(error).__name__\n"
        "    return made, ''\n"
    )
    execution = box.run(source, call="f")
    assert execution.ok, execution
    made, error = execution.value
    assert made < box.sandbox.limits.processes
    assert error == "BlockingIOError"


def test_a_fork_bomb_without_end_hits_a_limit(box):
    execution = box.run(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n",
        limits=replace(box.sandbox.limits, cpu_s=1.5, wall_s=10),
    )
    assert execution.outcome == "limit"
    assert execution.wall_s < 15


def test_a_memory_bomb_is_stopped(box):
    execution = box.run("xs = []\nwhile True: xs.append(bytearray(10**7))")
    assert (execution.outcome, execution.limits) == ("limit", ("memory_mb",))


def test_a_memory_bomb_shared_out_over_processes_is_stopped(box):
    source = (
        "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        x = bytearray(200 * 2**20)\n"
        "        x[::4096] = b'x' * len(x[::4096])\n        time.sleep(30)\n        os._exit(0)\ntime.sleep(30)\n"
    )
    execution = box.run(source)
    assert execution.limits == ("memory_mb",)
    assert execution.wall_s < 15


def test_the_tests_cell_survives_a_candidate_that_sends_too_much(box):
    verdict = box.judge("def f(x): return 'x' * (300 * 2**20)", TESTS)
    assert verdict.status == "failed"


def test_an_infinite_loop_ends_by_processor_time(box):
    execution = box.run("while True: pass", limits=replace(box.sandbox.limits, cpu_s=0.5))
    assert execution.limits == ("cpu_s",)
    assert execution.cpu_s < 3


def test_processor_time_counts_over_all_processes(box):
    source = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    execution = box.run(source, limits=replace(box.sandbox.limits, cpu_s=1))
    assert "cpu_s" in execution.limits


def test_sleeping_ends_by_elapsed_time(box):
    verdict = box.judge("import time\ndef f(x): time.sleep(60)", TESTS, limits=replace(box.sandbox.limits, wall_s=1))
    assert (verdict.reason, verdict.limits) == ("limit", ("wall_s",))
    assert verdict.wall_s < 8


def test_a_gigabyte_of_output_is_cut(box):
    execution = box.run("import os\nblock = b'x' * 2**20\nfor _ in range(1024): os.write(1, block)")
    assert execution.limits == ("output_kb",)
    assert len(execution.stdout) == box.sandbox.limits.output_kb * 1024


def test_a_large_file_is_refused(box):
    execution = box.run("with open('big', 'wb') as f:\n    for _ in range(64): f.write(b'x' * 2**20)")
    assert (execution.outcome, execution.error) == ("error", "OSError")


def test_a_disk_full_of_files_is_refused_and_emptied(box):
    source = (
        "import os\ndef f():\n    n = 0\n    try:\n        while n < 2000:\n"
        "            with open(f'/tmp/{n}', 'wb') as file: file.write(b'x' * 2**20)\n            n += 1\n"
        "    except OSError: pass\n    return n, len(os.listdir('/tmp'))\n"
    )
    made, _ = box.run(source, call="f").value
    assert made <= 512
    assert set(box.run("import os\ndef f(): return os.listdir('/tmp')", call="f").value) <= INTERPRETER


def test_too_many_open_files_are_refused(box):
    source = (
        "def f():\n    xs = []\n    try:\n        while True: xs.append(open('/dev/null'))\n"
        "    except OSError: return len(xs)"
    )
    assert box.run(source, call="f").value < box.sandbox.limits.files


def test_a_tree_of_folders_too_deep_to_remove_does_not_reach_the_next(box):
    box.run("import os\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\n")
    assert set(box.run("import os\ndef f(): return os.listdir('/tmp')", call="f").value) <= INTERPRETER


def test_the_system_is_read_only_and_holds_no_files_of_the_host(box, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    source = (
        "import os, sys\ndef f(paths):\n    said = {}\n    for p in paths:\n        said[p] = os.path.exists(p)\n"
        "    written = []\n"
        "    for folder in ('/', '/usr', '/usr/lib', '/etc', '/finch/inside', sys.prefix, '/dev', '/proc/sys'):\n"
        "        try:\n            open(folder + '/mine', 'w').close()\n            written.append(folder)\n"
        "        except OSError: pass\n    os.symlink('/etc/shadow', 'link')\n    os.symlink(paths[0], 'other')\n"
        "    for name in ('link', 'other'):\n        try:\n            open(name).read()\n"
        "            written.append(name)\n"
        "        except OSError: pass\n    return said, written\n"
    )
    paths = [str(secret), "/etc/passwd", "/etc/shadow", "/home", "/var/run", str(Path(__file__))]
    execution = box.run(source, call="f", args=[paths])
    seen, written = execution.value
    assert not any(seen.values()), seen
    assert written == []


def test_a_walk_through_proc_finds_itself_alone(box):
    source = (
        "import os\ndef f():\n    pids = sorted(int(n) for n in os.listdir('/proc') if n.isdigit())\n"
        "    texts = []\n    for pid in pids:\n        for name in ('cmdline', 'environ'):\n"
        "            try: texts.append(open(f'/proc/{pid}/{name}').read())\n            except OSError: pass\n"
        "    return pids, os.getpid(), os.getppid(), dict(os.environ), ' '.join(texts)\n"
    )
    os.environ["FINCHMARK_TEST_SECRET"] = "sesame"
    pids, own, parent, environment, texts = box.run(source, call="f").value
    assert (pids, own, parent) == ([1], 1, 0)
    assert set(environment) == {"PATH", "HOME", "LANG"}
    assert "sesame" not in texts


def test_the_parent_and_the_host_cannot_be_killed_or_traced(box):
    source = (
        "import ctypes, os, signal\ndef f(host):\n    libc = ctypes.CDLL(None, use_errno=True)\n    said = []\n"
        "    for pid in (host, os.getppid() or 2, 2, 3, 4, 5, 6, 7, 8):\n"
        "        try: os.kill(pid, signal.SIGKILL); said.append(('kill', pid))\n        except OSError: pass\n"
        "        if libc.ptrace(16, pid, 0, 0) == 0: said.append(('ptrace', pid))\n"
        "        try: open(f'/proc/{pid}/mem', 'rb'); said.append(('mem', pid))\n        except OSError: pass\n"
        "    try: os.kill(-1, signal.SIGKILL)\n    except OSError: pass\n    return said\n"
    )
    assert box.run(source, call="f", args=[os.getpid()]).value == []


def test_no_socket_but_a_local_one(box):
    source = (
        "import socket\ndef f(families):\n    made = []\n    for family in families:\n        for kind in (1, 2, 3):\n"
        "            try: socket.socket(family, kind).close(); made.append((family, kind))\n"
        "            except OSError: pass\n"
        "    socket.socketpair()[0].close()\n    return made\n"
    )
    families = list(range(2, 46))
    assert box.run(source, call="f", args=[families]).value == []


def test_system_calls_that_reach_further_are_refused(box):
    source = (
        "import ctypes\ndef f(numbers):\n    libc = ctypes.CDLL(None, use_errno=True)\n    said = {}\n"
        "    for n in numbers:\n        ctypes.set_errno(0)\n"
        "        said[n] = (libc.syscall(n, 0, 0, 0, 0, 0), ctypes.get_errno())\n"
        "    return said\n"
    )
    from finchmark.suite.sandbox.inside import syscalls

    numbers = sorted(syscalls._REFUSED[os.uname().machine].values())
    said = box.run(source, call="f", args=[numbers]).value
    assert set(said.values()) == {(-1, 1)}


def test_no_new_namespace_and_no_rights(box):
    source = (
        "import ctypes, os\ndef f(clone):\n    libc = ctypes.CDLL(None, use_errno=True)\n"
        "    status = open('/proc/self/status').read().split('\\n')\n"
        "    rights = dict(line.split()[:2] for line in status if line.startswith(('Cap', 'NoNew', 'Seccomp:')))\n"
        "    return libc.syscall(clone, 0x10000000 | 17, 0, 0, 0, 0), rights, os.getuid()\n"
    )
    clone = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    made, rights, uid = box.run(source, call="f", args=[clone]).value
    assert made == -1
    assert {value.strip("0") for name, value in rights.items() if name.startswith("Cap")} == {""}
    assert (rights["NoNewPrivs:"], rights["Seccomp:"]) == ("1", "2")
    assert uid != 0


def test_a_daemonised_grandchild_ends_with_its_candidate(box):
    marker = f"finch-grandchild-{os.getpid()}"
    source = (
        "import os, sys\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(60)', {marker!r}])\n"
        "    os._exit(0)\nimport time; time.sleep(0.5)\n"
    )
    execution = box.run(source)
    assert execution.ok, execution
    deadline = time.monotonic() + 3
    while outside(marker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert outside(marker) == []


def test_a_huge_integer_and_a_slow_regex_hit_a_limit(box):
    short = replace(box.sandbox.limits, cpu_s=0.5)
    assert box.run("x = 9 ** (9 ** 9)", limits=short).limits
    assert box.run("import re; re.match(r'(a+)+$', 'a' * 60 + 'b')", limits=short).limits == ("cpu_s",)
    verdict = box.judge("def f(x): return 1 << 4_000_000", "def test():\n    assert f(1) == 1 << 4_000_000\n")
    assert verdict.passed, verdict


def test_deep_recursion_and_a_crash_of_the_interpreter_are_a_failure(box):
    assert box.run("def f(n): return f(n + 1)\nf(0)").error == "RecursionError"
    crash = box.run("import ctypes; ctypes.string_at(0)")
    assert (crash.outcome, "signal 11" in crash.detail) == ("killed", True)
    assert box.judge("import ctypes\ndef f(x): return ctypes.string_at(0)", TESTS).reason == "exit"


def test_standard_input_is_closed(box):
    assert box.run("input()").error == "EOFError"


def test_finchmark_cannot_be_imported(box):
    execution = box.run("import finchmark.tasks")
    assert execution.error in ("ModuleNotFoundError", "ImportError"), execution


def test_a_candidate_leaves_nothing_for_the_next(box):
    box.run(
        "import builtins, sys, math, os\nbuiltins.open = None\nmath.pi = 3\nsys.modules['json'] = None\n"
        "os.environ['LEFT'] = '1'\nopen_ = os.open('/tmp/left', os.O_CREAT)\nos.open('/dev/shm/left', os.O_CREAT)\n"
    )
    source = (
        "import math, os, json\n"
        "def f(): return math.pi, 'LEFT' in os.environ, os.listdir('/tmp'), os.listdir('/dev/shm'), callable(open)"
    )
    pi, left, files, shared, has_open = box.run(source, call="f").value
    assert (round(pi, 2), left, shared, has_open) == (3.14, False, [], True)
    assert set(files) <= INTERPRETER


def test_random_numbers_differ_between_candidates(box):
    source = "import os, random\ndef f(): return random.random()"
    assert box.run(source, call="f").value != box.run(source, call="f").value


def test_the_interpreter_of_a_candidate_can_start_another(box):
    execution = box.run(
        "import subprocess, sys\ndef f(): return subprocess.check_output([sys.executable, '-c', 'print(3)'])", call="f"
    )
    assert execution.value == b"3\n", execution


@pytest.mark.slow
def test_a_host_that_is_killed_leaves_nothing_running(box):
    program = (
        "import asyncio\nfrom finchmark.suite.sandbox.sandbox import Sandbox\n"
        "async def main():\n    async with Sandbox('bubblewrap', workers=1) as s:\n        print(flush=True)\n"
        "        await s.run('import time; time.sleep(50)')\nasyncio.run(main())\n"
    )
    marker = f"finch-host-{os.getpid()}"
    host = subprocess.Popen([sys.executable, "-c", program, marker], stdout=subprocess.PIPE)
    assert host.stdout is not None
    host.stdout.readline()
    time.sleep(2)
    children = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _parent(p) == host.pid]
    assert children
    host.kill()
    host.wait()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def _parent(path):
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0
