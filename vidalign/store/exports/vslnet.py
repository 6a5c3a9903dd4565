"""VSLNet (26hzhang/VSLNet): `{vid}.npy`, spread evenly over the video's length; no dot in a vid."""

from vidalign.store.exports.arrays import read_npy, write_npy
from vidalign.store.exports.formats import FeaturesFormat

FORMAT = FeaturesFormat(
    summary="VSLNet, {vid}.npy",
    suffix=".npy",
    write=write_npy(),
    dots=False,
    read=read_npy,
    reads=(".npy",),
)
