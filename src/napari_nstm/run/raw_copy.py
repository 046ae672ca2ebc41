"""Raw data that are in no file go into the store, so that its run can be resumed and looked into."""

from __future__ import annotations

from napari_nstm.core.errors import StoreError
from napari_nstm.io.store import StoreRecord, StoreWriter
from napari_nstm.run.job import replace_dotted
from napari_nstm.run.plan import Plan
from napari_nstm.run.protocol import write_array

_RAW = "raw.npy"


def keep_raw(plan: Plan, record: StoreRecord, *, overwrite: bool) -> StoreWriter:
    """Make the store; what was given as an array is kept in it, and its job points there.

    Paths in a store's job are relative to the store, so it can be moved.
    """
    if plan.raw_is_file:
        return StoreWriter.create(plan.store_path, record, overwrite=overwrite)
    extras = {name: f"{name}.npy" for name in plan.whole_raw.extras}
    acquisition = dict(record.job["acquisition"])
    for name, file_name in extras.items():
        acquisition = replace_dotted(acquisition, name, file_name)
    job = {**record.job, "raw": _RAW, "acquisition": acquisition}
    # The raw array was brought to the modality's axes already.
    job["axes"] = plan.modality.raw_axes.replace("*", "t")
    writer = StoreWriter.create(plan.store_path, record.changed({"job": job}), overwrite=overwrite)
    try:
        write_array(writer.path / _RAW, plan.whole_raw.frames)
        for name, file_name in extras.items():
            write_array(writer.path / file_name, plan.whole_raw.extras[name])
    except OSError as error:
        writer.discard()
        reason = error.strerror or type(error).__name__
        raise StoreError(f"The raw data could not be kept in {writer.path}: {reason}.") from error
    return writer
