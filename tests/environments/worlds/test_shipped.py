"""The worlds that ship: registered, listed, certified, as many of each factor as promised, and playable as vectors."""

import subprocess
import sys
import warnings
from collections import Counter

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

import finchmark.environments.worlds  # noqa: F401  # its import registers the ids
from finchmark.environments.catalogue import CATALOGUE
from finchmark.environments.worlds.audit.certificate import HOME, read_certificate
from finchmark.environments.worlds.catalogue import CORES, WORLDS
from finchmark.environments.worlds.command import audit_worlds, check_worlds
from finchmark.environments.worlds.env import WorldEnv
from finchmark.environments.worlds.level import split_of
from finchmark.environments.worlds.lookup import find_world
from finchmark.environments.worlds.scale import find_scale, has_scale
from finchmark.suite.errors import UsageError

NAMES = [line.name for line in WORLDS]
LONG = {line.name for line in WORLDS if line.horizon > 60}


def id_of(name):
    return f"finchmark-worlds/{name}-v1"


def share(factor, *kinds):
    counts = Counter(find_world(name).factors[factor] for name in NAMES)
    return sum(counts[kind] for kind in kinds) / len(NAMES)


class TestCatalogue:
    def test_every_world_has_passed_its_audit(self):
        assert [name for name in NAMES if not has_scale(name)] == []
        assert [name for name in NAMES if not (HOME / f"{name}.json").is_file()] == []

    def test_nothing_is_left_of_worlds_that_are_gone(self):
        assert {path.stem for path in HOME.glob("*.json")} == set(NAMES)
        assert {path.stem for path in (HOME.parent / "scales").glob("*.yaml")} == set(NAMES)

    def test_there_are_36_worlds_or_more_on_12_cores_or_more(self):
        assert len(set(NAMES)) == len(NAMES) >= 36
        assert len({line.core for line in WORLDS}) >= 12
        assert {line.core for line in WORLDS} == set(CORES)

    def test_factors_are_shared_out_as_promised(self):
        assert share("reward", "binary") == pytest.approx(0.5, abs=0.1)
        assert share("observation", "partial") == pytest.approx(0.6, abs=0.1)
        assert share("semantics", "inverse") == pytest.approx(0.2, abs=0.1)

    @pytest.mark.slow
    def test_there_are_358_levels_or_more_and_each_is_in_its_split(self):
        levels = {}
        for line in WORLDS:
            world = find_world(line.name)
            tests, validation = world.levels("test"), world.levels("validation")
            assert (len(tests), len(validation)) == (10, 5)
            assert {split_of(level) for level in tests} == {"test"}
            assert {split_of(level) for level in validation} == {"validation"}
            levels[line.name] = tests + validation
        assert sum(len(found) for found in levels.values()) >= 358

    def test_horizons_are_30_to_60_and_some_200(self):
        assert all(30 <= line.horizon <= 60 or line.horizon == 200 for line in WORLDS)
        assert LONG


class TestScales:
    @pytest.mark.parametrize("name", NAMES)
    def test_chance_is_below_the_reference_and_that_no_higher_than_hindsight(self, name):
        scale = find_scale(name)
        assert scale.low <= scale.random < scale.reference <= scale.hindsight <= scale.high
        assert scale.averaged
        partial = find_world(name).observation.kind == "partial"
        assert (scale.reference_name == "optimum") is not partial
        assert read_certificate(name)["factors"] == find_world(name).factors

    def test_every_certificate_holds(self):
        said: list[str] = []
        assert check_worlds(say=said.append, jobs=1), [line for line in said if "holds" not in line]
        assert sorted(said) == sorted(f"{name}: its certificate holds" for name in NAMES)


class TestGymnasium:
    def test_the_ids_are_the_catalogues(self):
        registered = {name for name in gymnasium.registry if name.startswith("finchmark-worlds/")}
        assert registered == {id_of(name) for name in NAMES}
        listed = [entry for entry in CATALOGUE if entry.name.startswith("finchmark-worlds/")]
        assert {entry.name for entry in listed} == registered
        assert {gymnasium.registry[entry.name].entry_point for entry in listed} == {entry.target for entry in listed}
        assert all(entry.summary for entry in listed)

    def test_listing_them_loads_neither_numpy_nor_gymnasium(self):
        code = (
            "import sys, finchmark.environments.catalogue; "
            "sys.exit(any(name in sys.modules for name in ('numpy', 'gymnasium')))"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    @pytest.mark.parametrize("name", NAMES)
    def test_the_checker_finds_nothing(self, name):
        env = gymnasium.make(id_of(name), split="validation").unwrapped
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            check_env(env, skip_render_check=True)

    @pytest.mark.parametrize("mode", ["sync", pytest.param("async", marks=pytest.mark.slow)])
    @pytest.mark.parametrize("name", ["wind-gather", "locks-hold", "bargain-market"])
    def test_vectors_show_what_single_environments_show(self, name, mode):
        kwargs = {"shared_memory": False} if mode == "async" else {}
        vector = gymnasium.make_vec(id_of(name), 2, vectorization_mode=mode, vector_kwargs=kwargs, split="validation")
        singles = [WorldEnv(name, split="validation") for _ in range(2)]
        try:
            texts, _ = vector.reset(seed=5)  # each environment gets the next number
            assert list(texts) == [env.reset(seed=seed)[0] for env, seed in zip(singles, (5, 6), strict=True)]
            for number in range(6):
                actions = tuple(singles[0].sample_action(2 * number + row) for row in range(2))
                texts, rewards, ended, cut, _ = vector.step(actions)
                steps = [env.step(action) for env, action in zip(singles, actions, strict=True)]
                assert list(texts) == [step[0] for step in steps]
                assert list(rewards) == [step[1] for step in steps]
                assert [(end, stop) for end, stop in zip(ended, cut, strict=True)] == [step[2:4] for step in steps]
                if ended.any() or cut.any():
                    break
        finally:
            vector.close()


class TestAudit:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", NAMES)
    def test_every_world_passes_anew(self, name):
        said: list[str] = []
        assert audit_worlds([name], say=said.append, jobs=1), [line for line in said if "FAIL" in line]

    @pytest.mark.slow
    def test_processes_say_what_one_says(self):
        one: list[str] = []
        two: list[str] = []
        assert check_worlds(["wind", "kiln"], say=one.append, jobs=1)
        assert check_worlds(["wind", "kiln"], say=two.append, jobs=2)
        assert sorted(two) == sorted(one)

    def test_a_negative_number_of_processes_is_an_error(self):
        with pytest.raises(UsageError, match="-1"):
            check_worlds(["wind"], jobs=-1)
