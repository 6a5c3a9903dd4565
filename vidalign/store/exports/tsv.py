"""TSV: one row and one line a sentence, of one or many alignments."""

from vidalign.store.exports.formats import AlignmentFormat
from vidalign.store.exports.tables import table

FORMAT = AlignmentFormat(
    summary="tab-separated table, one row a sentence", suffix=".tsv", write=table("\t"), gathers=True
)
