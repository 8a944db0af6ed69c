"""The first register"""

from alembic import op
import sqlalchemy as sa


revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batch",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("force", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("fingerprints", sa.JSON(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("sample_size", sa.Integer(), nullable=False),
        sa.Column("scored_at", sa.DateTime(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("scored", sa.Integer(), nullable=False),
        sa.Column("above_threshold", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("already_open", sa.Integer(), nullable=False),
        sa.Column("cleared", sa.Integer(), nullable=False),
        sa.Column("carried_by_new_records", sa.Integer(), nullable=False),
        sa.Column("without_record", sa.Integer(), nullable=False),
        sa.Column("over_capacity", sa.Integer(), nullable=False),
        sa.Column("sample_from", sa.Integer(), nullable=False),
        sa.Column("sampled", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "above_threshold = opened + already_open + cleared + without_record + over_capacity",
            name=op.f("ck_batch_everyone_is_accounted_for"),
        ),
        sa.CheckConstraint("capacity >= 1", name=op.f("ck_batch_capacity")),
        sa.CheckConstraint("opened <= capacity", name=op.f("ck_batch_capacity_is_a_ceiling")),
        sa.CheckConstraint("sample_size >= 0", name=op.f("ck_batch_sample_size")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    op.create_table(
        "lead",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("person_key", sa.String(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('lead', 'sample')", name=op.f("ck_lead_kind")),
        sa.CheckConstraint("length(trim(coalesce(person_key, ''))) > 0", name=op.f("ck_lead_person_key")),
        sa.CheckConstraint('"rank" >= 1', name=op.f("ck_lead_rank")),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_lead_batch_id_batch")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead")),
        sa.UniqueConstraint("batch_id", "person_key", name=op.f("uq_lead_batch_id_person_key")),
    )
    op.create_index(op.f("ix_lead_person_key"), "lead", ["person_key"], unique=False)
    op.create_table(
        "reason",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lead_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("column", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("window_days", sa.Integer(), nullable=True),
        sa.Column("contribution", sa.Double(), nullable=False),
        sa.Column("rests_on_records", sa.Boolean(), nullable=False),
        sa.Column("innocent", sa.JSON(), nullable=False),
        sa.CheckConstraint("direction IN ('for', 'against')", name=op.f("ck_reason_direction")),
        sa.CheckConstraint("length(trim(coalesce(words, ''))) > 0", name=op.f("ck_reason_words")),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name=op.f("fk_reason_lead_id_lead")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reason")),
        sa.UniqueConstraint("lead_id", "position", name=op.f("uq_reason_lead_id_position")),
    )
    op.create_index(op.f("ix_reason_lead_id"), "reason", ["lead_id"], unique=False)
    op.create_table(
        "review",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lead_id", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(), nullable=False),
        sa.Column("reasons", sa.String(), nullable=True),
        sa.Column("innocent_explanation", sa.String(), nullable=True),
        sa.CheckConstraint("length(trim(coalesce(reviewer, ''))) > 0", name=op.f("ck_review_reviewer")),
        sa.CheckConstraint(
            "outcome <> 'confirmed' OR length(trim(coalesce(reasons, ''))) > 0",
            name=op.f("ck_review_confirmed_needs_reasons"),
        ),
        sa.CheckConstraint(
            "outcome <> 'wrong' OR length(trim(coalesce(innocent_explanation, ''))) > 0",
            name=op.f("ck_review_wrong_needs_an_explanation"),
        ),
        sa.CheckConstraint(
            "outcome IN ('confirmed', 'wrong', 'inconclusive')", name=op.f("ck_review_outcome")
        ),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name=op.f("fk_review_lead_id_lead")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint("lead_id", "reviewed_at", name=op.f("uq_review_lead_id_reviewed_at")),
    )
    op.create_table(
        "route",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lead_id", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("length(trim(coalesce(decided_by, ''))) > 0", name=op.f("ck_route_decided_by")),
        sa.CheckConstraint(
            "route IN ('welfare', 'supervisor', 'prevention', 'assessment', 'no_action')",
            name=op.f("ck_route_route"),
        ),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name=op.f("fk_route_lead_id_lead")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_route")),
        sa.UniqueConstraint("lead_id", "decided_at", name=op.f("uq_route_lead_id_decided_at")),
    )
    op.create_table(
        "evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reason_id", sa.Integer(), nullable=False),
        sa.Column("table", sa.String(), nullable=False),
        sa.Column("source_row", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.JSON(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(), nullable=True),
        sa.Column("known_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint("source_row >= 1", name=op.f("ck_evidence_source_row")),
        sa.ForeignKeyConstraint(["reason_id"], ["reason.id"], name=op.f("fk_evidence_reason_id_reason")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        sa.UniqueConstraint(
            "reason_id", "table", "source_row", name=op.f("uq_evidence_reason_id_table_source_row")
        ),
    )
    op.create_index(op.f("ix_evidence_reason_id"), "evidence", ["reason_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_evidence_reason_id"), table_name="evidence")
    op.drop_table("evidence")
    op.drop_table("route")
    op.drop_table("review")
    op.drop_index(op.f("ix_reason_lead_id"), table_name="reason")
    op.drop_table("reason")
    op.drop_index(op.f("ix_lead_person_key"), table_name="lead")
    op.drop_table("lead")
    op.drop_table("batch")
