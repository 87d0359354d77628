"""What configs are worth, measured: the figures, what is kept, and what is said of them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import time
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reparam_rewrite.benchmarking.advice import advice
from reparam_rewrite.benchmarking.report import page as report
from reparam_rewrite.benchmarking.state import Kept, digest_of_call
from reparam_rewrite.benchmarking.tables import as_csv, as_json, as_text, records, short
from reparam_rewrite.benchmarking.values import PLAIN, Chains, Cost, Guided, Options, Results, Row
from reparam_rewrite.cli.bench import command
from tests.support.cases import FIXTURES
from tests.support.cli import COMMAND, environment, run
from tests.support.execution import load_model

pytestmark = pytest.mark.concerns("")  # all of the program

GRAND_MEAN = FIXTURES / "grand_mean"
ARGS = ["--args", "example.py:example_args"]
SHORT = ["--keys", "1", "--draws", "100", "--warmup", "100", "--steps", "200"]

FREE = Cost()

# -- figures that were made up ---------------------------------------------------------------------


def chains(least: float, key: int = 0, **more: Any) -> Chains:
    """1,000 gradients in 1 second, and as many in warm-up."""
    common: dict[str, Any] = {
        "median": 2 * least,
        "worst": "mu",
        "gradients": 1_000,
        "warmup_gradients": 1_000,
        "seconds": 1.0,
        "warmup_seconds": 1.0,
        "rhat": 1.0,
        "draws": 100,
    }
    return Chains(key, least, **{**common, **more})


def row(name: str, *least: float, kind: str = "rival", cost: Cost = FREE, **more: Any) -> Row:
    same = more.pop("same", False)
    made = [chains(number, key, **more) for key, number in enumerate(least)]
    return Row(name, kind, made, cost, same=same)


def results(*rows: Row, svi: tuple[Row, ...] = ()) -> Results:
    made = Results("model.py", "reparam-rewrite bench", {}, "2026-11-27", Options(), 30)
    made.nuts, made.svi = list(rows), list(svi)
    return made


def plain(*least: float, **more: Any) -> Row:
    return row(PLAIN, *least, kind="plain", **more)


def config(*least: float, **more: Any) -> Row:
    return row("a.toml", *least, kind="config", **more)


def test_a_row_has_medians_and_spread_of_its_keys() -> None:
    (first, second) = records(results(plain(1, 2, 9), config(20, 40, 30)))
    column = "least_ess_per_1000_gradients"
    assert [first[column], first[f"{column}_min"], first[f"{column}_max"]] == [2, 1, 9]
    assert second["median_ess_per_1000_gradients"] == 60
    assert second["least_ess_per_second"] == 30
    assert second["least_ess_per_1000_gradients_all_in"] == 15


def test_what_had_to_be_paid_before_is_counted_in() -> None:
    (found,) = records(results(config(30, cost=Cost(gradients=4_000, seconds=8.0))))
    assert found["least_ess_per_1000_gradients"] == 30
    assert found["least_ess_per_1000_gradients_all_in"] == 5
    assert found["least_ess_per_second_all_in"] == 3


def test_the_table_says_how_many_times_the_model_as_written() -> None:
    said = as_text(results(plain(1, 2, 9), config(20, 40, 30)))
    line = next(line for line in said.splitlines() if line.startswith("a.toml"))
    assert line.split("  ")[1:] and re.search(r"30 \(20 to 40\) +15 +60 \(40 to 80\)", line)


def test_a_row_that_failed_says_why_and_the_others_are_there() -> None:
    failed = Row("dense_mass=True", "rival", [Chains(0, failed="stopped in warm-up after 9 s")])
    made = results(plain(1.0), failed, config(20.0))
    text = as_text(made)
    assert re.search(r"^dense_mass=True +failed: stopped in warm-up after 9 s$", text, re.M)
    assert re.search(r"^a\.toml +20", text, re.M)
    table = list(csv.DictReader(io.StringIO(as_csv(made))))
    assert [one["failed"] for one in table] == ["", "stopped in warm-up after 9 s", ""]
    assert table[1]["least_ess_per_second"] == ""
    found = json.loads(as_json(made, advice(made)))
    assert found["runs"]["nuts"]["dense_mass=True"][0]["failed"].startswith("stopped")


def test_numbers_are_as_long_as_they_are_known() -> None:
    assert [short(n) for n in (0.15555, 12.34, 123.4, 12_345.6)] == [
        "0.156",
        "12.3",
        "123",
        "12,346",
    ]


def said(*rows: Row, svi: tuple[Row, ...] = ()) -> str:
    return "\n".join(advice(results(*rows, svi=svi)))


def test_advice_names_the_config_that_wins() -> None:
    text = said(plain(1.0), config(30.0), row("VIP", 3.0))
    assert "'a.toml' has the greatest least ESS, 30, 30 times 'as written'" in text
    assert "next is 'VIP' with 3." in text
    assert "Use 'a.toml' for NUTS." in text


def test_advice_names_the_rival_that_wins() -> None:
    text = said(plain(1.0), config(30.0), row("dense_mass=True", 90.0))
    assert "'dense_mass=True' has the greatest least ESS, 90" in text
    assert "'dense_mass=True' does better than 'a.toml': use that." in text
    assert "Use 'a.toml'" not in text


def test_advice_to_leave_the_model_as_written() -> None:
    assert "Leave the model as written for NUTS" in said(plain(10.0), config(11.0))


def test_advice_tells_what_the_keys_do_not_tell() -> None:
    assert "their ranges over keys overlap" in said(plain(1, 1), config(20, 40), row("VIP", 30, 35))
    assert "overlap" not in said(plain(1, 1), config(36, 40), row("VIP", 30, 35))


def test_advice_does_not_rank_another_prior() -> None:
    other = Row("ZeroSumNormal", "rival", [chains(900.0)], other_prior=True)
    text = said(plain(1.0), config(30.0), other)
    assert "'a.toml' has the greatest" in text and "'ZeroSumNormal' is another prior" in text


def test_advice_warns_of_what_its_figures_rest_on() -> None:
    text = said(plain(1.0, rhat=1.4), config(30.0, divergences=7))
    assert "'as written' has not converged: R-hat is 1.40" in text
    assert "'a.toml' has 7 divergent draws" in text


def test_advice_on_a_config_whose_coefficients_stay_0() -> None:
    text = said(plain(1.0), config(1.1, same=True), row("VIP", 3.0))
    assert (
        "'a.toml' is the model as written for NUTS: its coefficients are 0, and MCMC keeps" in text
    )
    assert "Give --fit, or numbers as `init`." in text
    assert "Leave the model" not in text and "Use" not in text


def test_advice_where_only_configs_that_stay_as_written_have_run() -> None:
    failed = Row(PLAIN, "plain", [Chains(0, failed="stopped in warm-up after 9 s", stopped=True)])
    text = said(failed, config(1.1, same=True, divergences=1))
    assert text == "'a.toml' has 1 divergent draw: look at it first."


@pytest.mark.parametrize(
    ("more", "has"),
    [
        ({"rhat": 1.012}, "has an R-hat of 1.012"),
        ({"divergences": 1}, "has 1 divergent draw"),
        ({"rhat": 1.3, "divergences": 5}, "has an R-hat of 1.300 and has 5 divergent draws"),
    ],
)
def test_what_has_not_converged_is_not_advised(more: Any, has: str) -> None:
    text = said(plain(1.0), config(30.0), row("VIP", 90.0, **more))
    assert f"'VIP' isn't advised: it {has}." in text
    assert "Use 'a.toml' for NUTS." in text and "use that" not in text
    text = said(plain(1.0), config(30.0, **more))
    assert f"'a.toml' isn't advised: it {has}." in text
    assert "Leave the model as written for NUTS until what does better can be believed." in text


def test_nothing_is_advised_where_nothing_has_converged() -> None:
    text = said(plain(1.0, rhat=1.1), config(30.0, rhat=1.02))
    assert "'a.toml' isn't advised" in text
    assert "Nothing is advised for NUTS: give more --warmup and --draws" in text


def test_ranges_that_overlap_are_not_told_apart() -> None:
    text = said(plain(1, 9, 12), config(8, 20, 40))
    assert (
        "Leave the model as written for NUTS, or give more --keys: the ranges of 'a.toml'" in text
    )
    text = said(plain(1, 1), config(20, 40), row("VIP", 30, 35))
    assert "Use 'VIP' or 'a.toml' for NUTS: their ranges overlap" in text
    text = said(plain(1, 1), config(20, 25), row("VIP", 30, 35))
    assert "'VIP' does better than 'a.toml': use that." in text


def test_a_model_as_written_that_has_not_converged_is_not_what_is_better() -> None:
    assert "Use 'a.toml' for NUTS." in said(plain(31.0, rhat=1.4), config(30.0))


# -- how far it is ---------------------------------------------------------------------------------


def test_progress_says_which_of_how_many_and_what_time_is_left() -> None:
    from reparam_rewrite.benchmarking.state import Progress

    heard: list[str] = []
    progress = Progress(heard.append)
    progress.planned = 12
    assert progress.run("NUTS on a, key 0", lambda: 3)() == 3
    assert heard == ["NUTS on a, key 0: run 1 of 12, 0 s spent"]
    progress.done, progress._made, progress._seconds = 4, 2, 100.0
    assert progress.line(130.0) == "run 5 of 12, 2 min spent, about 7 min left"
    progress.planned = 2  # more came than was planned
    assert progress.line(1.0).startswith("run 5 of 5, 1 s spent")


def test_times_are_spoken() -> None:
    from reparam_rewrite.benchmarking.state import spoken

    assert [spoken(s) for s in (0.2, 59.4, 80, 3600, 7500)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h 0 min",
        "2 h 5 min",
    ]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('chain = ["mu", "a"]', True),
        ('[sites.a]\noffset = "mu"\nlearn = false', True),
        ('[sites.a]\noffset = "mu"\ninit = 0.1', False),
        ("[sites.a]\noffset = { mu = { init = [1.0, 0.0, 0.0] } }", False),
        ('chain = ["mu", "a"]\n[sites.a]\nscale = 2.0', False),
        ('chain = ["mu", "a"]\n[sites.a]\nbasis = "dct"', False),
        ('[sites.a]\nscale = { by = "sigma_a", power = 0.5 }', False),
        ('[sites.a]\nscale = { by = "sigma_a" }', False),
        ('[sites.a]\nscale = { by = "sigma_a", power = 0 }', True),
        ("[sites.a]\nscale = 1", True),
        ("[sites.a]\ncentered = 1", True),
        ("[sites.a]\ncentered = 0", False),
        ('[sites.a]\nreparam = "LocScaleReparam"\nargs = { centered = 0.0 }', False),
    ],
)
def test_which_configs_are_the_model_as_written_until_they_are_learned(
    text: str, same: bool
) -> None:
    from reparam_rewrite.benchmarking.running import starts_as_written
    from reparam_rewrite.config.reading import read_config
    from reparam_rewrite.source.reading import read

    source = read(str(GRAND_MEAN / "model.py"))
    settings = read_config(text.encode(), "o.toml")
    assert starts_as_written(source, settings) is same


def test_advice_on_guides() -> None:
    def guide(name: str, kind: str, elbo: float, least: float) -> Row:
        ratios = {"mu": (least, least, least), "a": (0.9, 1.0, 1.1)}
        return Row(name, kind, [Guided(0, elbo, ratios, least, 1.0, 1.1)])

    text = said(svi=(guide(PLAIN, "plain", -200, 0.006), guide("a.toml", "config", -90, 0.98)))
    assert "'a.toml' has the greatest ELBO, -90.0, 110 nats above 'as written'" in text
    assert "'as written' is too narrow: it has 0.006 of the sd of 'mu'" in text
    assert "'a.toml' is too narrow" not in text
    assert "Still rising" not in text


@pytest.mark.parametrize(
    ("rising", "told"), [(0.5, True), (0.05, False)], ids=["on its way", "arrived"]
)
def test_advice_on_guides_that_are_not_there_yet(rising: float, told: bool) -> None:
    trace = tuple(-100 + rising * at for at in range(200))
    text = said(svi=(Row("a.toml", "config", [Guided(0, -1.0, trace=trace)]),))
    expected = "Still rising, in nats over the last tenth of the steps: 'a.toml' by 10."
    assert (expected in text) is told


# -- the page --------------------------------------------------------------------------------------


def reported(*rows: Row, svi: tuple[Row, ...] = ()) -> str:
    made = results(*rows, svi=svi)
    made.notes.append("something of note")
    return report(made, advice(made))


def guided() -> Row:
    runs = [Guided(key, -4.0, {"mu": (0.4, 1, 2)}, 0.4, 1, 2, (-9, -5, -4)) for key in range(2)]
    return Row(f"{PLAIN}, AutoNormal", "plain", runs)


def test_a_page_says_what_to_use_then_the_figures_then_what_to_doubt() -> None:
    page = reported(plain(1, 2), config(20, 21), row("dense", 90, rhat=1.5), svi=(guided(),))
    told = [
        "Use <b>a.toml</b> for NUTS.",
        "For SVI <b>as written, AutoNormal</b> has the greatest ELBO, -4.0.",
        "<h2>NUTS</h2>",
        "<h2>SVI</h2>",
        "<h2>Caveats</h2>",
        "<b>dense</b> has not converged",
        "is too narrow",
        "<h2>How it was measured</h2>",
        "reparam-rewrite bench",
        "2026-11-27; 30 dims",
        "something of note",
    ]
    places = [page.find(one) for one in told]
    assert -1 not in places and places == sorted(places)


def test_without_a_config_a_page_begins_with_what_is_ahead() -> None:
    page = reported(plain(1, 2), row("dense", 90))
    (verdict,) = re.findall(r"<section class=\"verdict\".*?</section>", page, re.DOTALL)
    assert "Per 1,000 gradients: <b>dense</b> has the greatest least ESS" in verdict


def test_a_page_of_failures_says_so() -> None:
    failed = Row(PLAIN, "plain", [Chains(0, failed="ValueError: no")])
    page = reported(failed)
    assert "No run ended: nothing can be advised." in page
    assert "failed: ValueError: no</span></td>" in page
    assert "<figure>" not in page


def test_a_page_says_why_some_keys_of_a_row_failed() -> None:
    some = config(3, 4)
    some.runs.append(Chains(2, failed="ValueError: no"))
    page = reported(plain(1, 2, 3), some)
    assert "<li><b>a.toml</b> failed for 1 of 3 keys: ValueError: no</li>" in page


def test_plots_have_the_colours_of_the_page_alone() -> None:
    _, _, body = reported(plain(1), config(20), svi=(guided(),)).partition("</style>")
    assert body.count("<figure>") == 3
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|(fill|stroke|style|width|height)=", body)


def test_a_plot_says_its_figures_as_text() -> None:
    page = reported(plain(1, 2), config(20, 40.0))
    assert 'aria-label="Least ESS for each 1,000 gradients: 20, 40"' in page


def test_places_on_a_plot_are_parts_of_its_width() -> None:
    page = reported(plain(1), config(10), row("c", 100))
    places = [float(x) for x in re.findall(r'<circle cx="([\d.]+)%"', page)[:3]]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.02)
    assert 0 < places[0] < places[2] < 100


@pytest.mark.parametrize("least", [0.0, float("nan"), float("inf")])
def test_a_plot_of_what_is_no_number_is_there(least: float) -> None:
    circles = re.findall(r'<circle cx="([^"]*)%"', reported(plain(1), config(least)))
    assert all(0 <= float(place) <= 100 for place in circles) and len(circles) == 4


def test_a_page_has_the_range_of_each_figure_below_it() -> None:
    assert "<td>2<small>1 to 9</small></td>" in reported(plain(1, 2, 9), config(20))


def test_tables_of_a_page_scroll_by_themselves() -> None:
    page = reported(plain(1), config(20), svi=(guided(),))
    tables = re.findall(r'(<section class="scrolled"[^>]*>)?<table>', page)
    assert len(tables) == 2 and all(tables)


def test_a_diff_of_two_rows_is_there_once_and_unfolds() -> None:
    first, second, other = config(20), config(21), row("b.toml", 3, kind="config")
    first.diff = second.diff = "--- a\n+++ b\n+ one\n two"
    other.diff = "--- a\n+++ b\n- one"
    page = reported(plain(1), first, second, other)
    heads = re.findall(r"<details><summary>The diff of <b>(.*?)</b>, (\d) lines</summary>", page)
    assert heads == [("a.toml", "4"), ("b.toml", "3")]
    assert "<ins>+ one</ins>\n two</pre>" in page and "<del>- one</del></pre>" in page


def test_names_of_rows_are_nothing_but_text() -> None:
    page = reported(plain(1), row("<script>.toml", 30, kind="config"), svi=(guided(),))
    assert "<script>" not in page and "Use <b>&lt;script&gt;.toml</b> for NUTS." in page


# -- what is kept ----------------------------------------------------------------------------------


def test_a_result_is_made_once(tmp_path: Path) -> None:
    made: list[float] = []

    def make() -> Chains:
        made.append(1.0)
        return chains(3.5)

    path = tmp_path / "runs.jsonl"
    first = Kept(path).get(["nuts", 1], Chains, make)
    again = Kept(path)
    assert again.get(["nuts", 1], Chains, make) == first == chains(3.5)
    assert (len(made), again.resumed) == (1, 1)
    again.get(["nuts", 2], Chains, make)
    assert len(made) == 2


def test_a_line_that_a_kill_cut_off_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    for number in (1, 2):
        Kept(path).get(["nuts", number], Chains, lambda: chains(3.5))
    path.write_bytes(path.read_bytes()[:-30])
    kept = Kept(path)
    kept.get(["nuts", 2], Chains, lambda: chains(7.5))
    kept = Kept(path)
    assert kept.get(["nuts", 1], Chains, lambda: chains(0.0)) == chains(3.5)
    assert kept.get(["nuts", 2], Chains, lambda: chains(0.0)) == chains(7.5)


def test_what_failed_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    assert Kept(path).get(["x"], Chains, lambda: Chains(0, failed="no")).failed
    assert Kept(path).get(["x"], Chains, lambda: chains(1.0)) == chains(1.0)


def test_what_the_limit_stopped_is_not(tmp_path: Path) -> None:
    path, stopped = tmp_path / "runs.jsonl", Chains(0, failed="stopped in warm-up", stopped=True)
    assert Kept(path).get(["x"], Chains, lambda: stopped) == stopped
    assert Kept(path).get(["x"], Chains, lambda: chains(1.0)) == stopped


def test_other_data_are_another_call() -> None:
    y = np.arange(6.0)
    assert digest_of_call((3,), {"y": y}) == digest_of_call((3,), {"y": y.copy()})
    assert digest_of_call((3,), {"y": y}) != digest_of_call((3,), {"y": y + 1e-9})
    assert digest_of_call((3,), {"y": y}) != digest_of_call((3,), {"y": y.reshape(2, 3)})
    assert digest_of_call((3,), {"y": y}) != digest_of_call((4,), {"y": y})


# -- what is measured ------------------------------------------------------------------------------


def call_of(case: Path) -> Any:
    from reparam_rewrite.running.call import called

    return called(str(case / "model.py"), [], f"{case}/example.py:example_args", None, "a test")


NORMAL = """\
import numpyro
import numpyro.distributions as dist


def model(y):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("i", 3):
        a = numpyro.sample("a", dist.Normal(mu, 2.0))
        numpyro.sample("y", dist.Normal(a, {scale}), obs=y)
"""


def normal_call(folder: Path, scale: str) -> Any:
    """Three groups with an observation each, which has this scale."""
    from reparam_rewrite.running.call import called

    (folder / "model.py").write_text(NORMAL.format(scale=scale))
    return called(str(folder / "model.py"), [], "(np.array([1.0, 2, 3]),), {}", None, "a test")


def test_the_chains_are_numpyro_s_own() -> None:
    """Block by block the same first draws, gradients and warm-up as MCMC from the same keys."""
    import jax
    from numpyro.infer import MCMC, NUTS

    from reparam_rewrite.benchmarking.measuring import Sampler
    from reparam_rewrite.benchmarking.values import Variant
    from reparam_rewrite.running.trace import double_precision

    with double_precision():
        call = call_of(GRAND_MEAN)
        options = Options(draws=20, warmup=20)
        sampler = Sampler(Variant(call, "x"), options)
        found, values = sampler.run(3)
        mcmc = MCMC(
            NUTS(call.model),
            num_warmup=20,
            num_samples=20,
            num_chains=2,
            chain_method="vectorized",
            progress_bar=False,
        )
        keys = jax.random.split(jax.random.PRNGKey(3), 2)
        mcmc.run(keys, *call.args, extra_fields=("num_steps",), **call.kwargs)
        expected = mcmc.get_samples(group_by_chain=True)
    assert found.gradients == int(mcmc.get_extra_fields()["num_steps"].sum())
    assert found.draws == 20 and found.warmup_gradients > 0 and found.seconds > 0
    for name in call.latents:
        np.testing.assert_allclose(values[name], expected[name], atol=0.05)  # rounding grows


@pytest.mark.parametrize("low_rank", [False, True])
def test_nutpie_draws_the_sites_of_the_model_as_written(low_rank: bool, tmp_path: Path) -> None:
    from reparam_rewrite.benchmarking.measuring import exact
    from reparam_rewrite.benchmarking.rivals import with_nutpie
    from reparam_rewrite.benchmarking.values import Variant
    from reparam_rewrite.benchmarking.with_nutpie import Nutpie
    from reparam_rewrite.running.trace import double_precision

    with double_precision():
        call = normal_call(tmp_path, "0.5")
        options = Options(draws=1_000, warmup=500)
        nutpie = Nutpie(with_nutpie(Variant(call, "x"), low_rank), options)
        found, values = nutpie.run(3)
        again, other = (nutpie.run(key)[0] for key in (3, 4))
        known = exact(call)
    assert known is not None and values.keys() == known.sd.keys()
    for name, sd in known.sd.items():
        assert values[name].shape == (2, 1_000, *np.shape(sd))
        np.testing.assert_allclose(values[name].std(axis=(0, 1)), sd, rtol=0.2)
    assert found.gradients > 2_000 and found.warmup_gradients > 1_000
    assert min(found.seconds, found.warmup_seconds, found.compiling) > 0
    assert (again.least, again.gradients) == (found.least, found.gradients) != other.least


def test_pathfinder_is_where_nuts_starts(tmp_path: Path) -> None:
    from reparam_rewrite.benchmarking.measuring import Sampler
    from reparam_rewrite.benchmarking.pathfinder import DENSITIES, STEPS, pathfinder
    from reparam_rewrite.benchmarking.rivals import from_pathfinder
    from reparam_rewrite.benchmarking.values import Variant
    from reparam_rewrite.running.trace import double_precision

    with double_precision():
        call = normal_call(tmp_path, "0.5")
        start = pathfinder(call, 1, chains=2)
        variant = from_pathfinder(Variant(call, "x"), 4)
        assert variant is not None
        found, _ = Sampler(variant, Options(draws=100, warmup=10)).run(1)
    assert {name: z.shape for name, z in start.z.items()} == {"mu": (2,), "a": (2, 3)}
    np.testing.assert_allclose(start.z["a"], [[1, 2, 3]] * 2, atol=2.5)  # within 5 sds
    assert start.inverse_mass.shape == (4, 4)
    assert 3 < start.gradients - DENSITIES * (STEPS + 1) < 100
    assert found.warmup_gradients > start.gradients and found.least > 0


def test_nutpie_is_stopped_at_the_limit() -> None:
    from reparam_rewrite.benchmarking.rivals import with_nutpie
    from reparam_rewrite.benchmarking.values import Variant
    from reparam_rewrite.benchmarking.with_nutpie import Nutpie
    from reparam_rewrite.running.trace import double_precision

    with double_precision():
        variant = with_nutpie(Variant(call_of(GRAND_MEAN), "x"), low_rank=False)
        found, values = Nutpie(variant, Options(warmup=10**6, limit=1)).run(0)
    assert found == Chains(0, failed="stopped in warm-up after 1 s", stopped=True)
    assert values == {}


@pytest.mark.parametrize("installed", [True, False])
def test_a_generated_model_has_rows_of_nutpie_where_it_is_installed(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reparam_rewrite.benchmarking.rivals import RIVALS
    from reparam_rewrite.benchmarking.running import Bench
    from reparam_rewrite.benchmarking.values import Asked
    from reparam_rewrite.config.reading import read_config

    if not installed:
        monkeypatch.setattr("reparam_rewrite.benchmarking.rivals.find_spec", lambda name: None)
    texts = {
        "a.toml": '[sites.a]\noffset = "mu"\ninit = 1.0\nlearn = false',
        "same.toml": 'chain = ["mu", "a"]',
    }
    configs = {name: read_config(text.encode(), name) for name, text in texts.items()}
    asked = Asked("", "", (), None, None, Options(keys=1, draws=100, warmup=100))
    bench = Bench(asked, call_of(GRAND_MEAN), configs, Kept(tmp_path / "runs.jsonl"))
    monkeypatch.setattr("reparam_rewrite.benchmarking.running.RIVALS", RIVALS[2:3])
    found = bench.results("", nuts=True, svi=False)
    names = [(row.name, row.kind) for row in found.nuts if row.done]
    by_nutpie = [("a.toml, nutpie", "config"), ("a.toml, nutpie low rank", "config")]
    by_nutpie += [(f"{PLAIN}, nutpie low rank", "rival")]
    hint = 'is not installed, so that it has no rows: pip install "reparam-rewrite[bench]"'
    assert [one for one in names if "nutpie" in one[0]] == by_nutpie * installed
    assert found.notes == ([] if installed else [f"nutpie {hint}", f"blackjax {hint}"])


@pytest.mark.parametrize(("shift", "near"), [(0, 0), (50, 1)])
def test_a_guide_starts_where_its_elbo_is_greater(shift: float, near: float) -> None:
    """As written at the median of the prior; shifted by what is told of it, the base is near 0."""
    from reparam_rewrite.benchmarking.measuring import Trainer
    from reparam_rewrite.benchmarking.values import Variant
    from reparam_rewrite.running.trace import double_precision

    model = load_model(f"""\
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam


def model(y):
    reparam = ExplicitReparam(AffineTransform({shift}, 1))
    with numpyro.handlers.reparam(config={{"a": reparam}}):
        a = numpyro.sample("a", dist.Cauchy(0, 1))
    numpyro.sample("y", dist.Normal(a, 0.1), obs=y)
""")
    with double_precision():
        call = call_of(GRAND_MEAN)._replace(model=model, args=(-shift,), kwargs={})
        trainer = Trainer(Variant(call, "x"), Options(steps=200))
        start = float(trainer.svi.get_params(trainer.start(0))["auto_loc"][0])
    assert abs(start) <= 2 * near + 0.5


def test_rivals_know_where_they_apply() -> None:
    from reparam_rewrite.benchmarking.rivals import grouped_sites, hierarchical_sites

    assert hierarchical_sites(call_of(FIXTURES / "crossed")) == ["a_plate", "b_sample"]
    assert grouped_sites(call_of(FIXTURES / "crossed")) == ["a_plate", "b_sample"]
    assert hierarchical_sites(call_of(FIXTURES / "suggest" / "eight_schools")) == ["theta"]
    assert grouped_sites(call_of(FIXTURES / "suggest" / "eight_schools")) == []


def test_zero_sums_have_the_law_of_zero_sum_normal() -> None:
    import jax
    import numpyro.distributions as dist
    from numpyro import handlers, plate, sample

    from reparam_rewrite.benchmarking.rivals import ZeroSum

    def model() -> Any:
        with plate("i", 4), plate("j", 3):
            return sample("a", dist.Normal(0, 2.0))

    @jax.jit
    @jax.vmap
    def draw(key: Any) -> Any:
        return handlers.seed(handlers.reparam(model, config={"a": ZeroSum()}), key)()

    draws = np.asarray(draw(jax.random.split(jax.random.PRNGKey(0), 20_000)))
    assert np.abs(draws.sum(axis=1)).max() < 1e-4 and np.abs(draws.sum(axis=2)).max() < 1e-4
    wanted = dist.ZeroSumNormal(2.0, (3, 4)).sample(jax.random.PRNGKey(1), (20_000,))
    found, expected = (np.cov(np.reshape(d, (20_000, 12)).T) for d in (draws, wanted))
    np.testing.assert_allclose(found, expected, atol=0.1)


@pytest.mark.parametrize(("scale", "is_normal"), [("0.5", True), ("1 + a**2", False)])
def test_the_exact_sds_of_a_normal_posterior(scale: str, is_normal: bool, tmp_path: Path) -> None:
    from reparam_rewrite.benchmarking.measuring import exact
    from reparam_rewrite.running.trace import double_precision

    with double_precision():
        found = exact(normal_call(tmp_path, scale))
    assert (found is not None) is is_normal
    if found is not None:
        precision = np.diag([1 / 100 + 3 / 4, *[1 / 4 + 4] * 3])
        precision[0, 1:] = precision[1:, 0] = -1 / 4
        sd = np.sqrt(np.diag(np.linalg.inv(precision)))
        np.testing.assert_allclose([found.sd["mu"], *found.sd["a"]], sd, rtol=1e-6)


# -- the command -----------------------------------------------------------------------------------


def copied(folder: Path, fixture: Path = GRAND_MEAN) -> Path:
    for name in ("model.py", "example.py", "offsets.toml"):
        (folder / name).write_bytes((fixture / name).read_bytes())
    return folder


def killed(folder: Path, *words: str) -> None:
    """Run bench until it has kept a result."""
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kept = folder / "model.bench.jsonl"
    deadline = time.monotonic() + 200
    while not (kept.exists() and kept.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_the_command_and_that_it_goes_on_after_a_kill(tmp_path: Path) -> None:
    words = ["bench", "model.py", "--config", "offsets.toml", *ARGS, "--nuts", "--svi", *SHORT]
    words += ["--no-rivals", "--report", "report.html"]
    killed(copied(tmp_path), *words)
    ran = run(tmp_path, *words, "--format", "json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    names = [(one["method"], one["variant"]) for one in found["rows"]]
    guide = "AutoDiagonalNormal"
    assert names == [
        ("nuts", PLAIN),
        ("nuts", "offsets.toml"),
        ("svi", f"{PLAIN}, {guide}"),
        ("svi", f"offsets.toml, {guide}"),
    ]
    assert not any(one["failed"] for one in found["rows"])
    run_of = found["runs"]["nuts"][PLAIN][0]
    assert 0 < run_of["least"] <= run_of["median"] and run_of["gradients"] > 200
    assert found["reference"]["how"].startswith("NUTS on 'offsets.toml' with a dense mass matrix")
    assert all(one["median_sd_ratio"] > 0 for one in found["rows"][2:])
    assert "NUTS on as written, key 0" not in ran.err  # it was kept before the kill
    assert "NUTS on offsets.toml, key 0" in ran.err
    page = (tmp_path / "report.html").read_text()
    assert page.count("<figure>") == 4
    assert not re.search(r"(src|href)=|url\(|@import", page)
    assert "<ins>+    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))</ins>" in page
    assert all(escape(sentence.split("'")[0]) in page for sentence in found["advice"])
    again = run(tmp_path, *words, "--format", "json")
    more = json.loads(again.out)
    assert again.err == "wrote report.html\n"
    assert (more["rows"], more["runs"]) == (found["rows"], found["runs"])
    today = found["date"]
    assert more["notes"] == [f"5 results were kept in model.bench.jsonl, from {today} on"]


def test_runs_given_the_data_are_kept_too(tmp_path: Path) -> None:
    words = ["bench", "model.py", "--config", "offsets.toml", *ARGS, "--nuts", *SHORT]
    copied(tmp_path, FIXTURES / "conditional_studies")
    first = run(tmp_path, *words, "--no-rivals", "--format", "json")
    again = run(tmp_path, *words, "--no-rivals", "--format", "json")
    assert "NUTS on offsets.toml, key 0" in first.err
    assert json.loads(again.out)["rows"] == json.loads(first.out)["rows"]
    assert again.err == ""


CROSSED = """\
import numpyro
import numpyro.distributions as dist


def model(y):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("j", 6):
        b = numpyro.sample("b", dist.Normal(0, 2.0))
    with numpyro.plate("i", 24):
        a = numpyro.sample("a", dist.Normal(0, 1.0))
    with numpyro.plate("y_i", 24, dim=-2), numpyro.plate("y_j", 6, dim=-1):
        numpyro.sample("y", dist.Normal(mu + a[:, None] + b, 0.3), obs=y)
"""


@pytest.mark.parametrize("bases", [True, False])
def test_a_fitted_config_has_bases_if_they_are_asked_for(bases: bool, tmp_path: Path) -> None:
    from reparam_rewrite.benchmarking.running import Bench
    from reparam_rewrite.benchmarking.values import Asked
    from reparam_rewrite.config.reading import read_config
    from reparam_rewrite.running.call import called

    (tmp_path / "model.py").write_text(CROSSED)
    call = called(str(tmp_path / "model.py"), [], "(np.ones((24, 6)),), {}", None, "a test")
    asked = Asked("", "", (), None, None, Options(), "laplace", bases, rivals=False)
    configs = {"a.toml": read_config(b'chain = ["mu", "a"]', "a.toml")}
    bench = Bench(asked, call, configs, Kept(tmp_path / "runs.jsonl"))
    diffs = {one.name: one.diff for one in bench.candidates}
    assert ("PlateDCT" in diffs.get("a.toml, fitted", "")) is bases


# -- several at once -------------------------------------------------------------------------------


def key_of(row: dict[str, Any]) -> list[Any]:
    """What of a run is the same whoever makes it."""
    return [row[name] for name in ("key", "least", "worst", "gradients", "warmup_gradients")]


def test_runs_at_once_are_those_one_after_another(tmp_path: Path) -> None:
    words = ["bench", "model.py", *ARGS, *SHORT, "--keys", "2", "--no-rivals", "--format", "json"]
    alone = json.loads(run(copied(tmp_path), *words, "--state", "alone.jsonl").out)
    ran = run(tmp_path, *words, "--jobs", "2")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    assert [key_of(one) for one in found["runs"]["nuts"][PLAIN]] == [
        key_of(one) for one in alone["runs"]["nuts"][PLAIN]
    ]
    said = "what it is in seconds is of cores that runs may share"
    assert (alone["notes"], found["notes"]) == ([], [f"2 runs were made while others were: {said}"])
    again = json.loads(run(tmp_path, *words).out)
    assert again["runs"] == found["runs"] and again["notes"][1:] == found["notes"]


def job_in(folder: Path) -> Any:
    """A short run of a model that is copied there."""
    from reparam_rewrite.benchmarking.asking import bench_of
    from reparam_rewrite.benchmarking.state import Remembered
    from reparam_rewrite.benchmarking.values import Asked, Job

    copied(folder)
    options = Options(keys=1, draws=100, warmup=100)
    args = f"{folder}/example.py:example_args"
    asked = Asked(str(folder), str(folder / "model.py"), (), args, None, options, rivals=False)
    (row,) = bench_of(asked, Remembered({})).plans("nuts")
    return Job(asked, "nuts", {}, row, 0)


def test_a_process_that_is_killed_takes_its_run_with_it_and_no_other(tmp_path: Path) -> None:
    from reparam_rewrite.benchmarking.crews import Processes

    job = job_in(tmp_path)
    with Processes(1) as crew:
        first = crew.submit(job)
        while not crew.started:
            time.sleep(0.01)
        crew.started[0].kill()
        assert str(first.exception()) == "the process that made the run was ended"
        found = crew.submit(job).result()
    assert found.key == 0 and found.least > 0


def children(pid: int) -> list[int]:
    """The processes that any thread of one has started."""
    texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(word) for text in texts for word in text.split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks /proc for processes")
def test_ctrl_c_ends_all_processes(tmp_path: Path) -> None:
    words = ["bench", "model.py", *ARGS, "--keys", "2", "--no-rivals", "--jobs", "2"]
    process = subprocess.Popen(
        [*COMMAND, *words],
        cwd=copied(tmp_path),
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "key 1" not in process.stderr.readline():
        pass
    while len(children(process.pid)) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)  # until no process can write to it any more
    assert (process.returncode, said.split()) == (130, ["interrupted"])


def test_a_cluster_goes_on_without_a_worker(tmp_path: Path) -> None:
    from distributed import LocalCluster

    words = ["bench", "model.py", *ARGS, *SHORT, "--keys", "2", "--no-rivals", "--format", "json"]
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        process = subprocess.Popen(
            [*COMMAND, *words, "--dask", cluster.scheduler_address],
            cwd=copied(tmp_path),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        workers = {nanny.worker_address: nanny for nanny in cluster.workers.values()}
        busy: list[str] = []
        while not busy:
            time.sleep(0.1)
            busy = [a for a, state in cluster.scheduler.workers.items() if state.processing]
        os.kill(workers[busy[0]].pid, signal.SIGKILL)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    found = json.loads(out)
    assert [one["failed"] for one in found["runs"]["nuts"][PLAIN]] == ["", ""]
    assert "warning" not in err.lower() and "error" not in err.lower()


@pytest.mark.long
def test_a_run_that_takes_too_long_is_a_row(tmp_path: Path) -> None:
    slow = (GRAND_MEAN / "model.py").read_text().replace("dist.Normal(0, 10)", "dist.Normal(s, 10)")
    slow = slow.replace(
        '    mu = numpyro.sample("mu"',
        "    import jax\n\n    s = jax.pure_callback(lambda: __import__('time').sleep(0.01) or "
        "__import__('numpy').zeros(()), jax.ShapeDtypeStruct((), float))\n"
        '    mu = numpyro.sample("mu"',
    )
    (copied(tmp_path) / "model.py").write_text(slow)
    ran = run(tmp_path, "bench", "model.py", *ARGS, *SHORT, "--no-rivals", "--limit", "1")
    assert ran.status == 0, ran.err
    assert re.search(rb"^as written +failed: ", ran.out, re.M), ran.out.decode()


@pytest.mark.long
def test_all_rivals_and_a_fitted_config(tmp_path: Path) -> None:
    words = ["bench", "model.py", "--config", "offsets.toml", *ARGS, "--nuts", "--svi", *SHORT]
    ran = run(copied(tmp_path), *words, "--fit", "--format", "json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    assert not any(one["failed"] for one in found["rows"])
    nutpie = [f"offsets.toml, fitted, nutpie{mass}" for mass in ("", " low rank")]
    rivals = [
        f"{PLAIN}, nutpie low rank",
        "dense_mass=True",
        "from Pathfinder's draws",
        "LocScaleReparam(0)",
        "VIP",
        "NeuTra, low rank",
        "ZeroSumNormal",
    ]
    names = [one["variant"] for one in found["rows"] if one["method"] == "nuts"]
    assert names == [PLAIN, "offsets.toml", "offsets.toml, fitted", *nutpie, *rivals]
    guides = {one["variant"] for one in found["rows"] if one["method"] == "svi"}
    assert {f"{PLAIN}, AutoMultivariateNormal", "VIP, AutoDiagonalNormal"} <= guides
    before = {}
    for one in found["rows"]:
        if one["method"] == "nuts":
            (key,) = found["runs"]["nuts"][one["variant"]]
            all_in = 1_000 * key["least"] / one["least_ess_per_1000_gradients_all_in"]
            before[one["variant"]] = round(all_in - key["gradients"] - key["warmup_gradients"])
    trained = 200 * 8
    assert (before[PLAIN], before["VIP"], before["NeuTra, low rank"]) == (0, trained, trained)
    assert before["offsets.toml, fitted"] > 2_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-"], "bench takes nothing on standard input"),
        (["model.py", "--config", "-"], "bench takes nothing on standard input"),
        (["model.py", "--config", "none.toml"], "none.toml: "),
        (["model.py", "--report", "model.py", *ARGS], "model.py: "),
        (["model.py", "--config", "offsets.toml", "--state", "offsets.toml"], "offsets.toml: "),
        (["model.py", "--report", "no/r.html", *ARGS], "no/r.html: there is no folder 'no'"),
        (["model.py", "--report", ".", *ARGS], ".: the output is a folder"),
        (["model.py", "--state", "no/r.jsonl", *ARGS], "no/r.jsonl: there is no folder 'no'"),
        (
            ["model.py", "--state", "r", "--report", "./r", *ARGS],
            "./r: --report and --state name one file",
        ),
        (["model.py"], "model.py: 'model' needs arguments"),
        (["model.py", *ARGS, "--bases"], "--bases is of --fit"),
        (["model.py", *ARGS, "--pilot", "nuts"], "--pilot is of --fit"),
        (["model.py", *ARGS, "--jobs", "2", "--dask", "a:1"], "--jobs is of this machine"),
        (["model.py", *ARGS, "--dask", "a"], "there is no Dask scheduler at 'a': missing port"),
        (["model.py", "--config", "typo.toml", *ARGS], "typo.toml:1:8: "),
    ],
)
def test_refused_before_anything_runs(words: list[str], message: str, tmp_path: Path) -> None:
    (copied(tmp_path) / "typo.toml").write_text("[sites.nope]\noffset = 'mu'\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    ran = run(tmp_path, "bench", *words)
    assert (ran.status, ran.out) == (2, b"")
    assert message in ran.err and "Traceback" not in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_help(tmp_path: Path) -> None:
    text = run(tmp_path, "bench", "--help", COLUMNS="80").out.decode()
    for parameter in command.params:
        assert max(parameter.opts, key=len) in text or parameter.name == "model"
