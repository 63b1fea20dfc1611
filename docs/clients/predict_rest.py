"""Scores images by a server of TensorFlow Serving's REST protocol. It needs nothing but Python.

    python predict_rest.py http://127.0.0.1:8501 pneumonia a.png b.jpg

Prints for each image: probability, label, file. CASEGATE_TOKEN holds the token, where one is
needed.
"""

import base64
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

server, model, *images = sys.argv[1:]
instances = [{"b64": base64.b64encode(Path(image).read_bytes()).decode()} for image in images]
request = urllib.request.Request(
    f"{server}/v1/models/{model}:predict",
    json.dumps({"instances": instances}).encode(),
    {"Content-Type": "application/json"},
)
if token := os.environ.get("CASEGATE_TOKEN"):
    request.add_header("Authorization", f"Bearer {token}")
try:
    with urllib.request.urlopen(request, timeout=30) as answer:
        predictions = json.load(answer)["predictions"]
except urllib.error.HTTPError as error:
    sys.exit(f"{error.code} {error.read().decode()}")
for image, said in zip(images, predictions, strict=True):
    print(said["probability"], said["label"], image)
