"""What the files of a baseline are called: in its own folder, in a run, in a bundle."""

CASE_SET, POLICY, GOLDEN = "case_set.json", "policy.yaml", "golden.json"
