"""How far the tiles of a run are, in words."""

from dataclasses import dataclass

_SEEN_SHARE = 0.5  # of the steps of a tile


@dataclass
class TileCount:
    """Tiles that are done, of how many.

    Parameters
    ----------
    n
        Tiles of the run; 0: its field is reconstructed at once.
    at_once
        Whether several are fitted at the same time, on a cluster.
    done, failed
        Tiles that are done, and that left nothing.
    """

    n: int = 0
    at_once: bool = False
    done: int = 0
    failed: int = 0
    _first_step: int | None = None

    @property
    def started(self) -> bool:
        """Whether there is something to count."""
        return self.n > 0 and self.done + self.failed > 0

    def time_is_known(self, step: int, n_steps: int) -> bool:
        """Whether enough steps were seen to tell the time of the rest: the first ones wait for programs to compile."""
        if not self.n:
            return True
        if self._first_step is None:
            self._first_step = step
        return step - self._first_step >= _SEEN_SHARE * n_steps / self.n

    def in_words(self) -> str:
        """Say which tile is at work, or how many are done; empty where there is none."""
        if not self.n or self.done + self.failed >= self.n:
            return ""
        if self.at_once:
            return f"{self.done} of {self.n} tiles done"
        return f"Tile {self.done + self.failed + 1} of {self.n}"
