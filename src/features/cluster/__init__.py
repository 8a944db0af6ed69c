"""The same catalogue on a cluster, for forces whose event tables outgrow one machine.

What a row is and what it adds is told by the very expressions that the local engine uses, run on the workers
over Arrow batches; so is what cells make of windows. Only what lies between them, the bringing together of
rows that belong together, is the cluster's: joins, groups and the last row of each, written in narwhals.
"""
