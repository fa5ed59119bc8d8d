"""``hf:``: which backend the arguments make."""

from __future__ import annotations

import pytest
import torch

from finchmark.suite.backends.hf import HFBackend
from finchmark.suite.backends.local import LocalBackend, device_names
from finchmark.suite.backends.replicas import ReplicaBackend
from finchmark.suite.errors import UsageError
from finchmark.suite.evaluation import make_backend, parse_pairs
from finchmark.suite.registry import BACKENDS


def test_hf_is_the_local_backend():
    assert BACKENDS.load("hf") is LocalBackend


def test_without_devices_it_is_this_process():
    choice, backend = make_backend("hf:smollm2", {"device": "cpu"})
    assert type(backend) is HFBackend
    assert backend.device == "cpu"
    assert choice.model == "smollm2"


@pytest.mark.parametrize("devices", ["cpu", ["cpu"], " cpu "])
def test_one_device_is_the_same_as_device(devices):
    backend = LocalBackend("smollm2", devices=devices)
    assert type(backend) is HFBackend
    assert backend.device == "cpu"


@pytest.mark.parametrize("text", ["devices=cuda:0+cuda:1", 'devices=["cuda:0","cuda:1"]'])
def test_several_devices_are_several_processes(text):
    _, backend = make_backend("hf:smollm2", parse_pairs([text], "--model-args"))
    assert isinstance(backend, ReplicaBackend)
    assert backend.devices == ("cuda:0", "cuda:1")


def test_where_a_model_runs_is_no_part_of_the_specification():
    one, _ = make_backend("hf:smollm2", {"max_length": 512})
    two, _ = make_backend("hf:smollm2", {"max_length": 512, "devices": "cpu+cpu"})
    assert one == two


@pytest.mark.parametrize(("count", "kind"), [(0, HFBackend), (1, HFBackend), (2, ReplicaBackend)])
def test_auto_takes_every_cuda_device_there_is(monkeypatch, count, kind):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    backend = LocalBackend("smollm2", devices="auto")
    assert type(backend) is kind
    if isinstance(backend, ReplicaBackend):
        assert backend.devices == ("cuda:0", "cuda:1")
    elif isinstance(backend, HFBackend):
        assert backend.device == ("cuda:0" if count else None)


@pytest.mark.parametrize(
    ("devices", "match"),
    [
        ("", "must name devices"),
        ([], "must name devices"),
        ("cpu+", "must name devices"),
        ([1, 2], "must name devices"),
        ("cpu+cuda:0", "mixes kinds"),
        ("cuda+cuda", "its number"),
        ("cuda:0+cuda:0", "twice"),
    ],
)
def test_devices_that_cannot_be_are_refused(devices, match):
    with pytest.raises(UsageError, match=match):
        device_names(devices)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"device": "cpu"}, "exclude each other"),
        ({"device_map": "auto"}, "device_map"),
        ({"model_object": object(), "tokenizer_object": object()}, "cannot be copied"),
        ({"no_such": 1}, "no argument 'no_such'"),
        ({"batch_size": 0}, "batch_size"),
        ({"trust_remote_code": "perhaps"}, "trust_remote_code"),
    ],
)
def test_arguments_are_checked_before_anything_starts(arguments, match):
    with pytest.raises(UsageError, match=match):
        LocalBackend("smollm2", devices="cpu+cpu", **arguments)


def test_arguments_in_the_models_name_are_sent_to_their_place():
    with pytest.raises(UsageError, match="--backend hf:smollm2 --model-args devices=cuda:0"):
        make_backend("hf:smollm2,devices=cuda:0+cuda:1", {})


def test_a_folder_with_a_comma_in_its_name_is_a_folder(tmp_path):
    folder = tmp_path / "a,b=c"
    folder.mkdir()
    assert isinstance(LocalBackend(str(folder)), HFBackend)
