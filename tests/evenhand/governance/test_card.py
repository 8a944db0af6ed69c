"""A card has no blanks, and no number that the run did not give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from evenhand.governance.card import card_html, card_markdown, write_card
from evenhand.governance.facts import CardFacts, Figure, features_of, figures_of, tables_of
from evenhand.governance.records import Consultation, DecisionNotToConsult, Records, read_records
from features.account import Account, TableAccount
from features.definition import load_force
from features.errors import GateRefused
from tests.evenhand.governance.conftest import HEALTH, METRICS, RECORDS

ROOT = Path(__file__).parents[3]

SECTIONS = (
    "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data", "Features",
    "Quantitative analyses", "What a score means", "Ethical considerations", "Caveats and recommendations", "Governance records",
    "Appeal route",
)  # fmt: skip

NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


class Page(HTMLParser):
    """The text of a page, its tags, and the references it makes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.styling = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.styling = tag == "style"
        self.references += [value or "" for name, value in attrs if name in ("href", "src", "data", "action")]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        self.styling = False

    def handle_data(self, data: str) -> None:
        if not self.styling:
            self.words.append(data)

    @property
    def text(self) -> str:
        return unescape(" ".join(self.words))


@pytest.fixture
def facts(run: dict[str, Any]) -> CardFacts:
    return CardFacts.of(run)


def numbers_given(value: Any) -> Iterator[str]:
    """Every way in which a card may write a number of the facts."""
    match value:
        case bool() | None:
            return
        case int():
            yield f"{value:,}"
            yield str(value)
        case float():
            value = abs(value)  # the sign is no part of the number
            yield from (
                f"{value:,.0f}",
                f"{value:,.1f}",
                f"{100 * value:.1f}",
                f"{value:.3f}",
                f"{value:.4f}",
            )
            yield f"{value:g}"
        case str():
            yield from NUMBER.findall(value)
        case datetime():
            yield from NUMBER.findall(f"{value:%Y-%m-%d %H:%M}")
        case date():
            yield from NUMBER.findall(value.isoformat())
        case Mapping():
            yield from (number for each in value.values() for number in numbers_given(each))
            yield from (number for key in value for number in numbers_given(key))
        case list() | tuple():
            yield str(len(value))
            yield from (number for each in value for number in numbers_given(each))
        case _:
            yield from NUMBER.findall(str(value))


def shares_listed(facts: CardFacts) -> set[str]:
    return {f"{100 * each.listed / each.people:.1f}" for each in facts.lookalikes}  # type: ignore[union-attr]  # a tuple here


def test_the_card_has_every_section_in_order(facts: CardFacts) -> None:
    markdown = card_markdown(facts)
    places = [markdown.index(f"\n## {title}\n") for title in SECTIONS]
    assert places == sorted(places)


def test_every_number_on_the_card_was_given_by_the_run(facts: CardFacts) -> None:
    allowed = set(numbers_given(facts.model_dump())) | shares_listed(facts)
    # The width of the intervals is the one number that belongs to the method and not to the run.
    allowed.add("95")
    for text in (Page(card_html(facts)).text, card_markdown(facts)):
        assert set(NUMBER.findall(text)) <= allowed


def test_every_figure_of_the_run_is_on_the_card(facts: CardFacts) -> None:
    text = " ".join(Page(card_html(facts)).text.split())
    for shown in (
        "22.5 % 12.3 % to 37.5 %",
        "0.654 0.601 to 0.704",
        "9 4 to 15",
        "28.5",
        "11.7 % 8.5 % to 16.2 %",
        "cannot tell: nobody",
    ):
        assert shown in text


def test_counts_of_two_bases_never_share_a_table(facts: CardFacts) -> None:
    tables = re.findall(r"<caption>(.*?)</caption>.*?</table>", card_html(facts), flags=re.DOTALL)
    assert "Backtest, all dates together" in tables
    assert "Live, all dates together" in tables
    backtest = card_markdown(facts).split("**Backtest, all dates together**")[1].split("### ")[0]
    assert "Leads wrong" not in backtest


def test_the_page_needs_nothing_from_outside_and_runs_nothing(facts: CardFacts) -> None:
    html = card_html(facts)
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(page.tags)
    assert all(reference.startswith("#") for reference in page.references)
    assert not re.search(r"https?:|@import|url\(", html)


def test_the_page_can_be_found_one_s_way_in(facts: CardFacts) -> None:
    html = card_html(facts)
    page = Page(html)
    assert {"header", "nav", "main", "footer"} <= set(page.tags)
    assert page.tags.count("table") == page.tags.count("caption")
    assert page.tags.count("h1") == 1
    assert '<html lang="en-GB">' in html
    assert len(page.ids) == len(set(page.ids))
    assert {reference[1:] for reference in page.references} <= set(page.ids)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("ink", "ground"),
        ("ink", "tint"),
        ("quiet", "ground"),
        ("quiet", "tint"),
        ("mark", "ground"),
        ("alarm", "alarm-tint"),
    ],
)
def test_text_can_be_read_by_weak_eyes(facts: CardFacts, ink: str, ground: str) -> None:
    palette = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", card_html(facts)))
    dark, light = luminance(palette[ink]), luminance(palette[ground])
    # WCAG 2 asks for 4.5 to 1 (level AA).
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_methods_are_drawn_to_one_scale_with_their_intervals(facts: CardFacts) -> None:
    html = card_html(facts)
    assert "<figcaption>Precision at capacity, all dates together, with 95 % intervals</figcaption>" in html
    # Of 37.5 %, the widest reach: 22.5 % stands at 60, and the random draw's 1.33 % to 15.76 % at 3.55 to 42.03.
    assert 'class="value" x1="60.00"' in html
    assert 'class="whisker" x1="3.55" y1="5" x2="42.03"' in html


def test_text_of_the_run_cannot_become_markup(run: dict[str, Any]) -> None:
    run["caveats"] = ("<script>alert(1)</script> & | more",)
    html = card_html(CardFacts.of(run))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_card_says_how_settled_its_labels_are(run: dict[str, Any]) -> None:
    card = card_markdown(CardFacts.of(run))
    assert re.search(r"\| Confirmed \| 14.0 % .*11.0 % to 18.0 %.* \| 27.0 %", card)
    assert "| 2023-01-01 | 96 | 83.0 % |" in card
    run["evaluation"]["time_to_finding"] |= {
        "endings": [],
        "dates": [{"as_of": date(2023, 1, 1), "cases": 0, "made": None}],
    }
    assert "| 2023-01-01 | 0 | cannot be told |" in card_markdown(CardFacts.of(run))


def test_what_the_model_must_not_be_used_for_is_said(facts: CardFacts) -> None:
    assert "### What this must not be used for" in card_markdown(facts)


@pytest.mark.parametrize("section", [name for name, field in CardFacts.model_fields.items()])
def test_a_missing_section_is_an_error_and_never_a_blank(run: dict[str, Any], section: str) -> None:
    del run[section]
    with pytest.raises(GateRefused, match=section):
        CardFacts.of(run)


@pytest.mark.parametrize(
    ("inside", "name"),
    [
        ("details", "sha256"),
        ("listing", "threshold"),
        ("evaluation", "settle_months"),
        ("evaluation", "time_to_finding"),
        ("training", "rows"),
        ("factors", "audit_attributes"),
    ],
)
def test_a_missing_figure_is_an_error(run: dict[str, Any], inside: str, name: str) -> None:
    del run[inside][name]
    with pytest.raises(GateRefused, match=f"{inside}.{name}"):
        CardFacts.of(run)


def test_every_missing_fact_is_named_at_once(run: dict[str, Any]) -> None:
    del run["caveats"], run["details"]["run"]
    with pytest.raises(GateRefused) as refused:
        CardFacts.of(run)
    assert "- details.run: Field required" in str(refused.value)
    assert "- caveats: Field required" in str(refused.value)


@pytest.mark.parametrize("column", ["low", "high"])
def test_a_rate_without_its_interval_is_an_error(run: dict[str, Any], column: str) -> None:
    run["figures"] = figures_of(METRICS.with_columns(pl.lit(None, pl.Float64).alias(column)))
    with pytest.raises(GateRefused, match="a rate has no interval"):
        CardFacts.of(run)


def test_a_figure_without_a_value_is_an_error_unless_it_is_about_nobody() -> None:
    given: dict[str, Any] = {
        "method": "lightgbm", "basis": "live", "name": "auc", "low": None, "high": None, "k": None, "as_of": "all",
    }  # fmt: skip
    assert Figure(**given, value=float("nan"), n=0).value is None
    with pytest.raises(ValueError, match="there is no value"):
        Figure(**given, value=float("nan"), n=5)


def test_incomplete_governance_records_give_no_card(run: dict[str, Any], records: Records) -> None:
    run["records"] = records.model_copy(update={"appeal_route": None})
    with pytest.raises(GateRefused, match="appeal_route is missing"):
        CardFacts.of(run)


def test_a_model_with_health_features_is_shown_with_and_without_them(
    run: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "permitting.toml"
    file.write_text(RECORDS + HEALTH, encoding="utf-8")
    run["records"] = read_records(file)
    run["features"][0]["marks"] = ("health",)
    with pytest.raises(GateRefused, match="with and without"):
        CardFacts.of(run)
    without = METRICS.with_columns(value=pl.col("value") - 0.01)
    run["health"] = {"with_health": figures_of(METRICS), "without_health": figures_of(without)}
    markdown = card_markdown(CardFacts.of(run))
    assert "| Precision at capacity | 22.5 % (12.3 % to 37.5 %) | 21.5 % (12.3 % to 37.5 %) |" in markdown
    assert "Absence levels, special category condition" in markdown


def test_a_model_of_protected_lineage_has_no_card(run: dict[str, Any]) -> None:
    run["features"][0]["marks"] = ("protected",)
    with pytest.raises(GateRefused, match="protected"):
        CardFacts.of(run)


def test_lookalikes_that_were_not_measured_say_why(run: dict[str, Any]) -> None:
    run["lookalikes"] = {"because": "on a real force nobody knows who they are."}
    assert "could not be measured: on a real force nobody knows" in card_markdown(CardFacts.of(run))


def test_a_demonstration_says_so_on_both_cards(run: dict[str, Any]) -> None:
    run["records"] = read_records(ROOT / "governance.toml")
    facts = CardFacts.of(run)
    assert "Demonstration: the governance records" in card_html(facts)
    assert "Demonstration: the governance records" in card_markdown(facts)


def test_a_card_is_written_whole_and_replaces_the_one_before(facts: CardFacts, tmp_path: Path) -> None:
    out = tmp_path / "cards"
    written = write_card(facts, out)
    again = write_card(facts, out)
    assert written == again
    assert sorted(path.name for path in out.iterdir()) == ["conduct-leads-4.html", "conduct-leads-4.md"]
    assert written.html.read_text(encoding="utf-8") == card_html(facts)


def test_a_card_that_cannot_be_written_leaves_the_old_one(facts: CardFacts, tmp_path: Path) -> None:
    written = write_card(facts, tmp_path)
    before = written.markdown.read_text(encoding="utf-8")
    written.html.unlink()
    written.html.mkdir()
    with pytest.raises(OSError, match=r"conduct-leads-4\.html"):
        write_card(facts, tmp_path)
    assert written.markdown.read_text(encoding="utf-8") == before
    assert not list(tmp_path.glob(".card-*"))


def test_a_test_date_must_add_up(run: dict[str, Any]) -> None:
    run["evaluation"]["dates"][0]["cohort"] = 2000
    with pytest.raises(GateRefused, match="not the sum of its parts"):
        CardFacts.of(run)


def test_a_research_run_says_that_it_can_never_be_used(run: dict[str, Any]) -> None:
    run["details"]["promotable"] = False
    assert "can never be used to score people" in card_markdown(CardFacts.of(run))


def test_a_lift_is_shown_as_a_multiple(run: dict[str, Any]) -> None:
    lift = {"name": "lift_at_rule", "value": 4.31, "low": 2.22, "high": 7.0}
    run["figures"] = [{**run["figures"][3], **lift}]
    markdown = card_markdown(CardFacts.of(run))
    assert "| Lift at as many as the threshold rule flags | 4.3 times (2.2 times to 7.0 times) |" in markdown


def test_a_decision_not_to_consult_is_on_the_card(run: dict[str, Any], records: Records) -> None:
    decision = DecisionNotToConsult(
        date=date(2024, 1, 5), decided_by="Deputy Chief Officer", reasons="covert"
    )
    run["records"] = records.model_copy(
        update={"consultation": Consultation(), "decision_not_to_consult": decision}
    )
    assert "- **Decision not to consult**: 2024-01-05, Deputy Chief Officer: covert" in card_markdown(
        CardFacts.of(run)
    )


def test_the_account_of_enclaves_is_not_on_the_card() -> None:
    force = load_force("chicago")
    names = [table.name for table in force.tables[:2]]
    account = Account(
        tuple(
            TableAccount(
                table=name, origin=f"{name}.csv", read=10, accepted=8, quarantined=2, enclave=name == names[1]
            )
            for name in names
        )
    )
    assert [each["table"] for each in tables_of(force, account)] == names[:1]
    assert tables_of(force, account)[0]["says"] == force.tables[0].says


def test_features_are_described_in_the_catalogue_s_words() -> None:
    force = load_force("chicago")
    described = features_of(force, force.catalogue.columns[:3])
    first = force.catalogue.ideas[0]
    assert described[0]["says"] == first.says
    assert described[0]["reads"]


def test_chances_stand_with_their_error_or_why_they_could_not_be_measured(run: dict[str, Any]) -> None:
    text = " ".join(card_markdown(CardFacts.of(run)).split())
    assert "about 6 in 100 were later confirmed" in text
    assert "reviewers are not shown it" in text
    assert "2.6 % (1.3 % to 5.0 %)" in text
    run["chances"] = {"because": "the model is older than the measurement"}
    text = card_markdown(CardFacts.of(run))
    assert "Chances of being confirmed were not measured: the model is older than the measurement" in text
