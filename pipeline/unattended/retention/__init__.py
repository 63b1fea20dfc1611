"""What a workspace need not keep for ever: found, written down, put into the ledger, removed."""
