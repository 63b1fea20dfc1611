"""What is served, compared with the released model's own data: a report, the ledger, a notice."""
