"""2D-TAN (microsoft/VideoX): one HDF5 of all videos, `f[vid][:]`; spread evenly over the video's length."""

from vidalign.store.exports.arrays import read_flat_hdf5, write_flat_hdf5
from vidalign.store.exports.formats import FeaturesFormat

FORMAT = FeaturesFormat(
    summary="2D-TAN, one HDF5, f[vid][:]",
    suffix=".hdf5",
    write=write_flat_hdf5,
    gathers=True,
    read=read_flat_hdf5,
    reads=(".hdf5", ".h5"),
)
