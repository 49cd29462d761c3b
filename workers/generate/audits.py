"""Audits other machines: makes their images again, and shuts out the machines whose images are wrong."""

import threading
from contextlib import ExitStack

from prodgen.audit import audit_piece
from prodgen.errors import ProdgenError, Unsupported
from prodgen.jobs.audits import Piece, queue_pieces
from prodgen.photographs.studio import Studio
from workers.generate.device import Device, log
from workers.generate.metrics import audited
from workers.generate.photographs import learning

_one_at_a_time = threading.Lock()
"""Lets one thread audit photographs, so that orders keep the other of the two places of `learning`."""


def audit(device: Device, piece: Piece, machine: str) -> str:
    """Make the images of a piece again, and compare them. Returns a summary for Flower.

    ``machine``: the name of this worker's machine. Leaves a piece to other machines if this one lacks what
    the piece needs. Drops a piece that cannot be made now, because a service does not answer or the job or an
    upload is deleted.
    """
    services, title = (device.store, device.ledger, device.settings), f"audit of job {piece.job[:6]}"
    try:
        model = device.models.load(device.job(piece.tenant, piece.job)[0].model, piece.tenant)
        with ExitStack() as stack:
            if isinstance(model, Studio):
                stack.enter_context(_one_at_a_time)
                stack.enter_context(learning)
            faults = audit_piece(*services, piece, machine, model, device.engine)
    except Unsupported as error:
        log.warning("%s is left to other machines: %s", title, error)
        queue_pieces(device.ledger, [piece.model_copy(update={"refused": (*piece.refused, machine)})])
        return f"{title}: left to other machines, {error}"
    except ProdgenError as error:
        log.warning("%d images of job %s were not audited: %s", len(piece.images), piece.job, error)
        return f"{title}: dropped, {error}"
    audited.labels("same").inc(len(piece.images) - len(faults))
    audited.labels("wrong").inc(len(faults))
    for fault in faults:
        log.error("job %s image %d (lease %s): %s", piece.job, fault.index, fault.folder, fault.what)
    return f"{title}: {len(faults)} of {len(piece.images)} images are wrong"
