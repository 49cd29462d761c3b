#!/bin/sh
# What a deployment needs before its first order: the bundled models, and a key if none was ever made.
# Safe to run at every start.
set -eu

prodgen models seed

keys=$(prodgen keys list --json)
case "$keys" in
*'"id"'*) ;;
*)
    echo "The first API key. It is shown this once; keep it, or revoke it and make another:"
    prodgen keys create --tenant default --scope generate --scope train --scope promote --scope admin \
        --label first
    ;;
esac
