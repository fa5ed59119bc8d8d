import pytest

from finchmark.environments.worlds.catalogue import WORLDS
from finchmark.environments.worlds.scale import Scale, find_scale, has_scale, write_scale
from finchmark.suite.errors import UnknownName, UsageError

SCALE = Scale("w", 1, 10, "ab", 0.2, 0.7, "optimum", True, 0.7, 0.0, 1.0, None)


class TestScale:
    def test_chance_is_zero_and_the_reference_one(self):
        assert SCALE.normalise(0.2) == 0
        assert SCALE.normalise(0.7) == pytest.approx(1)
        assert SCALE.normalise(0.1) == pytest.approx(-0.2)

    @pytest.mark.parametrize(("reference", "averaged"), [(0.7, True), (0.46, True), (0.44, False)])
    def test_little_headroom_is_not_averaged(self, reference, averaged):
        scale = Scale("w", 1, 10, "ab", 0.2, reference, "optimum", True, 1.0, 0.0, 1.0, None)
        assert scale.averaged is averaged

    def test_no_headroom_at_all_is_an_error(self):
        with pytest.raises(UsageError, match="raw"):
            Scale("w", 1, 10, "ab", 0.2, 0.2, "optimum", True, 1.0, 0.0, 1.0, None).normalise(0.5)

    def test_goes_to_a_file_and_back(self, tmp_path):
        import yaml

        path = write_scale(SCALE, tmp_path)
        assert Scale(**yaml.safe_load(path.read_text())) == SCALE

    def test_a_world_without_one_is_unknown(self):
        with pytest.raises(UnknownName):
            find_scale("no-such-world")

    @pytest.mark.parametrize("name", [line.name for line in WORLDS if has_scale(line.name)])
    def test_shipped_scales_hang_together(self, name):
        scale = find_scale(name)
        assert scale.world == name
        assert scale.low <= scale.random < scale.reference <= scale.hindsight + 1e-6 <= scale.high + 2e-6
        assert scale.averaged
