"""The physics: what a modality is, and one folder per modality."""
