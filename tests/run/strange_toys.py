"""Toy modalities that misbehave as libraries do; a child process finds them by their entry points."""

import os
import sys
import time

from tests.toy import ToyModality


class NoisyToy(ToyModality):
    """Prints wherever it can."""

    name = "noisy"

    def prepare(self, raw, settings, level):
        print("printed")
        sys.stdout.flush()
        os.write(1, b"written past Python\n")
        return super().prepare(raw, settings, level)


class SleepyToy(ToyModality):
    """Cannot be interrupted, like a long compile."""

    name = "sleepy"

    def prepare(self, raw, settings, level):
        os.write(2, b"asleep\n")
        time.sleep(300)


class BrokenToy(ToyModality):
    """Has a defect."""

    name = "broken"

    def prepare(self, raw, settings, level):
        raise KeyError("a defect")
