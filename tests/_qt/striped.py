"""A modality whose frames tell something of its settings: it shows that the window knows only the contract."""

import threading
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, Field

from napari_nstm.core.data import Circle, Drawing, Mark
from napari_nstm.core.errors import InputError
from napari_nstm.core.hints import Hint
from napari_nstm.core.settings import AcquisitionSettings, Settings, TimedAcquisition


class Unknown(Settings):
    model_config = ConfigDict(title="Found in the frames")

    kind: Literal["unknown"] = "unknown"
    about_per_um: float | None = Field(default=None, gt=0, title="About")


class Known(Settings):
    model_config = ConfigDict(title="Given")

    kind: Literal["known"] = "known"
    ky_per_um: tuple[float, ...] = Field(title="Vectors, y")
    kx_per_um: tuple[float, ...] = Field(title="Vectors, x")


class StripedSettings(TimedAcquisition):
    gain: float = Field(default=1.0, gt=0, title="Gain")
    lines: Annotated[Unknown | Known, Field(discriminator="kind")] = Field(default_factory=Unknown, title="Lines")
    depth: Annotated[float | None, Hint(none_means="found in the frames")] = Field(default=None, gt=0, title="Depth")
    offset_counts: float = Field(default=0.0, title="Offset")


class Striped:
    """Two orientations; the first frame's mean is the first one's ky."""

    name: ClassVar[str] = "striped"
    title: ClassVar[str] = "Striped"
    Settings: ClassVar[type[AcquisitionSettings]] = StripedSettings
    menu_order: ClassVar[int] = -1  # the first in the menu
    raw_axes: ClassVar[str] = "*yx"
    simulation_options: ClassVar[dict[str, tuple[str, ...]]] = {}
    estimates: ClassVar[tuple[str, ...]] = ("lines", "depth")
    inspections: ClassVar[dict[str, str]] = {"sheet": "All frames", "spectrum": "Spectrum"}

    def __init__(self):
        self.asked: list[tuple[tuple[int, ...], Any]] = []
        self.threads: list[Any] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def array_paths(self, settings):
        return {}

    def estimate(self, raw, settings):
        self.threads.append(threading.current_thread())
        self.asked.append((raw.frames.shape, settings))
        assert self.gate.wait(20)
        if self.error is not None:
            raise self.error
        ky = float(raw.frames[0].mean()) * settings.gain
        lines = Known(ky_per_um=(ky, 0.5), kx_per_um=(0.25, ky))
        return settings.model_copy(update={"lines": lines, "depth": 0.75}), ["Lines were found.", "So was their depth."]

    def inspect(self, name, raw, settings):
        self.threads.append(threading.current_thread())
        if self.error is not None:
            raise self.error
        if name == "sheet":
            marks = tuple(Mark((0.0, 10.0 * k), f"image {k}") for k in range(len(raw.frames)))
            images = np.concatenate(list(raw.frames), axis=1)[None].astype(np.float32)
            return Drawing(self.inspections[name], images, ("",), (0.0, 0.0), (1.0, 1.0), "pixel", (), marks, "A note.")
        marks = ()
        if settings.lines.kind == "known":
            pairs = zip(settings.lines.ky_per_um, settings.lines.kx_per_um, strict=True)
            marks = tuple(
                Mark((sign * y, sign * x), f"{sign:+d}", panel)
                for panel, (y, x) in enumerate(pairs)
                for sign in (1, -1)
            )
        image = np.float32(np.add.outer(np.arange(21), np.arange(21)))
        return Drawing(
            name=self.inspections[name],
            images=np.stack([image, 2 * image]),
            panels=("first", "second"),
            origin=(-2.0, -2.0),
            step=(0.2, 0.2),
            unit="1/um",
            circles=(Circle((0.0, 0.0), 1.5, "reach 1.5 /um"),),
            marks=marks,
        )

    def moved(self, name, mark, position, settings):
        assert name == "spectrum"
        sign = int(mark.label)
        y, x = list(settings.lines.ky_per_um), list(settings.lines.kx_per_um)
        y[mark.panel], x[mark.panel] = (round(sign * p, 6) for p in position)
        if y[mark.panel] == x[mark.panel] == 0:
            raise InputError("acquisition.lines", "no direction", "a direction")
        lines = Known(ky_per_um=tuple(y), kx_per_um=tuple(x))
        return settings.model_copy(update={"lines": lines, "depth": None})


def offer(monkeypatch) -> Striped:
    """Offer it in forms as if it were installed, and DPC beside it."""
    from napari_nstm._qt.setup import job_form
    from napari_nstm.imaging.registry import modality

    made = Striped()
    monkeypatch.setattr(job_form, "modality_names", lambda: ("striped", "dpc"))
    monkeypatch.setattr(job_form, "modality", lambda name: made if name == "striped" else modality(name))
    return made
