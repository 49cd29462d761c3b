"""Serve the gateway: ``python -m api_gateway --host 0.0.0.0 --port 8000``."""

import argparse
import sys

from api_gateway.app import create_app
from api_gateway.server import server
from prodgen.errors import ProdgenError


def main() -> None:
    """Serve requests until the process is asked to stop."""
    parser = argparse.ArgumentParser(prog="python -m api_gateway", description="Serve the gateway.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", default=8000, type=int)
    options = parser.parse_args()
    try:
        gateway = server(create_app(), options.host, options.port)
    except ProdgenError as error:
        sys.exit(f"prodgen: {error}")
    gateway.run()
    if not gateway.started:
        sys.exit(3)  # uvicorn has logged why


if __name__ == "__main__":
    main()
