"""The kind of conduct that each lead is mostly about"""

from alembic import op
import sqlalchemy as sa


revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch", sa.Column("typologies", sa.JSON(), nullable=True))
    op.add_column("lead", sa.Column("concern", sa.String(), nullable=True))
    # A column with its constraints, in one statement that SQLite understands too.
    number = sa.Double().compile(op.get_bind().dialect)
    op.execute(
        f"ALTER TABLE lead ADD COLUMN concern_share {number} "
        "CONSTRAINT ck_lead_concern_share CHECK (concern_share > 0 AND concern_share <= 1) "
        "CONSTRAINT ck_lead_concern_with_its_share CHECK ((concern IS NULL) = (concern_share IS NULL))"
    )


def downgrade() -> None:
    # The share goes first: its constraint speaks of the concern.
    for table, column in (("lead", "concern_share"), ("lead", "concern"), ("batch", "typologies")):
        op.drop_column(table, column)
