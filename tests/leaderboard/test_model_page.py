import pytest

from finchmark.suite.records import ItemsChoice, Level


@pytest.fixture(name="model")
def _model(site):
    return lambda *runs, **options: site(*runs, **options).one("model").words


def test_provenance_names_identity_seed_dates_versions_and_specification(make_run, model):
    run = make_run({"a": [1]}, seed=17, environment={"python": "3.11.9", "packages": {"numpy": "2.4"}})
    words = model(run)
    for text in ("1d3n71ty", "seed 17", "2026-01-02T03:04:05+00:00", "Finchmark 0.1.0", run.manifest.spec_hash):
        assert text in words
    assert "environment.packages.numpy 2.4" in words
    assert "items of family/task@1 1, items0" in words


def test_sessions_are_listed(make_run, model):
    words = model(make_run({"a": [1]}, sessions=({"at": "2026-01-02", "commit": "abc"}, {"at": "2026-01-03"})))
    assert "Sessions (2) at 2026-01-02 commit abc at 2026-01-03" in words


def test_reasons_are_counted(make_run, model):
    words = model(make_run({"a": [1, "invalid:cut off", "invalid:cut off", "error"]}))
    assert "2 × invalid: cut off; 1 × error: no reason given." in words
    assert "ended as ok 1 ended as invalid 2 ended as refused 0 ended as error 1" in words


def test_tokens_and_cost_are_summed(make_run, model):
    words = model(make_run({"a": [1, 0], "b": [1, 1]}))
    assert "calls 4 prompt tokens 4 reply tokens 4 cost (USD) 1.00" in words


def test_the_profile_puts_scores_between_chance_and_ceiling(make_run, model):
    levels = {"default": {"solved": Level(chance=0.2, ceiling=0.8, exact=True)}}
    words = model(make_run({"a": [1], "b": [0]}, levels=levels))
    assert "0.50 −0.18 to 1.18 chance 0.200 (exact), ceiling 0.800 (exact) 0.500" in words


def test_without_levels_the_profile_shows_the_score_alone(make_run, model):
    words = model(make_run({"a": [1], "b": [0]}))
    assert "– chance not known, ceiling 1.000 (declared) 0.500" in words


def test_its_flags_stand_on_its_page_and_not_on_others(make_run, site):
    runs = [
        make_run({"a": [1, "error"]}, label="lossy", folder="1"),
        make_run({"a": [1, 0]}, label="clean", folder="2"),
    ]
    found = site(*runs)
    assert "Flagged." in found.about("lossy").words
    assert "Flagged." not in found.about("clean").words


def test_the_gap_between_public_and_private_items_is_reported(make_run, site):
    """One run plays one kind of items; the gap is between a model's two runs, matched by its identity."""
    public = make_run({str(i): [int(i < 30)] for i in range(40)}, label="m", folder="1")
    private = make_run(
        {str(i): [int(i < 10)] for i in range(40)},
        label="m",
        folder="2",
        items_hash="items1",
        item_source=ItemsChoice(kind="private", commitment="c0ffee"),
    )
    found = site(public, private)
    pages = [found.read(n).words for n in found.names if n.startswith("model")]
    for words in pages:
        assert "family/task@1, lite 0.750 0.250 +0.500 (+0.305 to +0.695)" in words


def test_other_models_and_other_decodings_make_no_gap(make_run, site):
    public = make_run({"1": [1], "2": [0]}, label="m", folder="1")
    source = ItemsChoice(kind="private", commitment="c0ffee")
    greedy = make_run({"1": [1], "2": [0]}, label="m", folder="2", item_source=source, temperature=0)
    found = site(public, greedy)
    assert not any("Public minus private" in found.read(n).words for n in found.names if n.startswith("model"))
