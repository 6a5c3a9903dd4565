"""CSV: one row a sentence, of one or many alignments."""

from vidalign.store.exports.formats import AlignmentFormat
from vidalign.store.exports.tables import table

FORMAT = AlignmentFormat(
    summary="comma-separated table, one row a sentence", suffix=".csv", write=table(","), gathers=True
)
