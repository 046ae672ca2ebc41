"""Jobs that several tests share."""

DPC_JOB = {
    "nstm": 1,
    "modality": "dpc",
    "raw": "raw.npy",
    "axes": "tyx",
    "region": [2, 3, 32, 33],
    "acquisition": {
        "wavelength_um": 0.525,
        "na_objective": 0.25,
        "na_illumination": 0.25,
        "pixel_size_um": 0.454,
        "source_angles_deg": [90, 270, 0, 180],
        "timestamps_ms": [0, 25, 50, 75],
        "background": {"kind": "constant", "value": 1000.0},
        "padding_px": 8,
        "max_displacement_px": 4,
    },
    "fit": {"preset": "fast", "seed": 0, "epochs": 3, "device": "cpu", "advanced": {"pyramid": [[0, 1.0]]}},
    "output": {"path": "result.zarr", "times": 4, "checkpoint_every_s": 5.0},
    "compute": {"tile_px": None},
}
