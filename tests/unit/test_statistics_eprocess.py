from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from noonday_coordinator.statistics.eprocess import EProcess
from noonday_coordinator.statistics.ratio_prior import RatioPrior
from noonday_coordinator.statistics.window import Window

EXPECTED = [
    (1, 0, 1, 4, 16, 4, 1.5, 3.0294),
    (3, 0, 1, 4, 16, 4, 1.5, 28.788),
    (6, 0, 1, 4, 16, 4, 1.5, 764.64),
    (5, 2, 1, 4, 16, 4, 1.0, 17.115),
    (20, 40, 1, 4, 16, 4, 1.0, 0.62533),
    (20, 20, 1, 4, 16, 4, 1.0, 42.315),
    (60, 40, 1, 4, 16, 4, 1.5, 1124.3),
    (2, 0, 1, 14, 16, 4, 1.5, 52.797),
    (3, 0, 1, 150, 16, 4, 1.5, 1.0788e5),
    (10, 40, 1, 4, 16, 4, 1.0, 0.044772),
]
Case = tuple[float, float, float, float, float, int, float, float]
Density = Callable[[float], float]


def quad_log_e(x: float, y: float, k: float, log_density: Density, rho0: float) -> float:
    """The definition, by scipy's adaptive quadrature over log(phi), scaled by the integrand's own top."""

    def log_integral(rho: float) -> float:
        def log_g(s: float) -> float:
            z = s + math.log(rho * k)
            return x * z - (x + y) * math.log1p(math.exp(z)) + log_density(s)

        found = optimize.minimize_scalar(lambda s: -log_g(s), bounds=(-8, 8), method="bounded")
        mode, top = float(found.x), -float(found.fun)
        sides = ((mode - 5, mode), (mode, mode + 5))
        parts = [integrate.quad(lambda s: math.exp(log_g(s) - top), *side, limit=200, epsabs=0)[0] for side in sides]
        return top + math.log(sum(parts))

    rhos = np.exp(np.linspace(math.log(1.5 * rho0), math.log(1000), 25))
    logs = [log_integral(float(rho)) for rho in rhos]
    return float(special.logsumexp(logs)) - math.log(25) - log_integral(rho0)


def f_density(r: float, old: int) -> Density:
    """The log of F(2r, 2r old), of log(phi)."""
    a, b = r, r * old
    constant = a * math.log(a / b) - float(special.betaln(a, b))
    return lambda s: constant + a * s - (a + b) * math.log1p(a / b * math.exp(s))


def test_the_oracle_s_density_is_scipy_s() -> None:
    for s in (-1.0, 0.0, 0.7):
        assert f_density(16, 4)(s) == pytest.approx(stats.f.logpdf(math.exp(s), 32, 128) + s)


@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: ",".join(f"{v:g}" for v in case[:7]))
def test_e_has_the_value_that_was_worked_out_for_it(case: Case) -> None:
    x, y, e_c, e_b, r, old, rho0, expected = case
    e = EProcess.of(RatioPrior.of_hosts(r, old=old), rho0=rho0).update(x, y, e_c, e_b)
    assert float(f"{e.e_value:.5g}") == expected


@pytest.mark.parametrize(
    ("x", "y", "r", "old", "rho0"),
    [(3, 0, 4, 1, 1.5), (20, 40, 16, 4, 1.0), (200, 500, 100, 4, 1.0), (1000, 1800, 400, 9, 1.0), (7, 900, 16, 3, 1.5)],
)
def test_e_is_what_quadrature_says(x: float, y: float, r: float, old: int, rho0: float) -> None:
    e = EProcess.of(RatioPrior.of_hosts(r, old=old), rho0=rho0).update(x, y, 1, old)
    assert e.log_e == pytest.approx(quad_log_e(x, y, 1 / old, f_density(r, old), rho0), abs=0.01)


@pytest.mark.parametrize(("x", "y"), [(3_000, 10_000), (30_000, 100_000), (400_000, 1_300_000)])
def test_a_likelihood_narrower_than_the_grid_is_integrated_all_the_same(x: float, y: float) -> None:
    e = EProcess.of(RatioPrior.of_hosts(16, old=4), rho0=1.0).update(x, y, 1, 4)
    # So many counts pin psi down, and E is the ratio of the two weightings at that place.
    psi = math.log(x / y * 4)
    density = f_density(16, 4)
    rhos = np.linspace(math.log(1.5), math.log(1000), 25)
    exact = float(special.logsumexp([density(psi - rho) for rho in rhos])) - math.log(25) - density(psi)
    assert e.log_e == pytest.approx(exact, abs=0.02)


def test_the_past_is_the_posterior_of_phi_blurred_by_the_drift() -> None:
    past = [Window(5, 9, 1, 4), Window(7, 20, 1, 4), Window(0, 0, 1, 4), Window(6, 14, 2, 7)]
    prior = RatioPrior.of_hosts(16, old=4).after(past)
    s = np.linspace(-6, 6, 24001)
    logs = np.array(stats.f.logpdf(np.exp(s), 32, 128) + s)
    for x, y, e_c, e_b in past:
        z = s + math.log(e_c / e_b)
        logs += x * z - (x + y) * np.logaddexp(0, z)
    posterior = np.exp(logs - logs.max())
    posterior /= posterior.sum()
    for at in (-0.8, -0.2, 0.0, 0.3, 0.7, 1.5):
        exact = float(np.sum(posterior * stats.norm.pdf(at, s, 0.1)))
        assert prior.log_density(at) == pytest.approx(math.log(exact), abs=1e-4)


def test_a_host_that_was_always_louder_is_not_held_against_the_release() -> None:
    hosts = RatioPrior.of_hosts(16, old=4)
    known = EProcess.of(hosts.after([Window(250, 400, 1, 4)] * 10))
    assert known.update(250, 400, 1, 4).e_value < 0.1
    assert EProcess.of(hosts, rho0=1.0).update(250, 400, 1, 4).e_value > 10


def test_without_any_window_e_is_one() -> None:
    e = EProcess.of(RatioPrior.of_hosts(16, old=4))
    assert e.log_e == 0.0
    assert e.e_value == 1.0
    assert not e.enough


@pytest.mark.parametrize("window", [(0, 0, 1, 4), (3, 0, 1, 0), (0, 3, 0, 4)])
def test_a_window_that_compares_nothing_changes_nothing(window: tuple[float, float, float, float]) -> None:
    e = EProcess.of(RatioPrior.of_hosts(16, old=4)).update(3, 1, 1, 4)
    assert e.update(*window) is e


@pytest.mark.parametrize(
    "window", [(-1, 0, 1, 4), (math.nan, 0, 1, 4), (1, math.inf, 1, 4), (1, 0, -1, 4), (1, 0, 1, math.nan)]
)
def test_impossible_numbers_are_refused(window: tuple[float, float, float, float]) -> None:
    e = EProcess.of(RatioPrior.of_hosts(16, old=4))
    with pytest.raises(ValueError, match="finite and not negative"):
        e.update(*window)


def test_extreme_counts_and_exposures_stay_finite_in_logs() -> None:
    e = EProcess.of(RatioPrior.of_hosts(16, old=4))
    for window in ((1e9, 0, 1, 4), (0, 1e9, 1, 4), (5, 5, 1e-12, 1e12), (5, 5, 1e12, 1e-12)):
        assert math.isfinite(e.update(*window).log_e)
    sure = e
    for _ in range(40):
        sure = sure.update(1e6, 0, 1, 1e6)
    assert sure.e_value > 1e30


def test_three_episodes_in_two_windows_are_needed_before_anything_is_blamed() -> None:
    e = EProcess.of(RatioPrior.of_hosts(16, old=4)).update(5, 0, 1, 4)
    assert not e.enough
    assert e.update(1, 0, 1, 4).enough
    assert not EProcess.of(RatioPrior.of_hosts(16, old=4)).update(1, 0, 1, 4).update(1, 0, 1, 4).enough


def test_the_posterior_of_rho_lies_round_the_true_factor() -> None:
    past = RatioPrior.of_hosts(16, old=4).after([Window(1000, 4000, 1, 4)])
    rho = EProcess.of(past).update(3000, 4000, 1, 4).rho()
    assert rho.quantile(0.5) == pytest.approx(3.0, rel=0.05)
    assert rho.mean == pytest.approx(3.0, rel=0.05)
    assert 3.0 < rho.upper() < 3.8
    assert sum(rho.masses) == pytest.approx(1.0)


def test_the_upper_bound_of_rho_falls_with_evidence_of_health() -> None:
    prior = RatioPrior.of_hosts(16, old=4).after([Window(25, 100, 1, 4)])
    bounds = [EProcess.of(prior).update(n, 4 * n, 1, 4).rho().upper() for n in (0, 1, 10, 100)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] > 500
    assert bounds[-1] < 1.7


def test_e_goes_on_when_other_hosts_join() -> None:
    one = RatioPrior.of_hosts(16, new=1, old=5)
    two = RatioPrior.of_hosts(16, new=2, old=4)
    first = EProcess.of(one).update(9, 3, 1, 5)
    second = first.next_stage(two)
    assert second.log_e == pytest.approx(first.log_e)
    assert second.seen == 9
    assert second.update(18, 2, 2, 4).log_e > EProcess.of(two).update(18, 2, 2, 4).log_e + first.log_e


def test_what_was_learned_of_rho_in_one_stage_helps_in_the_next() -> None:
    hosts = RatioPrior.of_hosts(16, old=4).after([Window(500, 2000, 1, 4)])
    first = EProcess.of(hosts).update(150, 200, 1, 4)
    on = first.next_stage(hosts).update(150, 200, 1, 4).log_e - first.log_e
    assert on > EProcess.of(hosts).update(150, 200, 1, 4).log_e + 0.5


def test_a_stage_of_which_nothing_was_seen_changes_nothing() -> None:
    prior = RatioPrior.of_hosts(16, old=4)
    e = EProcess.of(prior).next_stage(prior).next_stage(prior).update(3, 0, 1, 4)
    assert e.log_e == pytest.approx(EProcess.of(prior).update(3, 0, 1, 4).log_e, abs=1e-3)


@pytest.mark.parametrize("rho0", [0.0, -1.0, math.nan, 700.0])
def test_a_rho0_that_leaves_no_room_is_refused(rho0: float) -> None:
    with pytest.raises(ValueError, match="rho0"):
        EProcess.of(RatioPrior.of_hosts(16, old=4), rho0=rho0)


def test_a_prior_takes_its_past_once_and_no_tiny_drift() -> None:
    prior = RatioPrior.of_hosts(16, old=4)
    assert prior.after([Window(0, 0, 1, 4)]) is prior
    with pytest.raises(ValueError, match="already"):
        prior.after([Window(1, 4, 1, 4)]).after([Window(1, 4, 1, 4)])
    with pytest.raises(ValueError, match="drift"):
        prior.after([Window(1, 4, 1, 4)], drift=0.0)
    with pytest.raises(ValueError, match="hosts"):
        RatioPrior.of_hosts(0, old=4)


def test_the_mirrored_prior_is_that_of_the_reciprocal() -> None:
    prior = RatioPrior.of_hosts(16, old=4)
    for one in (prior, prior.after([Window(30, 60, 1, 4)])):
        for s in (-1.0, -0.2, 0.0, 0.4):
            assert one.mirrored().log_density(s) == pytest.approx(one.log_density(-s))
