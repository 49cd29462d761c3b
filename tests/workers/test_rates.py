"""A worker measures how many images of each model it makes in a second; operators scale by these rates."""

from workers.generate.rates import RateMeter


def test_a_model_is_charged_for_the_time_in_which_it_had_the_worker() -> None:
    now = 0.0
    meter = RateMeter(lambda: now)
    with meter.making("shoes"), meter.making("shoes"):  # two leases at once, as a worker holds them
        now = 2.0
    meter.made("shoes", 200)
    now = 50.0  # without work
    with meter.making("shoes"), meter.making("bags"):
        now = 54.0
    meter.made("bags", 10)
    assert meter.take() == {"shoes": 200 / 4, "bags": 10 / 2}
    assert meter.take() == {}


def test_a_lease_that_outlasts_a_report_is_charged_whole() -> None:
    now = 0.0
    meter = RateMeter(lambda: now)
    with meter.making("photographs"):
        now = 60.0
        assert meter.take() == {}
        now = 90.0
    meter.made("photographs", 45)
    assert meter.take() == {"photographs": 0.5}
