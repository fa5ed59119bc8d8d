from __future__ import annotations


def pytest_addoption(parser):
    parser.addoption("--wheel-dir", default=None, help="folder with a freshly built wheel")
