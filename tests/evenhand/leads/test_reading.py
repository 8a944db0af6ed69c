"""What a reviewer sees: reasons, records and innocent explanations, and nothing that tells lead from sample."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from evenhand.leads.opening import lead_id
from evenhand.leads.reading import ShownLead, leads_frame, show_lead
from evenhand.leads.register import Register
from evenhand.leads.review import record_reviews, record_routes
from features.errors import WrongUsage
from models.sampling import Sizes
from tests.evenhand.leads.conftest import Opening, about, batch, on_either_database, reason, review_rows
from tests.evenhand.leads.test_review import routes

TWENTY = {f"p{number:02}": 0.99 - number / 25 for number in range(20)}


def blank(shown: ShownLead) -> str:
    """What is shown, with the person's and the lead's own names taken out."""
    return (shown._repr_html_() + str(shown)).replace(shown.person_key, "?").replace(shown.lead, "?")


def test_a_sampled_file_looks_like_any_other(register: Register, opening: Opening) -> None:
    opened = opening(TWENTY, samples=Sizes(random=5))
    assert (opened.opened, opened.sampled) == (3, 5)
    files = [show_lead(register, lead) for lead in leads_frame(register)["lead"]]
    assert len(files) == 8
    assert len({blank(shown) for shown in files}) == 1


def test_neither_list_nor_file_tells_score_rank_kind_or_threshold(
    register: Register, opening: Opening
) -> None:
    opened = opening({"ann": 0.87654, "bob": 0.1}, threshold=0.54321, samples=Sizes(random=1))
    assert leads_frame(register).columns == [
        "lead",
        "as_of",
        "person_key",
        "concern",
        "first_reason",
        "route",
        "outcome",
    ]
    for person in ("ann", "bob"):
        shown = show_lead(register, lead_id(opened.batch, person))
        text = str(shown) + shown._repr_html_() + repr(shown)
        for telling in ("0.87", "0.1)", "0.54", "sample", "rank", "score", "kind", "0.8", "threshold"):
            assert telling not in text


def test_the_order_of_files_does_not_tell_the_rank(register: Register, opening: Opening) -> None:
    opening(TWENTY, capacity=12)
    people = leads_frame(register)["person_key"].to_list()
    assert len(people) == 12
    assert people != sorted(people)


@on_either_database
def test_the_file_shows_reasons_for_and_against_their_rows_and_what_to_look_for_first(
    register: Register, opening: Opening
) -> None:
    opened = opening({"ann": 0.9})
    shown = show_lead(register, lead_id(opened.batch, "ann"))
    assert str(shown) == "\n".join(
        [
            f"Lead {shown.lead}: person ann, as of 2024-01-01",
            "What speaks for this lead is mostly about overtime fraud (62 % of it).",
            "A lead is a question about records, not a finding about a person.",
            "",
            "Look first for an ordinary explanation:",
            "  - ordinary claims_90d",
            "",
            "Reasons for:",
            "  - overtime claims beyond the tour in the 90 days before 2024-01-01: 4 claims",
            "      overtime_claim row 3 (claim_id ann-claims_90d-early): occurred 2023-11-02 00:00, recorded 2023-11-09 00:00",
            "      overtime_claim row 7 (claim_id ann-claims_90d-late): occurred 2023-12-05 00:00, recorded 2023-12-06 00:00",
            "",
            "Reasons against:",
            "  - role: planner",
        ]
    )


def test_the_file_and_the_list_say_what_they_are_about_in_words_and_never_as_a_finding(
    register: Register, opening: Opening
) -> None:
    kinds = {"ann": ("T4", 0.31), "bob": ("T2", 0.5), "cyd": (None, None)}
    opened = opening(about(batch({"ann": 0.9, "bob": 0.8, "cyd": 0.7}), kinds))
    ann, bob, cyd = (show_lead(register, lead_id(opened.batch, person)) for person in ("ann", "bob", "cyd"))
    several = "What speaks for this lead is about several things, most of all misuse of systems (31 % of it)."
    for shown in (str(ann), ann._repr_html_()):
        assert several in shown
        assert "not a finding" in shown[shown.index(several) :]
    assert "is mostly about overtime fraud (50 % of it)." in str(bob)
    assert (bob.concern, bob.concern_share) == ("overtime fraud", 0.5)
    assert "What speaks for this lead" not in str(cyd) + cyd._repr_html_()
    listed = dict(leads_frame(register).select("person_key", "concern").iter_rows())
    assert listed == {"ann": "misuse of systems", "bob": "overtime fraud", "cyd": None}


def test_a_long_record_is_shown_in_part_and_kept_in_full(register: Register, opening: Opening) -> None:
    import polars as pl

    def many(person: object, column: str) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "table": "system_access",
                "source_row": range(1, 31),
                "occurred_at": datetime(2023, 12, 1),
                "known_at": datetime(2023, 12, 1),
            }
        )

    opened = opening({"ann": 0.9}, evidence_of=many)
    shown = show_lead(register, lead_id(opened.batch, "ann"))
    assert len(shown.reasons[0].rows) == 30
    assert "and 22 more rows" in str(shown)
    assert "30 rows in the records" in shown._repr_html_()


def test_a_file_without_reasons_says_none(register: Register, opening: Opening) -> None:
    opened = opening(batch({"ann": 0.9, "bob": 0.1}, reasons=[reason("ann")]), samples=Sizes(random=1))
    shown = show_lead(register, lead_id(opened.batch, "bob"))
    assert "Reasons for:\n  - none" in str(shown)
    assert "<h4>Reasons for</h4><p>None.</p>" in shown._repr_html_()


def test_routes_and_reviews_are_shown_in_order_of_time(register: Register, opening: Opening) -> None:
    opened = opening({"ann": 0.9})
    lead = lead_id(opened.batch, "ann")
    record_routes(register, routes((lead, "supervisor", datetime(2024, 1, 5))))
    record_reviews(register, review_rows((lead, "wrong", datetime(2024, 2, 1, 14))))
    shown = show_lead(register, lead)
    assert "Route: supervisor, 2024-01-05 00:00" in str(shown)
    assert "Review: wrong, R1, 2024-02-01 14:00: public-order aid" in str(shown)
    assert "Review: wrong, R1" in shown._repr_html_()


def test_words_of_a_record_cannot_become_markup(register: Register, opening: Opening) -> None:
    opened = opening(batch({"<b>x": 0.9}, reasons=[reason("<b>x", words="<script>")]))
    html = show_lead(register, lead_id(opened.batch, "<b>x"))._repr_html_()
    assert not re.search(r"<script|<b>", html)


def test_a_demonstration_says_so_on_every_file(register: Register, opening: Opening) -> None:
    opened = opening({"ann": 0.9}, demo=True)
    shown = show_lead(register, lead_id(opened.batch, "ann"))
    assert str(shown).startswith("Demonstration")
    assert "Demonstration" in shown._repr_html_()


@on_either_database
def test_open_files_can_be_listed_alone(register: Register, opening: Opening) -> None:
    opened = opening({"ann": 0.9, "bob": 0.8})
    record_reviews(
        register, review_rows((lead_id(opened.batch, "ann"), "inconclusive", datetime(2024, 2, 1)))
    )
    assert leads_frame(register, open_only=True)["person_key"].to_list() == ["bob"]
    assert leads_frame(register, batch="none").is_empty()


@on_either_database
def test_a_lead_is_found_by_the_beginning_of_its_name(register: Register, opening: Opening) -> None:
    opened = opening({"ann": 0.9})
    lead = lead_id(opened.batch, "ann")
    assert show_lead(register, lead[:5]).lead == lead


def test_a_lead_that_does_not_exist_says_what_to_do(register: Register, opening: Opening) -> None:
    with pytest.raises(WrongUsage, match="holds no leads yet"):
        show_lead(register, "abc")
    opened = opening(TWENTY, capacity=20)
    lead = lead_id(opened.batch, "p00")
    with pytest.raises(WrongUsage, match="Did you mean"):
        show_lead(register, lead[:-2] + "zz")
    with pytest.raises(WrongUsage, match="evenhand leads list"):
        show_lead(register, "zzzz")
    with pytest.raises(WrongUsage, match="no lead ''"):
        show_lead(register, "")


def test_a_beginning_that_fits_several_leads_asks_for_more(register: Register, opening: Opening) -> None:
    opened = opening({f"p{number}": 0.9 for number in range(17)}, capacity=17)
    first_letters = [lead_id(opened.batch, f"p{number}")[0] for number in range(17)]
    shared = next(letter for letter in first_letters if first_letters.count(letter) > 1)
    with pytest.raises(WrongUsage, match="Give more letters"):
        show_lead(register, shared)
