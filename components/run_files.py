"""Names of the files in a run's folder, which outlive the run and are read by the next."""

DECISION = "decision.json"
REQUEST = "request.json"
SCORES = "scores.json"  # the candidate's, for the approval that may follow
CHAMPION_SCORES = "champion_scores.json"
REPORT = "report.md"
HTML_REPORT = "report.html"
LOG = "run.log"

# TFDV statistics of the training split: the next run's data are compared with the champion's.
STATISTICS = "training_statistics.pb"
