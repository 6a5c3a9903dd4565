"""MAD and VLG-Net (Soldelli/MAD): one HDF5 of all films, `f[movie][:]`, five rows a second."""

from vidalign.store.exports.arrays import read_flat_hdf5, write_flat_hdf5
from vidalign.store.exports.formats import FeaturesFormat

FORMAT = FeaturesFormat(
    summary="MAD / VLG-Net, one HDF5, f[movie][:], five rows a second",
    suffix=".h5",
    write=write_flat_hdf5,
    gathers=True,
    row_seconds=0.2,
    read=read_flat_hdf5,
    reads=(".h5", ".hdf5"),
)
