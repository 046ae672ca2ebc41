"""Stripes from the frames themselves: vectors, phases, depths, and whether images are in the order they should be."""

from napari_nstm.imaging.sim.estimate.carriers import carrier_power
from napari_nstm.imaging.sim.estimate.order import check_order
from napari_nstm.imaging.sim.estimate.spectrum import autocorrelation_spectrum, power_spectrum
from napari_nstm.imaging.sim.estimate.stripes import StripeEstimate, estimate_stripes

__all__ = [
    "StripeEstimate",
    "autocorrelation_spectrum",
    "carrier_power",
    "check_order",
    "estimate_stripes",
    "power_spectrum",
]
