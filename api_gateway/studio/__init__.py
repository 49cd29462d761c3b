"""The studio: the pages for people, at ``/`` of the gateway.

The pages are rendered here; their scripts use the HTTP API under the session of the browser.
"""
