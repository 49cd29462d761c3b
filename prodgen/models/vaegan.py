"""VAE-GAN: the encoder and latent space of a VAE, the sharpness of a GAN (Larsen et al. 2016)."""

from prodgen.attributes import AttributeSchema
from prodgen.models.vae import VAE


class VAEGAN(VAE):
    """The networks of a `VAE`; what differs is how they are trained, and against whom."""

    def __init__(
        self,
        *,
        attributes: AttributeSchema,
        size: int = 28,
        channels: int = 1,
        latent_dim: int = 128,
        widths: list[int] | None = None,
        ground: str = "#000000",
        precision: str = "fp32",
        tolerance: int = 1,
        family: str = "vaegan",
        format: int = 1,
    ) -> None:
        super().__init__(
            attributes=attributes, size=size, channels=channels, latent_dim=latent_dim, widths=widths
        )
