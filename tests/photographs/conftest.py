"""Tests of photographs run beside others, so each keeps to one core."""

import cv2
import torch

torch.set_num_threads(1)
cv2.setNumThreads(1)
