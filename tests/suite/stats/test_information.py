import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finchmark.suite.seeds import generator
from finchmark.suite.stats.information import (
    fano_information,
    forgetful_error,
    forgetful_information,
    information_contrast,
    largest_fano_information,
    policy_information,
    table_information,
)

K = 8


def societies(policies, rounds, keep, rng, *, acts=24, clear=0.9):
    """Counts of acts of societies that keep a policy with a probability each round, else draw it anew."""
    now, k = policies.copy(), policies.max() + 1
    found = np.empty((len(policies), rounds, k))
    for t in range(rounds):
        if t:
            now = np.where(rng.random(len(now)) < keep, now, rng.integers(k, size=len(now)))
        shares = np.full((len(now), k), (1 - clear) / (k - 1))
        shares[np.arange(len(now)), now] = clear
        found[:, t] = rng.multinomial(acts, shares)
    return found


def exact_information(joint):
    """Sum of p ln(p / (p q)), written out."""
    p = joint / joint.sum()
    return sum(
        p[i, j] * np.log(p[i, j] / (p[i].sum() * p[:, j].sum()))
        for i in range(p.shape[0])
        for j in range(p.shape[1])
        if p[i, j] > 0
    )


class TestClosedForms:
    def test_a_perfect_reading_is_ln_k_and_chance_is_nothing(self):
        assert fano_information([0.0, 7 / 8, 1.0], K).tolist() == pytest.approx([np.log(K), 0.0, 0.0])

    def test_few_societies_cannot_prove_much_even_where_all_is_guessed(self):
        """The upper limit of no error of 8 is 1 - .025^(1/8) = .3694; h(.3694) + .3694 ln 3 = 1.0645 of ln 4."""
        assert largest_fano_information(8, 4) == pytest.approx(np.log(4) - 1.0645, abs=5e-4)
        best = [largest_fano_information(n, K) for n in (1, 8, 128, 10**6)]
        assert best == sorted(best)
        assert best[-1] == pytest.approx(np.log(K), abs=1e-3)
        with pytest.raises(ValueError, match="1 society"):
            largest_fano_information(0, K)

    @settings(max_examples=40)
    @given(st.floats(0, 0.99), st.integers(2, 20))
    def test_the_bound_is_the_information_of_an_even_channel(self, error, k):
        joint = np.full((k, k), error / (k - 1) / k)
        np.fill_diagonal(joint, (1 - error) / k)
        if error < (k - 1) / k:
            assert float(fano_information(error, k)) == pytest.approx(exact_information(joint), abs=1e-9)

    @settings(max_examples=40)
    @given(arrays(np.float64, (5, 5), elements=st.floats(0, 1)), st.integers(0, 99))
    def test_no_channel_holds_less_than_the_bound(self, weights, seed):
        """Any channel with a uniform input, read by the best guess or any other one."""
        joint = (weights + 1e-6) / (weights + 1e-6).sum(axis=1, keepdims=True) / 5
        best = 1 - joint.max(axis=0).sum()
        some = 1 - joint[generator("channel", seed).integers(5, size=5), np.arange(5)].sum()
        for error in (best, some):
            # Only errors below chance prove anything.
            assert float(fano_information(np.clip(error, 0, 1), 5)) <= exact_information(joint) + 1e-9

    def test_forgetting_follows_the_specification(self):
        t, keep = np.arange(21), 0.9
        e = (1 - keep**t) * (K - 1) / K
        with np.errstate(divide="ignore", invalid="ignore"):
            curve = np.log(K) + (1 - e) * np.log(1 - e) + np.where(e > 0, e * np.log(e / (K - 1)), 0)
        assert forgetful_error(keep, t, K) == pytest.approx(e)
        assert forgetful_information(keep, t, K) == pytest.approx(curve)
        assert forgetful_information(1.0, t, K) == pytest.approx(np.log(K))
        assert forgetful_information(0.0, [0, 1], K) == pytest.approx([np.log(K), 0.0])

    def test_bad_numbers_are_named(self):
        with pytest.raises(ValueError, match="0 to 1"):
            fano_information(1.2, 4)
        with pytest.raises(ValueError, match="policies"):
            fano_information(0.2, 1)
        with pytest.raises(ValueError, match="keep"):
            forgetful_error(1.5, 3, 4)
        with pytest.raises(ValueError, match="from 0"):
            forgetful_error(0.5, -1, 4)


class TestTables:
    @settings(max_examples=60)
    @given(arrays(np.int64, (4, 3), elements=st.integers(0, 6)))
    def test_the_plug_in_is_the_definition_and_names_do_not_matter(self, table):
        if table.sum() == 0:
            return
        plug_in, corrected = table_information(table)
        assert float(plug_in) == pytest.approx(exact_information(table), abs=1e-9)
        again = table_information(table[::-1, [2, 0, 1]].T)
        assert (float(again[0]), float(again[1])) == pytest.approx((float(plug_in), float(corrected)))

    def test_the_correction_is_that_of_three_entropies(self):
        from scipy.stats import entropy

        table = generator("table").multinomial(60, np.full(12, 1 / 12)).reshape(3, 4)
        n = table.sum()

        def corrected(counts):
            return entropy(counts) + ((counts > 0).sum() - 1) / (2 * n)

        want = corrected(table.sum(axis=0)) + corrected(table.sum(axis=1)) - corrected(table.ravel())
        assert float(table_information(table)[1]) == pytest.approx(want)

    def test_the_correction_takes_off_most_of_the_bias(self):
        """8 x 8 independent cells from 512 counts: truth 0, plug-in (64 - 15) / 1024 = .048."""
        drawn = generator("bias").multinomial(512, np.full(64, 1 / 64), size=2000).reshape(-1, 8, 8)
        plug_in, corrected = table_information(drawn)
        assert plug_in.mean() == pytest.approx(0.048, abs=0.003)
        assert abs(corrected.mean()) < 0.002

    def test_empty_tables_are_named(self):
        with pytest.raises(ValueError, match="without any count"):
            table_information(np.zeros((2, 2)))


class TestPolicyInformation:
    def test_forgetful_societies_follow_their_curve(self):
        policies = np.repeat(np.arange(K), 16)
        inside = []
        for seed in range(4):
            x = societies(policies, 13, 0.85, generator("forgetful", seed))
            found = policy_information(x, policies, permutations=40, seed=seed)
            for t in (0, 1, 2, 4, 8, 12):
                true = float(forgetful_information(0.85, t, K))
                inside.append(found.fano[t] - 1e-9 <= true <= found.at_least_error[t] + 1e-9)
                assert found.plug_in[t] >= found.fano[t] - 1e-9
        assert np.mean(inside) >= 0.9

    def test_learning_in_each_round_reads_what_changed_its_form(self):
        """All societies exchange what stands for a policy: nothing is lost, and round 0 no longer tells."""
        policies = np.repeat(np.arange(4), 8)
        x = societies(policies, 3, 1.0, generator("form"))
        x[:, 1:] = x[:, 1:, [1, 2, 3, 0]]
        assert policy_information(x, policies, permutations=1).error.tolist() == [0, 1, 1]
        assert policy_information(x, policies, learnt_from="each", permutations=1).error.tolist() == [0, 0, 0]

    def test_what_is_kept_stays_and_what_was_never_shown_is_nothing(self):
        policies = np.repeat(np.arange(4), 8)
        kept = policy_information(societies(policies, 4, 1.0, generator("kept")), policies, permutations=100)
        assert (kept.error == 0).all()
        assert (kept.adjusted == 0.01).all()
        same = policy_information(np.ones((32, 4, 3)), policies, permutations=100)
        assert same.error == pytest.approx(0.75)
        assert (same.fano == 0).all()
        assert (same.corrected == 0).all()
        assert (same.p_value == 1).all()

    @pytest.mark.slow
    @pytest.mark.parametrize("learnt_from", ["first", "each"])
    def test_labels_that_mean_nothing_are_read_in_one_of_twenty_runs_at_most(self, learnt_from):
        policies, alarms, proven, runs = np.repeat(np.arange(4), 6), 0, 0, 200
        for seed in range(runs):
            rng = generator("null", seed)
            x = societies(rng.permutation(policies), 5, 0.9, rng, acts=12)
            found = policy_information(x, policies, learnt_from=learnt_from, folds=3, permutations=40, seed=seed)
            alarms += bool((found.adjusted <= 0.05).any())
            proven += int((found.fano > 0).sum())
        # 2/40 = .05 is the level; three standard errors above it.
        assert alarms / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
        assert proven / runs / 5 <= 0.04

    @pytest.mark.slow
    @pytest.mark.parametrize("clear", [0.3, 0.9])
    def test_the_bound_lies_above_the_truth_in_at_most_one_of_twenty_cases(self, clear):
        """Noisy acts: what behaviour holds is at most the information of the policy itself."""
        policies, above, cases = np.repeat(np.arange(K), 16), 0, 0
        for seed in range(60):
            x = societies(policies, 3, 0.6, generator("fano", seed), acts=12, clear=clear)
            found = policy_information(x, policies, permutations=40, seed=seed)
            above += int((found.fano > forgetful_information(0.6, np.arange(3), K) + 1e-9).sum())
            cases += 3
        assert above / cases <= 0.05

    def test_the_same_seed_gives_the_same(self):
        policies = np.repeat(np.arange(3), 4)
        x = societies(policies, 3, 0.8, generator("again"))
        one, two = (policy_information(x, policies, permutations=50, seed=5) for _ in range(2))
        assert (one.p_value == two.p_value).all()
        assert (one.guesses == two.guesses).all()

    def test_bad_input_is_named(self):
        x = np.ones((6, 2, 3))
        with pytest.raises(ValueError, match="as many societies"):
            policy_information(x, [0, 0, 0, 0, 1, 1])
        with pytest.raises(ValueError, match="shape"):
            policy_information(x, [0, 1])
        with pytest.raises(ValueError, match="permutations"):
            policy_information(x, [0, 0, 0, 1, 1, 1], permutations=0)
        with pytest.raises(ValueError, match="confidence"):
            policy_information(x, [0, 0, 0, 1, 1, 1], confidence=1.0)


class TestContrast:
    def test_what_forgets_holds_less_than_its_twin_that_does_not(self):
        policies = np.repeat(np.arange(4), 8)
        closed = societies(policies, 5, 0.6, generator("closed"))
        opened = societies(policies, 5, 1.0, generator("open"))
        found = information_contrast(closed, opened, policies, permutations=200)
        assert found.information[0] == 0
        assert found.information[-1] < -0.5
        assert found.adjusted[-1] <= 0.01
        assert found.p_value[0] == 1
        assert found.read[-1] < found.read_high[-1] < 0
        turned = information_contrast(opened, closed, policies, permutations=200)
        assert turned.information == pytest.approx(-found.information)

    @pytest.mark.slow
    def test_equal_arms_alarm_in_one_of_twenty_runs_at_most(self):
        policies, alarms, runs = np.repeat(np.arange(4), 5), 0, 150
        for seed in range(runs):
            rng = generator("twins", seed)
            arms = [societies(policies, 5, 0.8, rng, acts=12) for _ in range(2)]
            found = information_contrast(*arms, policies, folds=5, permutations=20, seed=seed)
            alarms += bool((found.adjusted <= 0.05).any())
        assert alarms / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)

    def test_arms_of_different_shapes_are_named(self):
        with pytest.raises(ValueError, match="one shape"):
            information_contrast(np.ones((4, 2, 2)), np.ones((4, 3, 2)), [0, 0, 1, 1])
