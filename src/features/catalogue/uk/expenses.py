"""T7, expenses and purchase cards: receipts, sums, days, miles, and who let them pass."""

from __future__ import annotations

import polars as pl

from features.catalogue.uk.events import EXPENSE
from features.catalogue.uk.parts import EXPENSE_ITEMS, EXPENSES, QUARTER_AND_YEAR, TOURS, YEAR, beside_peers
from features.specs import Idea, count, distinct, largest, most_common, ratio, total

EXPENSES_IDEAS = (
    Idea(
        name="expenses", says="expense and purchase-card items", of=EXPENSE_ITEMS, windows=QUARTER_AND_YEAR, unit="items",
        family="expenses", typologies=EXPENSES, innocent=("a role that travels",),
    ),
    Idea(
        name="expense_pounds", says="pounds claimed or spent", of=total(EXPENSE, "amount"), windows=YEAR, unit="pounds",
        family="expenses", typologies=EXPENSES, innocent=("a role that travels",),
    ),
    Idea(
        name="largest_expense", says="largest single item", of=largest(EXPENSE, "amount"), windows=YEAR, unit="pounds",
        family="expenses", typologies=EXPENSES, innocent=("a purchase for the whole team",),
    ),
    Idea(
        name="items_on_one_receipt", says="items that share one receipt's image", of=most_common(EXPENSE, "receipt_hash"), windows=YEAR,
        unit="items", family="receipts", typologies=EXPENSES, innocent=("one bill for several items",), more_is_concern=True,
        aspect="concentration",
    ),
    Idea(
        name="items_per_receipt", says="items for each different receipt",
        of=ratio(count(EXPENSE, pl.col("receipt_hash").is_not_null()), distinct(EXPENSE, "receipt_hash"), bottom_at_least=3), windows=YEAR,
        unit="items a receipt", family="receipts", typologies=EXPENSES, innocent=("one bill for several items",),
    ),
    Idea(
        name="items_without_receipt", at_heart_of=EXPENSES, says="items without a receipt, mileage left out",
        of=count(EXPENSE, pl.col("receipt_hash").is_null() & (pl.col("expense_type") != "MILEAGE")), windows=YEAR, unit="items",
        family="receipts", typologies=EXPENSES, innocent=("small sums for which the policy asks no receipt",),
    ),
    Idea(
        name="expenses_off_tour", at_heart_of=EXPENSES, says="items on days on which the roster shows no tour and no order to travel",
        of=count(EXPENSE, pl.col("on_leave_or_off")), windows=YEAR, unit="items", family="expenses off tour", typologies=EXPENSES,
        innocent=("the bill came later than the work", "a course or court on a rest day"), more_is_concern=True, aspect="timing",
    ),
    Idea(
        name="round_sums", says="items of a round sum of ten pounds or more", of=count(EXPENSE, pl.col("round")), windows=YEAR, unit="items",
        family="sums claimed", typologies=EXPENSES, innocent=("fixed allowances are round",),
    ),
    Idea(
        name="round_sum_share", says="share of items of a round sum",
        of=ratio(count(EXPENSE, pl.col("round")), EXPENSE_ITEMS, bottom_at_least=5), windows=YEAR, unit="share", family="sums claimed",
        typologies=EXPENSES, innocent=("fixed allowances are round",),
    ),
    Idea(
        name="miles", says="miles claimed", of=total(EXPENSE, "miles"), windows=YEAR, unit="miles", family="mileage", typologies=EXPENSES,
        innocent=("a role across several sites",),
    ),
    Idea(
        name="miles_per_tour", says="miles claimed, a tour worked", of=ratio(total(EXPENSE, "miles"), TOURS, bottom_at_least=20),
        windows=YEAR, unit="miles a tour", family="mileage", typologies=EXPENSES, innocent=("a role across several sites",),
    ),
    Idea(
        name="card_pounds", says="pounds spent by purchase card", of=total(EXPENSE, "amount", pl.col("by_card")), windows=YEAR,
        unit="pounds", family="purchase cards", typologies=EXPENSES, innocent=("the team's buyer",),
    ),
    Idea(
        name="items_at_one_merchant", says="items at the merchant they used most", of=most_common(EXPENSE, "merchant_code"), windows=YEAR,
        unit="items", family="purchase cards", typologies=EXPENSES, innocent=("one supplier under contract",), aspect="concentration",
    ),
    Idea(
        name="expense_authoriser_share", says="share of items authorised by the one who authorised most of theirs",
        of=ratio(most_common(EXPENSE, "authoriser_key"), EXPENSE_ITEMS, bottom_at_least=5), windows=YEAR, unit="share",
        family="authority for expenses", typologies=EXPENSES, innocent=("the team has one supervisor",), aspect="concentration",
    ),
    *beside_peers(
        "expenses", "expense and purchase-card items", EXPENSE_ITEMS, TOURS, family="expenses", typologies=EXPENSES,
        innocent=("a role that travels",),
    ),
    *beside_peers(
        "expenses_off_tour", "items on days without a tour and charged to no operation",
        count(EXPENSE, pl.col("on_leave_or_off") & pl.col("project_code").is_null()), TOURS,
        family="expenses off tour", typologies=EXPENSES, innocent=("the bill came later than the work",),
    ),
)  # fmt: skip
