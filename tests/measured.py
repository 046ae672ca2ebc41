"""Measured frames, which lie beside the checkout where they are at hand: DPC of cells, a DiffuserCam's hand."""

from pathlib import Path

from napari_nstm.imaging.dpc import DpcSettings

_DATA = Path(__file__).parents[2] / "shared" / "data"
CELLS = _DATA / "dpc_cells" / "raw.tif"
HAND = _DATA / "diffusercam_hand"


def cell_settings() -> DpcSettings:
    """Return how the cells were taken."""
    return DpcSettings(
        wavelength_um=0.523,
        na_objective=0.5,
        na_illumination=0.5,
        na_illumination_inner=0.45,
        pixel_size_um=0.12,
        source_angles_deg=(270, 90, 180, 0),
        background={"kind": "blur", "sigma_px": 80},
    )
