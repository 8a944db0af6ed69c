"""What was decided about the models, each entry sealed with the one before it"""

from alembic import op
import sqlalchemy as sa


revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("force", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("says", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("before", sa.String(), nullable=False),
        sa.Column("seal", sa.String(), nullable=False),
        sa.CheckConstraint("length(trim(coalesce(says, ''))) > 0", name=op.f("ck_audit_says")),
        sa.CheckConstraint("length(trim(coalesce(who, ''))) > 0", name=op.f("ck_audit_who")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_audit_number")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )


def downgrade() -> None:
    op.drop_table("audit")
