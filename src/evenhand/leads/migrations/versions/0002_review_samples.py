"""How likely each file was drawn, and out of how many"""

from alembic import op
import sqlalchemy as sa


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Columns with their constraints, in one statement that SQLite understands too: Alembic's way there would be
    # to write the table anew, which other tables point at.
    op.execute(
        "ALTER TABLE batch ADD COLUMN band_sample_size INTEGER DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_batch_band_sample_size CHECK (band_sample_size >= 0)"
    )
    op.add_column("batch", sa.Column("bands", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("batch", sa.Column("strata", sa.JSON(), nullable=True))
    op.add_column("lead", sa.Column("stratum", sa.String(), nullable=True))
    number = sa.Double().compile(op.get_bind().dialect)
    op.execute(
        f"ALTER TABLE lead ADD COLUMN inclusion {number} "
        "CONSTRAINT ck_lead_inclusion CHECK (inclusion > 0 AND inclusion <= 1)"
    )


def downgrade() -> None:
    for table, column in (
        ("lead", "inclusion"), ("lead", "stratum"), ("batch", "strata"), ("batch", "bands"), ("batch", "band_sample_size")
    ):  # fmt: skip
        op.drop_column(table, column)
