"""VideoCLIP, TempCLR, Norton (fairseq MMPT): `{vid}.npy`, one row a second, number format as it is."""

from vidalign.store.exports.arrays import read_npy, write_npy
from vidalign.store.exports.formats import FeaturesFormat

FORMAT = FeaturesFormat(
    summary="VideoCLIP, TempCLR, Norton, {vid}.npy, one row a second",
    suffix=".npy",
    write=write_npy(dtype=None),
    row_seconds=1.0,
    read=read_npy,
    reads=(".npy",),
)
