import finchmark.suite.stats as stats


def test_every_name_is_there():
    assert all(callable(getattr(stats, name)) for name in stats.__all__)


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(stats, "meen")
