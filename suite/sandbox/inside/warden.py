"""The warm parent inside the boundary: starts a fresh cell for each job, watches its limits, ends its whole tree.

It reads neither candidates nor tests: they travel past it in descriptors that only their cell reads, so that nothing
of one job is in the memory that the next one is forked from.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import time
from typing import Any

from . import cell, syscalls
from .candidate import alone, with_tests
from .examiner import examine

__all__ = ["main"]

_PR_SET_CHILD_SUBREAPER = 36
_TICK_S = 0.02
# A busy machine may make a job last so many times its limit of elapsed seconds, at most.
_PATIENCE = 10
_HEAVY = {
    "numpy": ("numpy", "numpy.linalg", "numpy.random", "numpy.fft"),
    "scipy": (
        "scipy", "scipy.integrate", "scipy.interpolate", "scipy.linalg", "scipy.optimize", "scipy.sparse",
        "scipy.spatial", "scipy.special", "scipy.stats",
    ),
    "sklearn": (
        "sklearn", "sklearn.cluster", "sklearn.datasets", "sklearn.decomposition", "sklearn.ensemble",
        "sklearn.linear_model", "sklearn.metrics", "sklearn.model_selection", "sklearn.neighbors",
        "sklearn.preprocessing", "sklearn.tree",
    ),
}  # fmt: skip


def _warm(packages):
    """Import what candidates may want, once for all of them."""
    found = []
    for package in packages:
        for module in _HEAVY.get(package, (package,)):
            try:
                importlib.import_module(module)
            except Exception as error:  # noqa: BLE001 - a package that does not import is not there for candidates
                if module == package:
                    break
                sys.stderr.write(f"{module}: {error!r}\n")
        else:
            found.append(package)
    return found


def _processes():
    """Parent, processor seconds and own resident pages of each process in sight."""
    found = {}
    tick = os.sysconf("SC_CLK_TCK")
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            with open(f"/proc/{name}/statm") as file:
                _, resident, shared = (int(field) for field in file.read().split()[:3])
        except (OSError, ValueError):
            continue
        spent = sum(int(field) for field in fields[11:15]) / tick
        found[int(name)] = (int(fields[1]), spent, max(0, resident - shared))
    return found


def _kept_waiting(pids):
    """Seconds that processes were ready to run and had no processor (``sched_info.run_delay``; 0 where unknown)."""
    waited = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/schedstat") as file:
                waited += int(file.read().split()[1])
        except (OSError, ValueError, IndexError):
            continue
    return waited / 1e9


def _tree(processes, roots):
    """The processes below some, with them."""
    found = set(roots) & set(processes)
    more = True
    while more:
        below = {pid for pid, (parent, _, _) in processes.items() if parent in found and pid not in found}
        more = bool(below)
        found |= below
    return found


class Warden:
    """Runs jobs, one at a time.

    Args:
        control: The socket to the host.
        isolated: Whether cells get namespaces of their own.
        folder: Where cells work; emptied after each job.
    """

    def __init__(self, control, isolated, folder):
        self._control, self._isolated, self._folder = control, isolated, folder
        self._null = os.open("/dev/null", os.O_RDWR)
        own = os.getpid()
        # What every cell has from its parent is not the candidate's.
        self._own_pages = _processes()[own][2]

    def serve(self):
        """Serve until the host leaves."""
        while True:
            try:
                message, handles = _receive(self._control)
            except EOFError:
                return
            if not message.startswith(b"{"):
                continue  # a word about a job that had ended already
            try:
                said: dict[str, Any] = self._job(json.loads(message), handles)
            except OSError as error:
                said = {"failure": str(error)}
            finally:
                for handle in handles:
                    os.close(handle)
            said["clean"] = self._clean()
            self._control.sendall(json.dumps(said).encode())

    def _job(self, job, handles):
        started = time.monotonic()
        limits = job["limits"]
        payload, out, err, report = handles[:4]
        cells, words = {}, []

        def start(name, main, streams, keep):
            cells[name], word = cell.start(main, self._isolated, limits, streams, keep, self._folder)
            words.append(word)

        try:
            if job["mode"] == "run":
                start("candidate", lambda: alone(report, payload), (self._null, out, err), (payload, report))
            else:
                tests = handles[4]
                ours, theirs = socket.socketpair()
                with ours, theirs:
                    start(
                        "candidate",
                        lambda: with_tests(theirs, payload),
                        (self._null, out, err),
                        (payload, theirs.fileno()),
                    )
                    start(
                        "tests",
                        lambda: examine(ours, tests, report),
                        (self._null,) * 3,
                        (tests, ours.fileno(), report),
                    )
            for handle in (report, out, err):
                os.close(handle)
            handles[1:4] = []
            said = self._watch(cells, limits, started)
            # A cell says only that it could not be settled, before it has read anything of the candidate.
            faults = [fault for fault in (os.read(word, 500).decode() for word in words) if fault]
            return {"failure": faults[0][1:]} if faults else said
        except OSError:
            self._end_all(cells)
            raise
        finally:
            for word in words:
                os.close(word)

    def _watch(self, cells, limits, started):
        last = "tests" if "tests" in cells else "candidate"
        watched = {name: os.pidfd_open(pid) for name, pid in cells.items()}
        poll = select.poll()
        for handle in (*watched.values(), self._control.fileno()):
            poll.register(handle, select.POLLIN)
        hit, ended, spent, peak, more = [], {}, 0.0, 0, 0.0
        try:
            while last not in ended and not hit:
                events = poll.poll(_TICK_S * 1000)
                for handle, _ in events:
                    if handle == self._control.fileno():
                        word = self._control.recv(1000).decode()
                        if not word:
                            raise SystemExit(0)  # the host is gone
                        hit.append(word)
                    else:
                        name = next(n for n, h in watched.items() if h == handle)
                        poll.unregister(handle)
                        ended[name] = True
                if time.monotonic() - started > limits["wall_s"] + more:
                    # What the machine kept the cells waiting is not theirs: no verdict hangs on how busy it was.
                    waited = min(_kept_waiting(cells.values()), (_PATIENCE - 1) * limits["wall_s"])
                    if waited < more + _TICK_S:
                        hit.append("wall_s")
                    else:
                        self._control.sendall(json.dumps({"later": waited - more}).encode())
                        more = waited
                if not events:
                    processes = _processes()
                    tree = _tree(processes, self._of_candidate(processes, cells))
                    now = sum(processes[pid][1] for pid in tree)
                    spent = max(spent, now)
                    pages = sum(max(0, processes[pid][2] - self._own_pages) for pid in tree)
                    peak = max(peak, pages)
                    if spent > limits["cpu_s"]:
                        hit.append("cpu_s")
                    if pages * resource.getpagesize() > limits["memory_mb"] * 2**20:
                        hit.append("memory_mb")
        finally:
            for handle in watched.values():
                os.close(handle)
        statuses, used = self._end_all(cells)
        if used["candidate"] >= limits["cpu_s"] and "cpu_s" not in hit:
            hit.append("cpu_s")
        return {
            "limits": list(dict.fromkeys(hit)),
            "status": statuses["candidate"],
            "tests_status": statuses.get("tests"),
            "first": "candidate" if "candidate" in ended else "",
            "cpu_s": max(spent, used["candidate"]) + used.get("tests", 0.0),
        }

    def _of_candidate(self, processes, cells):
        """Roots of the candidate's tree: its cell, and whatever left it for this process."""
        roots = {cells["candidate"]}
        if not self._isolated:
            own = os.getpid()
            roots |= {pid for pid, (parent, _, _) in processes.items() if parent == own} - set(cells.values())
        return roots

    def _end_all(self, cells):
        """End every process below this one, and wait for it.

        Returns:
            By cell, its exit status (negative: the signal that ended it) and its processor seconds.
        """
        statuses, used = {}, {}
        for pid in cells.values():  # one that has ended keeps its status: the signal comes too late
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name, pid in cells.items():
            _, status, usage = os.wait4(pid, 0)
            statuses[name] = os.waitstatus_to_exitcode(status)
            used[name] = usage.ru_utime + usage.ru_stime
        while True:  # inside the boundary a cell's processes ended with it; outside they must be found
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            rest = () if self._isolated else _tree(_processes(), [os.getpid()]) - {os.getpid()}
            if not rest:
                return statuses, used
            for pid in rest:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _clean(self):
        """Empty what cells can write to; False if that fails, and then this process is not used again."""
        try:
            for folder in (self._folder, "/dev/shm") if self._isolated else (self._folder,):
                for entry in os.scandir(folder):
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path)
                    else:
                        os.unlink(entry.path)
        except (OSError, RecursionError):
            return False
        return True


def _receive(control):
    handles = array.array("i")
    message, extra, _, _ = control.recvmsg(2**16, socket.CMSG_SPACE(8 * handles.itemsize))
    if not message:
        raise EOFError
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            handles.frombytes(data[: len(data) - len(data) % handles.itemsize])
    return message, list(handles)


def main(argv):
    """Start: import the packages, say so to the host, serve.

    Args:
        argv: ``isolated`` or ``bare``, the working folder, and the packages to import.
    """
    isolated, folder, *packages = argv
    cell.LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open("/dev/null", os.O_RDWR), 0)
    importlib.import_module(".function", __package__)  # so that no cell has to
    found = _warm(packages)
    if syscalls.supported():
        syscalls.prepare()
    gc.collect()
    gc.freeze()
    warden = Warden(control, isolated == "isolated", folder)
    control.sendall(json.dumps({"ready": found, "python": sys.version.split()[0]}).encode())
    warden.serve()
