import warnings

# Google's libraries tell users of each older Python, at every import, when they will leave it.
warnings.filterwarnings("ignore", "You are using a (non-supported )?Python version", FutureWarning)
