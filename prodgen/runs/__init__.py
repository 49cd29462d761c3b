"""Queued runs (training, preparation, evaluation): submission, attempts, publishing, ending."""
