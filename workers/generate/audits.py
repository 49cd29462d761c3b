"""Audits other machines: makes their images again, and shuts out the machines whose images are wrong."""

from prodgen.audit import audit_piece
from prodgen.errors import ProdgenError
from prodgen.jobs.audits import Piece
from prodgen.models import SavedModel
from workers.generate.device import Device, log
from workers.generate.metrics import audited


def audit(device: Device, piece: Piece, machine: str) -> str:
    """Make the images of a piece again, and compare them. Returns a summary for Flower.

    ``machine``: the name of this worker's machine. Drops a piece that cannot be made now, because a service
    does not answer or the job is deleted.
    """
    services = (device.store, device.ledger, device.settings)
    try:
        model = device.models.load(device.job(piece.tenant, piece.job)[0].model, piece.tenant)
        if not isinstance(model, SavedModel):
            return f"audit of job {piece.job[:6]}: {model.id} is not audited"
        faults = audit_piece(*services, piece, machine, model, device.engine)
    except ProdgenError as error:
        log.warning("%d images of job %s were not audited: %s", len(piece.images), piece.job, error)
        return f"audit of job {piece.job[:6]}: dropped, {error}"
    audited.labels("same").inc(len(piece.images) - len(faults))
    audited.labels("wrong").inc(len(faults))
    for fault in faults:
        log.error("job %s image %d (lease %s): %s", piece.job, fault.index, fault.folder, fault.what)
    return f"audit of job {piece.job[:6]}: {len(faults)} of {len(piece.images)} images are wrong"
