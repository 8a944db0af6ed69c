"""Run by Alembic: migrations happen on the connection that `open_register` already holds."""

from alembic import context

from evenhand.leads.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
