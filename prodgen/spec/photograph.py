"""What a file must be to be read as a photograph or another picture."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
"""The formats, as Pillow names them. Some of its other formats start programs (EPS: Ghostscript) for a file
of any name."""
MAX_PIXELS = 100_000_000
