"""What the form says is checked while it is filled in, and the fitting process says what a run would need."""

from functools import partial

from qtpy.QtCore import QObject, QTimer

from napari_nstm._qt.background import Background
from napari_nstm._qt.running.run_bar import RunBar
from napari_nstm._qt.running.session import FitSession
from napari_nstm._qt.setup.fitting_tile import tile_that_fits
from napari_nstm._qt.setup.job_form import MARKED, JobForm
from napari_nstm._qt.setup.preflight import PreflightCard
from napari_nstm.core.data import RawData
from napari_nstm.core.errors import InputError, in_one_sentence
from napari_nstm.core.events import Failed, Prepared
from napari_nstm.run.plan import CheckedJob, check_job
from napari_nstm.run.runs import RunFolder

_DELAY_MS = 250


class FormCheck(QObject):
    """Checks the form a moment after it was edited, and lets bar and card say what came of it.

    Parameters
    ----------
    form
        What is checked.
    bar
        Has the button that runs it.
    card
        Says what a run would do and need.
    session
        Is asked what a run would need.
    runs
        Where its store would go.
    background
        Where frames are read and checked.
    """

    def __init__(
        self,
        form: JobForm,
        bar: RunBar,
        card: PreflightCard,
        session: FitSession,
        runs: RunFolder,
        background: Background,
    ) -> None:
        super().__init__()
        self._form, self._bar, self._card = form, bar, card
        self._session, self._runs, self._background = session, runs, background
        self.checked: CheckedJob | None = None
        """The last job that was found to be without fault."""
        self._number = 0
        self._answered = False  # whether what is said is the answer to a check
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DELAY_MS)
        self._timer.timeout.connect(self.now)
        form.changed.connect(self.soon)
        session.estimated.connect(self._estimated)

    def soon(self) -> None:
        """Check when nothing was edited for a moment."""
        self._timer.start()

    def stop(self) -> None:
        """Check no longer."""
        self._timer.stop()

    def now(self) -> None:
        """Check what can be checked without the fitting process, then ask it what a run would need."""
        self._number += 1
        job = self._form.job(self._runs.new_path())
        if job is None:
            self._refuse(self._form.why_not)
            return
        self._bar.set_ready(True)
        if not self._answered:
            self._card.say("Looking at the frames…")
        read, folder, number = self._form.reader(fresh=False), self._runs.path, self._number

        def check() -> tuple[CheckedJob, RawData] | None:
            if number != self._number:
                return None  # while this one waited the form was edited again
            raw = read()
            return check_job(job, raw, folder), raw

        def done(answer: tuple[CheckedJob, RawData] | None) -> None:
            if answer is not None and number == self._number:
                self.checked, raw = answer
                self._session.estimate(job, raw, folder)

        self._background.submit(check, done, partial(self._failed, number))

    # -- inside -------------------------------------------------------------

    def _failed(self, number: int, error: Exception) -> None:
        if number == self._number:
            shown = isinstance(error, InputError) and self._form.show_error(error)
            self._refuse(MARKED, "" if shown else f"⚠ {in_one_sentence(error)}")

    def _refuse(self, why: str, words: str = "") -> None:
        self._answered = False
        self._bar.set_ready(False, why)
        self._card.say(words or why)

    def _estimated(self, answer: Prepared | Failed) -> None:
        if isinstance(answer, Prepared):
            self._answered = True
            tile_px = tile_that_fits(self.checked, answer)
            self._card.show_outlook(answer, self.checked.job, self.checked.notices, tile_px)
        elif self._form.show_problem(answer.field, answer.message):
            self._refuse(MARKED)
        else:
            self._card.say(f"⚠ {answer.message}")
